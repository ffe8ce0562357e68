"""An event's payload in XML, as the predecessor wrote it: pure."""

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from vsphere.element import children, local_name, time_text, xsi_type
from vsphere.event import VCenterEvent
from vsphere.schema import ABSTRACT, ZERO_TIME, Property, ValueType, known_properties

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)

_UNSET_XML = {
    ValueType.TEXT: "",
    ValueType.WHOLE: "0",
    ValueType.REAL: "0",
    ValueType.FLAG: "false",
    ValueType.TIME: ZERO_TIME,
}

_Write = Callable[[str], Any]


def to_xml(event: VCenterEvent) -> bytes:
    """Return the event as UTF-8 XML: an element named after its class, without namespaces."""
    out: list[str] = []
    _write_object(out.append, event.class_name, event.element, event.class_name)
    return "".join(out).encode("utf-8", "replace")


def _write_object(write: _Write, tag: str, element: Element, declared: str) -> None:
    unwritten = children(element)
    write(f"<{tag}>")
    for known in known_properties(xsi_type(element), declared):
        elements = unwritten.pop(known.name, None)
        if elements is None:
            if known.required and known.always and not known.is_list:
                _write_unset(write, known)
        else:
            for value in elements:
                _write_property(write, value, known)
    for elements in unwritten.values():
        for value in elements:
            _write_unknown(write, value)
    if not len(element) and element.text:
        write(element.text.translate(_ESCAPES))
    write(f"</{tag}>")


def _write_property(write: _Write, element: Element, known: Property) -> None:
    if known.value_type is ValueType.OBJECT:
        _write_object(write, known.name, element, known.type_name)
    elif known.value_type is ValueType.REFERENCE:
        _write_reference(write, known.name, element.get("type", ""), element.text or "")
    elif known.value_type is ValueType.ANY or len(element):
        _write_unknown(write, element)
    else:
        text = time_text(element) if known.value_type is ValueType.TIME else element.text or ""
        if known.required or known.nullable or known.is_list or text not in ("", "0"):
            write(f"<{known.name}>{text.translate(_ESCAPES)}</{known.name}>")


def _write_unset(write: _Write, known: Property) -> None:
    if known.value_type is ValueType.REFERENCE:
        _write_reference(write, known.name, "", "")
    elif known.value_type is ValueType.OBJECT:
        if known.type_name not in ABSTRACT:
            _write_object(write, known.name, Element(known.name), known.type_name)
    elif known.value_type in _UNSET_XML:
        write(f"<{known.name}>{_UNSET_XML[known.value_type]}</{known.name}>")


def _write_reference(write: _Write, tag: str, managed_type: str, value: str) -> None:
    write(f'<{tag} type="{managed_type.translate(_ESCAPES)}">{value.translate(_ESCAPES)}</{tag}>')


def _write_unknown(write: _Write, element: Element) -> None:
    tag = local_name(element.tag)
    if not len(element) and element.get("type"):
        _write_reference(write, tag, element.get("type", ""), element.text or "")
    else:
        _write_object(write, tag, element, xsi_type(element))
