"""The Triggers that exist, and for an event whether and why each of them selects it.

They are read from YAML files, at each request, because they may have changed. The code that decides is the local
Broker's.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from functions.display.ring import StoredEvent
from pipeline import bounds
from pipeline.errors import PermanentError
from pipeline.filter import explain


def trigger_paths(value: str) -> tuple[Path, ...]:
    """Parse files and folders, separated by colons."""
    paths = tuple(Path(part) for part in value.split(os.pathsep) if part)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ValueError(f"names {', '.join(missing)}, which does not exist")
    return paths


def explained(paths: tuple[Path, ...], stored: StoredEvent) -> list[dict[str, Any]]:
    """Return each Trigger of *paths* with its verdict on *stored*, those that select it first.

    `{name, namespace, broker, subscriber, matches, parts}`, with `parts` as `pipeline.filter.explain` returns them. A
    Trigger that cannot be used has `error` in their place, and does not match.
    """
    attributes = json.loads(stored.attributes)
    verdicts = [_verdict(trigger, attributes) for trigger in _read(paths).values()]
    return sorted(verdicts, key=lambda verdict: (not verdict["matches"], verdict["name"]))


def _verdict(trigger: Mapping[str, Any], attributes: Mapping[str, str]) -> dict[str, Any]:
    spec = _object(trigger, "spec")
    subscriber = _object(spec, "subscriber")
    reference = _object(subscriber, "ref")
    verdict = {
        "name": str(trigger["metadata"].get("name", "")),
        "namespace": str(trigger["metadata"].get("namespace", "")),
        "broker": str(spec.get("broker", "")),
        "subscriber": str(reference.get("name") or subscriber.get("uri") or ""),
    }
    try:
        parts = explain(spec, attributes)
    except PermanentError as error:
        return {**verdict, "matches": False, "error": str(error)}
    return {**verdict, "matches": all(part["matches"] for part in parts), "parts": parts}


def _object(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _read(paths: tuple[Path, ...]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the Triggers by namespace and name. A later one replaces an earlier one."""
    triggers: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            for document in _documents(file):
                metadata = document["metadata"]
                triggers[str(metadata.get("namespace", "")), str(metadata.get("name", ""))] = document
    return triggers


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the Triggers in *file*. Raises `PermanentError` if it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
        if len(text) > bounds.TRIGGERS_CHARACTERS:
            raise PermanentError(f"{file} has more than {bounds.TRIGGERS_CHARACTERS} characters")
        for document in yaml.safe_load_all(text):
            if (
                isinstance(document, dict)
                and document.get("kind") == "Trigger"
                and isinstance(document.get("metadata"), dict)
            ):
                yield document
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PermanentError(f"read the Triggers in {file}: {error}") from error
