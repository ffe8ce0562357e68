"""The formats of `-o`: JSON, YAML, names and JSONPath, as kubectl prints them."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.resources import Object, Resource
from kn_vsphere import jsonpath
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.tree.common import OUTPUT_FORMATS

Printer = Callable[[Object, Resource], str]
"""Returns the text for a list, or one object, of a resource."""


def printer(flags: Invocation) -> Printer | None:
    """Return what makes the text that `-o` asks for, or None if it asks for none. Raises `CommandError`."""
    name, equals, value = flags.text("output").partition("=")
    if not name:
        return None
    simple: dict[str, Printer] = {"json": _json, "yaml": _yaml, "name": _names}
    if name in simple and not equals:
        return simple[name]
    if name not in OUTPUT_FORMATS or not name.startswith("jsonpath"):
        raise CheckError(
            f'unable to match a printer suitable for the output format "{flags.text("output")}", allowed formats are: '
            + ",".join(sorted(OUTPUT_FORMATS))
        )
    return _jsonpath(name, value or flags.text("template"), flags.is_set("allow-missing-template-keys"))


def _jsonpath(name: str, text: str, allows_missing: bool) -> Printer:
    if not text:
        raise CheckError("template format specified but no template given")
    if name == "jsonpath-file":
        try:
            text = Path(text).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"error reading --template {text}: {error}") from error
    try:
        template = jsonpath.parse(text)
    except ValueError as error:
        raise CheckError(f"error parsing jsonpath {text}, {error}") from error
    render = jsonpath.as_json if name == "jsonpath-as-json" else jsonpath.render
    return functools.partial(_rendered, render, template, allows_missing)


def _rendered(
    render: Callable[..., str], template: Any, allows_missing: bool, document: Object, _resource: Resource
) -> str:
    try:
        return render(template, document, allows_missing)
    except LookupError as error:
        raise CommandError(f"error executing jsonpath: {error.args[0]}") from error


def _json(document: Object, _resource: Resource) -> str:
    return json.dumps(document, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _yaml(document: Object, _resource: Resource) -> str:
    import yaml  # noqa: PLC0415 - for this format only

    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=10_000)


def _names(document: Object, resource: Resource) -> str:
    kind = f"{resource.kind.lower()}.{resource.group}"
    return "".join(f"{kind}/{item['metadata']['name']}\n" for item in document.get("items", [document]))
