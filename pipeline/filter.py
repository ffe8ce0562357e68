"""Trigger filters with the semantics of Knative's broker (knative.dev/eventing v0.47, `pkg/eventfilter`).

Pure, because the local broker and the display's Trigger tester share it. It differs from Knative in one thing on
purpose: a filter that cannot be read is an error here. Knative skips the unreadable part and matches more events.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.errors import PermanentError

Matches = Callable[[Mapping[str, str]], bool]
"""Returns whether an event with these context attributes, including extensions, is selected. `data` is not
available."""

_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9]*")
_GO_ZERO_TIME = "0001-01-01T00:00:00Z"


class FilterError(PermanentError):
    """The filter is unusable. *errors* has a pair of field path and message for each error."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("the filter is not usable: " + "; ".join(f"{path}: {error}" for path, error in self.errors))


def compile_filter(spec: Mapping[str, object]) -> Matches:
    """Return the filter of a Trigger's *spec*: its `filters` if it has any, else its `filter`, else one that selects
    all.

    Other fields of *spec* are ignored. Raises `FilterError` with every error, with paths relative to *spec*.
    """
    errors: list[tuple[str, str]] = []
    filters = spec.get("filters")
    if filters is not None and not isinstance(filters, list):
        errors.append(("filters", "is not a list"))
    # Read both even if only one is used, because an error in the other is also a mistake.
    by_attributes = _attributes_filter(spec.get("filter"), errors)
    by_dialects = _all_of(filters, "filters", errors) if isinstance(filters, list) and filters else None
    if errors:
        raise FilterError(errors)
    return by_dialects or by_attributes


def explain(spec: Mapping[str, object], event: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the parts of the filter of *spec*, each with `matches`: whether it selects *event*. All must match.

    A comparison is `{dialect, attribute, expected, actual, matches}`, with *actual* None if the event lacks it. A
    combination is `{dialect, matches, parts}`, where *dialect* is `all`, `any` or `not`. Raises `FilterError`.
    """
    compile_filter(spec)
    filters = spec.get("filters")
    if isinstance(filters, list) and filters:
        return [part for value in filters for part in _explain(value, event)]
    by_attributes = spec.get("filter")
    attributes = by_attributes.get("attributes") if isinstance(by_attributes, dict) else None
    return [_compared("exact" if text else "any value", name, text, event) for name, text in (attributes or {}).items()]


def _explain(value: dict[str, Any], event: Mapping[str, str]) -> list[dict[str, Any]]:
    [(dialect, operand)] = value.items()
    if dialect in _COMPARISONS:
        return [_compared(dialect, name, text, event) for name, text in operand.items()]
    operands = [operand] if dialect == "not" else operand
    # Several comparisons in one expression must all match, also within `any` and `not`.
    inner = [_explain(one, event) for one in operands]
    groups = [
        parts[0]
        if len(parts) == 1
        else {"dialect": "all", "matches": all(part["matches"] for part in parts), "parts": parts}
        for parts in inner
    ]
    verdicts = [group["matches"] for group in groups]
    matches = not verdicts[0] if dialect == "not" else (any(verdicts) if dialect == "any" else all(verdicts))
    return [{"dialect": dialect, "matches": matches, "parts": groups}]


def _compared(dialect: str, name: str, text: str, event: Mapping[str, str]) -> dict[str, Any]:
    actual = _attribute(event, name)
    compare = _COMPARISONS.get(dialect)
    return {
        "dialect": dialect,
        "attribute": name,
        "expected": text,
        "actual": actual or None,
        "matches": compare(actual, text) if compare else bool(actual),
    }


def _attributes_filter(value: object, errors: list[tuple[str, str]]) -> Matches:
    """Return the filter of `filter.attributes`. All must be equal. The value "" matches any value of the attribute."""
    if value is None:
        return _everything
    if not isinstance(value, dict) or not set(value) <= {"attributes"}:
        errors.append(("filter", "has something other than attributes"))
        return _everything
    expected = _attribute_values(value.get("attributes") or {}, "filter.attributes", errors, empty_means_any=True)
    return lambda event: all(
        _attribute(event, name) == text if text else bool(_attribute(event, name)) for name, text in expected.items()
    )


def _dialect(value: object, path: str, errors: list[tuple[str, str]]) -> Matches:
    """Return the filter of one expression in `filters`: an object with exactly one dialect."""
    if not isinstance(value, dict) or len(value) != 1:
        errors.append((path, f"is not exactly one of {', '.join([*_COMPARISONS, *_COMBINATIONS])}"))
        return _everything
    [(name, operand)] = value.items()
    path = f"{path}.{name}"
    if name in _COMPARISONS:
        return _comparison(_COMPARISONS[name], operand, path, errors)
    if name in _COMBINATIONS:
        return _COMBINATIONS[name](operand, path, errors)
    errors.append(
        (path, "the dialect cesql is not supported" if name == "cesql" else "is not a dialect that Knative knows")
    )
    return _everything


def _comparison(
    compare: Callable[[str, str], bool], operand: object, path: str, errors: list[tuple[str, str]]
) -> Matches:
    expected = _attribute_values(operand, path, errors)
    if not expected:
        errors.append((path, "names no attribute"))
    return lambda event: all(compare(_attribute(event, name), text) for name, text in expected.items())


def _all_of(operand: object, path: str, errors: list[tuple[str, str]]) -> Matches:
    parts = _dialects(operand, path, errors)
    return lambda event: all(part(event) for part in parts)


def _any_of(operand: object, path: str, errors: list[tuple[str, str]]) -> Matches:
    parts = _dialects(operand, path, errors)
    return lambda event: any(part(event) for part in parts)


def _not(operand: object, path: str, errors: list[tuple[str, str]]) -> Matches:
    part = _dialect(operand, path, errors)
    return lambda event: not part(event)


def _dialects(operand: object, path: str, errors: list[tuple[str, str]]) -> list[Matches]:
    if not isinstance(operand, list) or not operand:
        errors.append((path, "is not a list with at least one expression"))
        return []
    return [_dialect(value, f"{path}[{index}]", errors) for index, value in enumerate(operand)]


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}
_COMBINATIONS = {"all": _all_of, "any": _any_of, "not": _not}


def _attribute_values(
    value: object, path: str, errors: list[tuple[str, str]], *, empty_means_any: bool = False
) -> dict[str, str]:
    """Return the attribute names and the texts to compare with."""
    if not isinstance(value, dict):
        errors.append((path, "is not a set of attribute names and values"))
        return {}
    for name, text in value.items():
        if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
            errors.append((f"{path}.{name}", "is not an attribute name: a-z, then a-z and 0-9"))
        elif not isinstance(text, str):
            errors.append((f"{path}.{name}", f"is {text!r}, not a text. Quote it"))
        elif not text and not empty_means_any:
            errors.append((f"{path}.{name}", "is empty"))
    return value


def _attribute(event: Mapping[str, str], name: str) -> str:
    """Return an attribute by any name that Knative accepts for it. "" if the event lacks it, which nothing matches."""
    match name:
        case "time":
            # As in Knative, Go's zero time stands for a missing one. A `not` or an any-value filter sees it.
            return event.get("time", _GO_ZERO_TIME)
        case "schemaurl":
            return event.get("dataschema", "")
        case "datamediatype":
            return event.get("datacontenttype", "").partition(";")[0].strip()
        case "datacontentencoding":
            return ""
        case _:
            return event.get(name, "")


def _everything(_: Mapping[str, str]) -> bool:
    return True
