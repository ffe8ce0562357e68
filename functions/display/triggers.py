"""The Triggers that exist, and for an event whether and why each of them selects it.

They are read from the cluster or from YAML files, at each request, because they may have changed. The code that decides
is the local Broker's.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from functions.display.ring import StoredEvent
from pipeline import bounds
from pipeline.errors import PermanentError, TemporaryError
from pipeline.filter import explain
from pipeline.http_client import HTTPClient

CLUSTER = "cluster"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""The credentials that Kubernetes mounts into a pod."""
REQUEST_SECONDS = 5.0

Source = tuple[Path, ...] | str
"""Files and folders, or the address of the API server."""


def trigger_source(value: str) -> Source:
    """Parse `cluster`, or files and folders separated by colons."""
    if value == CLUSTER:
        return "https://kubernetes.default.svc"
    paths = tuple(Path(part) for part in value.split(os.pathsep) if part)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ValueError(f"names {', '.join(missing)}, which does not exist")
    return paths


def explained(source: Source, stored: StoredEvent, account: Path = ACCOUNT) -> list[dict[str, Any]]:
    """Return each Trigger of *source* with its verdict on *stored*, those that select it first.

    `{name, namespace, broker, subscriber, matches, parts}`, with `parts` as `pipeline.filter.explain` returns them. A
    Trigger that cannot be used has `error` in their place, and does not match. Raises `PermanentError` for a file that
    cannot be read, and `TemporaryError` if the API server does not list them to *account*.
    """
    attributes = json.loads(stored.attributes)
    triggers = _listed(source, account) if isinstance(source, str) else _read(source).values()
    verdicts = [_verdict(trigger, attributes) for trigger in triggers]
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


def _listed(server: str, account: Path) -> list[Mapping[str, Any]]:
    """Return the Triggers in the namespace of *account*."""
    attempted = "list the Triggers of the cluster"
    try:
        token, namespace = ((account / name).read_text(encoding="utf-8").strip() for name in ("token", "namespace"))
    except OSError as error:
        raise TemporaryError(f"{attempted}: the pod has no service account ({error.strerror})") from error
    url = f"{server}/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers?limit=500"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    with HTTPClient(ca_bundle=str(account / "ca.crt"), keeps_connections=False) as client:
        response = client.send("GET", url, headers, seconds=REQUEST_SECONDS, max_bytes=bounds.TRIGGERS_CHARACTERS)
    if not response.is_success:
        raise TemporaryError(f"{attempted}: the API server responded {response.status}")
    try:
        items = json.loads(response.body)["items"]
        return [item for item in items if isinstance(item.get("metadata"), dict)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TemporaryError(f"{attempted}: the API server sent something else") from error


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
