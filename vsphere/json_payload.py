"""An event's payload in JSON, as the predecessor's Go types write it: pure.

Each type is decoded by a plan, which is made once from the schema. Decoding is the poller's busiest code.
"""

import base64
import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from vsphere.element import NAMESPACED, local_name, time_text, xsi_type
from vsphere.event import VCenterEvent
from vsphere.schema import ABSTRACT, ZERO_TIME, Property, ValueType, known_properties, properties

_write_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(event: VCenterEvent) -> bytes:
    """Return the event as UTF-8 JSON: PascalCase names in the type's own order, unset values as Go writes them."""
    return _write_json(_decode_object(event.element, event.class_name)).encode("utf-8", "replace")


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """The plan to decode one type: its JSON if nothing is set, and the property that each child element sets."""

    unset: dict[str, Any]
    """Every property in the type's order. `_ABSENT` stands for one that is left out when unset."""
    absent: tuple[str, ...]
    """The names of those that are left out when unset."""
    by_tag: dict[str, tuple[str, Callable[[Element], Any], Callable[[list[Any]], Any] | None]]
    """JSON name, decoder of one element and combiner of several values, by tag. Without a combiner the last counts."""


_ABSENT: Any = object()


@functools.cache
def _plan(type_name: str, declared: str) -> _Plan:
    table = known_properties(type_name, declared)
    return _Plan(
        {known.json_name: _unset(known) if known.always else _ABSENT for known in table},
        tuple(known.json_name for known in table if not known.always),
        {
            NAMESPACED + known.name: (
                known.json_name,
                _decoder(known),
                _base64 if known.value_type is ValueType.BYTES else list if known.is_list else None,
            )
            for known in table
        },
    )


def _decode_object(element: Element, declared: str) -> dict[str, Any]:
    plan = _plan(xsi_type(element), declared)
    result = plan.unset.copy()
    values_by_name: dict[str, list[Any]] = {}
    combiners: dict[str, Callable[[list[Any]], Any]] = {}
    for child in element:
        name, decode, combine = plan.by_tag.get(child.tag) or (_json_name(child), _decode_unknown, _one_or_list)
        if combine is None:
            result[name] = decode(child)
        else:
            values_by_name.setdefault(name, []).append(decode(child))
            combiners[name] = combine
    for name, values in values_by_name.items():
        result[name] = combiners[name](values)
    for name in plan.absent:
        if result[name] is _ABSENT:
            del result[name]
    return result


def _one_or_list(values: list[Any]) -> Any:
    """Return a list only if there are several values, for a property that the schema does not know."""
    return values if len(values) > 1 else values[0]


def _base64(values: list[Any]) -> str:
    """Return a list of signed numbers, or one base64 text, as base64."""
    if any(isinstance(value, str) for value in values):
        return str(values[0])
    return base64.b64encode(bytes(value % 256 for value in values)).decode("ascii")


def _json_name(element: Element) -> str:
    name = local_name(element.tag)
    return name[0].upper() + name[1:]


def _decoder(known: Property) -> Callable[[Element], Any]:
    if known.value_type is ValueType.OBJECT:
        return functools.partial(_decode_object, declared=known.type_name)
    if known.value_type is ValueType.ANY:
        return _decode_any
    decode = _SCALARS[known.value_type]
    return lambda element: _decode_unknown(element) if len(element) else decode(element)


def _whole(element: Element) -> int | str:
    text = element.text or ""
    try:
        return int(text)
    except ValueError:
        return text


def _real(element: Element) -> float | int | str:
    text = element.text or ""
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or number in (float("inf"), float("-inf")):
        return text  # JSON has no such numbers
    return int(number) if number.is_integer() and abs(number) < 1e15 else number  # as Go writes them


def _flag(element: Element) -> bool | str:
    text = (element.text or "").strip()
    return {"true": True, "1": True, "false": False, "0": False}.get(text, text)


def _text(element: Element) -> str:
    return element.text or ""


def _reference(element: Element) -> dict[str, str]:
    return {"Type": element.get("type", ""), "Value": element.text or ""}


_SCALARS: dict[ValueType, Callable[[Element], Any]] = {
    ValueType.TEXT: _text,
    ValueType.WHOLE: _whole,
    ValueType.REAL: _real,
    ValueType.FLAG: _flag,
    ValueType.TIME: time_text,
    ValueType.BINARY: _text,
    ValueType.BYTES: _whole,
    ValueType.REFERENCE: _reference,
}

_UNSET: dict[ValueType, Any] = {
    ValueType.TEXT: "",
    ValueType.WHOLE: 0,
    ValueType.REAL: 0,
    ValueType.FLAG: False,
    ValueType.TIME: ZERO_TIME,
}


def _unset(known: Property) -> Any:
    if known.nullable or known.is_list:
        return None
    if known.value_type is ValueType.REFERENCE:
        return {"Type": "", "Value": ""}
    if known.value_type is ValueType.OBJECT and known.type_name not in ABSTRACT:
        return _decode_object(Element(known.name), known.type_name)
    return _UNSET.get(known.value_type)


_XSD: dict[str, Callable[[Element], Any]] = {
    "boolean": _flag,
    "byte": _whole,
    "short": _whole,
    "int": _whole,
    "long": _whole,
    "float": _real,
    "double": _real,
    "dateTime": time_text,
    "ManagedObjectReference": _reference,
}


def _decode_any(element: Element) -> Any:
    name = xsi_type(element)
    if name.startswith("ArrayOf"):
        item = name.removeprefix("ArrayOf")
        return {item[:1].upper() + item[1:]: [_decode_as(child, item) for child in element]}
    return _decode_as(element, name)


def _decode_as(element: Element, name: str) -> Any:
    """Decode *element* as the type *name*, which may be unknown."""
    if name in _XSD:
        return _XSD[name](element)
    return _decode_object(element, name) if len(element) or properties(name) is not None else _text(element)


def _decode_unknown(element: Element) -> Any:
    """Decode an element that no schema describes: text, a reference, or an object by its children."""
    if len(element) or xsi_type(element):
        return _decode_any(element)
    return _reference(element) if element.get("type") else _text(element)
