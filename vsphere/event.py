"""A vCenter event becomes a CloudEvent: pure, with no clock, network or environment.

An event arrives as the XML element that vCenter sent (`VCenterEvent`) and is decoded here, by the schema where that
knows a type or property and as text where it does not: no event is too odd to be delivered. The wire contract
(attributes, JSON as the predecessor's Go types marshal it, XML likewise) is held to recorded events by
`tests/golden/`.
"""

import base64
import dataclasses
import datetime
import functools
import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from pipeline.cloudevents import CloudEvent
from vsphere.schema import ABSTRACT, NAMESPACE, Kind, Property, properties

JSON = "application/json"
XML = "application/xml"
TYPE_PREFIX = "com.vmware.vsphere."
TYPE_SUFFIX = ".v0"

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NAMESPACED = f"{{{NAMESPACE}}}"
_PREFIX = len(_NAMESPACED)
_ZERO_TIME = "0001-01-01T00:00:00Z"

_SUBJECT_ARGUMENTS = (
    # An alarm or task names its entity; other events name what they concern, the most particular first.
    ("entity", "entity"),
    ("vm", "vm"),
    ("host", "host"),
    ("ds", "datastore"),
    ("dvs", "dvs"),
    ("net", "network"),
    ("computeResource", "computeResource"),
    ("datacenter", "datacenter"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """A place in vCenter's history: an event, by what a checkpoint keeps of it."""

    key: int
    created_time: datetime.datetime
    """vCenter's clock, UTC."""
    event_type: str = ""
    """The event's class, `VmPoweredOnEvent`."""


@dataclasses.dataclass(frozen=True, slots=True)
class VCenterEvent:
    """One event of vCenter's history, as it came."""

    key: int
    """vCenter's number of the event, growing."""
    class_name: str
    """`VmPoweredOnEvent`, `EventEx`, …"""
    created_time: datetime.datetime
    """vCenter's clock, UTC."""
    element: Element
    """The element that vCenter sent, of type `class_name`."""

    @property
    def position(self) -> Position:
        """Where this event stands."""
        return Position(self.key, self.created_time, self.class_name)


def from_element(element: Element) -> VCenterEvent:
    """The event in *element*, an element of the vSphere type Event.

    Raises ValueError if its key or time cannot be read; nothing else about an event is ever a reason to refuse it.
    """
    key = _child_text(element, "key")
    created = _child_text(element, "createdTime")
    if not key.lstrip("-").isdigit():
        raise ValueError(f"event key {key!r} is not a number")
    return VCenterEvent(int(key), _named_type(element) or "Event", utc(created), element)


def to_cloudevent(event: VCenterEvent, source: str, api_version: str, encoding: str = JSON) -> CloudEvent:
    """*event* as the CloudEvent that subscribers know; *encoding* is `JSON` or `XML`.

    *source* is the vCenter's SDK address, *api_version* its API's version. The data are bytes, ready to send.
    """
    attributes = {
        "specversion": "1.0",
        "type": event_type(event),
        "source": source,
        "id": str(event.key),
        "time": event_time(event),
        "eventclass": {"EventEx": "eventex", "ExtendedEvent": "extendedevent"}.get(event.class_name, "event"),
        "vsphereapiversion": api_version,
        "datacontenttype": encoding,
    }
    entity = subject(event)
    if entity:
        attributes["subject"] = entity
    return CloudEvent(attributes, to_json(event) if encoding == JSON else to_xml(event))


def event_type(event: VCenterEvent) -> str:
    """The CloudEvents type: of the class, or of `eventTypeId` for the classes that carry any type."""
    name = event.class_name
    if name in ("EventEx", "ExtendedEvent"):
        name = _child_text(event.element, "eventTypeId") or name
    return f"{TYPE_PREFIX}{name}{TYPE_SUFFIX}"


def event_time(event: VCenterEvent) -> str:
    """The event's time in RFC 3339, UTC, with all the digits that vCenter sent."""
    text = _child_text(event.element, "createdTime")
    return text if text.endswith("Z") else event.created_time.isoformat().replace("+00:00", "Z")


def subject(event: VCenterEvent) -> str:
    """The managed entity that the event concerns, `VirtualMachine/vm-12`; "" if it names none."""
    found = {_local(child.tag): child for child in event.element}
    for argument, reference in _SUBJECT_ARGUMENTS:
        if argument in found:
            entity = _reference_text(_child(found[argument], reference))
            if entity:
                return entity
    if "info" in found:
        entity = _reference_text(_child(found["info"], "entity"))
        if entity:
            return entity
    if event.class_name == "EventEx":
        kind, identity = _child_text(event.element, "objectType"), _child_text(event.element, "objectId")
        return f"{kind}/{identity}" if kind and identity else ""
    return _reference_text(found.get("managedObject"))


def to_json(event: VCenterEvent) -> bytes:
    """The event as UTF-8 JSON: PascalCase names in the type's own order, unset values as the predecessor wrote them."""
    return _write_json(_decode_object(event.element, event.class_name)).encode("utf-8", "replace")


def to_xml(event: VCenterEvent) -> bytes:
    """The event as UTF-8 XML: an element named after its class, without namespaces, as the predecessor wrote it."""
    out: list[str] = []
    _write_object(out.append, event.class_name, event.element, event.class_name)
    return "".join(out).encode("utf-8", "replace")


def utc(text: str) -> datetime.datetime:
    """The xsd:dateTime *text* as a UTC time; without a zone it is taken as UTC. Raises ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


# ── reading elements ──


def _local(tag: str) -> str:
    return tag[_PREFIX:] if tag.startswith(_NAMESPACED) else tag.rpartition("}")[2]


def _child(element: Element, name: str) -> Element | None:
    for child in element:
        if _local(child.tag) == name:
            return child
    return None


def _child_text(element: Element, name: str) -> str:
    child = _child(element, name)
    return (child.text or "").strip() if child is not None else ""


def _reference_text(element: Element | None) -> str:
    if element is None or not element.text or not element.get("type"):
        return ""
    return f"{element.get('type')}/{element.text}"


def _named_type(element: Element) -> str:
    """What `xsi:type` says, without its prefix; "" if there is none."""
    return element.get(_XSI_TYPE, "").rpartition(":")[2]


def _children(element: Element) -> dict[str, list[Element]]:
    children: dict[str, list[Element]] = {}
    for child in element:
        name = _local(child.tag)
        if name in children:
            children[name].append(child)
        else:
            children[name] = [child]
    return children


def _properties(type_name: str, declared: str) -> tuple[Property, ...]:
    """The properties of *type_name*, if it is known, else of *declared*, else of what every event has."""
    known = properties(type_name or declared)
    if known is None:
        known = properties(declared)
    if known is None and declared.endswith("Event"):
        known = properties("Event")
    return known or ()


# ── JSON ──

_write_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """How to decode one type: what its JSON is when nothing is set, and what each child element fills in."""

    unset: dict[str, Any]
    """Every property in the type's order; `_ABSENT` for those that are left out when unset."""
    absent: tuple[str, ...]
    """The names of the latter."""
    by_tag: dict[str, tuple[str, Callable[[Element], Any], Callable[[list[Any]], Any] | None]]
    """Tag → JSON name, decoder of one element, and what makes one value of several; None where the last one counts."""


_ABSENT: Any = object()


@functools.cache
def _plan(type_name: str, declared: str) -> _Plan:
    table = _properties(type_name, declared)
    return _Plan(
        {known.json_name: _unset(known) if known.always else _ABSENT for known in table},
        tuple(known.json_name for known in table if not known.always),
        {
            _NAMESPACED + known.name: (
                known.json_name,
                _decoder(known),
                _base64 if known.kind is Kind.BYTES else list if known.is_list else None,
            )
            for known in table
        },
    )


def _decode_object(element: Element, declared: str) -> dict[str, Any]:
    plan = _plan(_named_type(element), declared)
    result = plan.unset.copy()
    several: dict[str, list[Any]] = {}
    gathers: dict[str, Callable[[list[Any]], Any]] = {}
    for child in element:
        name, decode, gather = plan.by_tag.get(child.tag) or (_json_name(child), _decode_unknown, _one_or_list)
        if gather is None:
            result[name] = decode(child)
        else:
            several.setdefault(name, []).append(decode(child))
            gathers[name] = gather
    for name, values in several.items():
        result[name] = gathers[name](values)
    for name in plan.absent:
        if result[name] is _ABSENT:
            del result[name]
    return result


def _one_or_list(values: list[Any]) -> Any:
    """What the schema does not know is a list only if it came more than once."""
    return values if len(values) > 1 else values[0]


def _base64(values: list[Any]) -> str:
    """A list of signed numbers, or one base64 text, as base64."""
    if any(isinstance(value, str) for value in values):
        return str(values[0])
    return base64.b64encode(bytes(value % 256 for value in values)).decode("ascii")


def _json_name(element: Element) -> str:
    name = _local(element.tag)
    return name[0].upper() + name[1:]


def _decoder(known: Property) -> Callable[[Element], Any]:
    if known.kind is Kind.OBJECT:
        return functools.partial(_decode_object, declared=known.type_name)
    if known.kind is Kind.ANY:
        return _decode_any
    decode = _SCALARS[known.kind]
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


def _time(element: Element) -> str:
    """As vCenter sent it, but without zeros at the end of the fraction, as Go writes times."""
    text = element.text or ""
    head, point, tail = text.partition(".")
    if not point:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    fraction = tail[:digits].rstrip("0")
    return f"{head}.{fraction}{tail[digits:]}" if fraction else head + tail[digits:]


def _text(element: Element) -> str:
    return element.text or ""


def _reference(element: Element) -> dict[str, str]:
    return {"Type": element.get("type", ""), "Value": element.text or ""}


_SCALARS: dict[Kind, Callable[[Element], Any]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.REAL: _real,
    Kind.FLAG: _flag,
    Kind.TIME: _time,
    Kind.BINARY: _text,
    Kind.BYTES: _whole,
    Kind.REFERENCE: _reference,
}

_UNSET: dict[Kind, Any] = {Kind.TEXT: "", Kind.WHOLE: 0, Kind.REAL: 0, Kind.FLAG: False, Kind.TIME: _ZERO_TIME}


def _unset(known: Property) -> Any:
    if known.nullable or known.is_list:
        return None
    if known.kind is Kind.REFERENCE:
        return {"Type": "", "Value": ""}
    if known.kind is Kind.OBJECT and known.type_name not in ABSTRACT:
        return _decode_object(Element(known.name), known.type_name)
    return _UNSET.get(known.kind)


_XSD: dict[str, Callable[[Element], Any]] = {
    "boolean": _flag,
    "byte": _whole,
    "short": _whole,
    "int": _whole,
    "long": _whole,
    "float": _real,
    "double": _real,
    "dateTime": _time,
    "ManagedObjectReference": _reference,
}


def _decode_any(element: Element) -> Any:
    name = _named_type(element)
    if name.startswith("ArrayOf"):
        item = name.removeprefix("ArrayOf")
        return {item[:1].upper() + item[1:]: [_decode_as(child, item) for child in element]}
    return _decode_as(element, name)


def _decode_as(element: Element, name: str) -> Any:
    """*element* as the type *name*, which may be unknown."""
    if name in _XSD:
        return _XSD[name](element)
    return _decode_object(element, name) if len(element) or properties(name) is not None else _text(element)


def _decode_unknown(element: Element) -> Any:
    """An element that no schema describes: text as text, a reference as such, the rest by its children."""
    if len(element) or _named_type(element):
        return _decode_any(element)
    return _reference(element) if element.get("type") else _text(element)


# ── XML ──

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)

_UNSET_XML = {Kind.TEXT: "", Kind.WHOLE: "0", Kind.REAL: "0", Kind.FLAG: "false", Kind.TIME: _ZERO_TIME}

Write = Callable[[str], Any]


def _write_object(write: Write, tag: str, element: Element, declared: str) -> None:
    children = _children(element)
    write(f"<{tag}>")
    for known in _properties(_named_type(element), declared):
        found = children.pop(known.name, None)
        if found is None:
            if known.required and known.always and not known.is_list:
                _write_unset(write, known)
        else:
            for child in found:
                _write(write, child, known)
    for found in children.values():
        for child in found:
            _write_unknown(write, child)
    if not len(element) and element.text:
        write(element.text.translate(_ESCAPES))
    write(f"</{tag}>")


def _write(write: Write, element: Element, known: Property) -> None:
    if known.kind is Kind.OBJECT:
        _write_object(write, known.name, element, known.type_name)
    elif known.kind is Kind.REFERENCE:
        _write_reference(write, known.name, element.get("type", ""), element.text or "")
    elif known.kind is Kind.ANY or len(element):
        _write_unknown(write, element)
    else:
        text = _time(element) if known.kind is Kind.TIME else element.text or ""
        if known.required or known.nullable or known.is_list or text not in ("", "0"):
            write(f"<{known.name}>{text.translate(_ESCAPES)}</{known.name}>")


def _write_unset(write: Write, known: Property) -> None:
    if known.kind is Kind.REFERENCE:
        _write_reference(write, known.name, "", "")
    elif known.kind is Kind.OBJECT:
        if known.type_name not in ABSTRACT:
            _write_object(write, known.name, Element(known.name), known.type_name)
    elif known.kind in _UNSET_XML:
        write(f"<{known.name}>{_UNSET_XML[known.kind]}</{known.name}>")


def _write_reference(write: Write, tag: str, kind: str, value: str) -> None:
    write(f'<{tag} type="{kind.translate(_ESCAPES)}">{value.translate(_ESCAPES)}</{tag}>')


def _write_unknown(write: Write, element: Element) -> None:
    tag = _local(element.tag)
    if not len(element) and element.get("type"):
        _write_reference(write, tag, element.get("type", ""), element.text or "")
    else:
        _write_object(write, tag, element, _named_type(element))
