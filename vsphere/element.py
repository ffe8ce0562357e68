"""Reading the XML elements that vCenter sends: pure, and without knowing their types."""

from xml.etree.ElementTree import Element

NAMESPACE = "urn:vim25"
NAMESPACED = f"{{{NAMESPACE}}}"
"""The beginning of the tag of an element in vSphere's namespace."""

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_PREFIX_LENGTH = len(NAMESPACED)


def local_name(tag: str) -> str:
    """Return *tag* without its namespace."""
    return tag[_PREFIX_LENGTH:] if tag.startswith(NAMESPACED) else tag.rpartition("}")[2]


def child(element: Element, name: str) -> Element | None:
    """Return the first child called *name*, if there is one."""
    named = element.find(NAMESPACED + name)
    if named is not None:
        return named
    for candidate in element:
        if local_name(candidate.tag) == name:
            return candidate
    return None


def child_text(element: Element, name: str) -> str:
    """Return the text of the first child called *name*, stripped, or ""."""
    named = child(element, name)
    return (named.text or "").strip() if named is not None else ""


def children(element: Element) -> dict[str, list[Element]]:
    """Return the children by name, both in their order."""
    by_name: dict[str, list[Element]] = {}
    for inner in element:
        name = local_name(inner.tag)
        if name in by_name:
            by_name[name].append(inner)
        else:
            by_name[name] = [inner]
    return by_name


def reference_text(element: Element | None) -> str:
    """Return the managed object reference in *element* as `VirtualMachine/vm-12`, or "" if it has none."""
    if element is None or not element.text or not element.get("type"):
        return ""
    return f"{element.get('type')}/{element.text}"


def xsi_type(element: Element) -> str:
    """Return the type in `xsi:type` without its prefix, or ""."""
    return element.get(_XSI_TYPE, "").rpartition(":")[2]


def time_text(element: Element) -> str:
    """Return the time as vCenter sent it, but without zeros at the end of the fraction, as Go writes times."""
    text = element.text or ""
    head, point, tail = text.partition(".")
    if not point:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    fraction = tail[:digits].rstrip("0")
    return f"{head}.{fraction}{tail[digits:]}" if fraction else head + tail[digits:]
