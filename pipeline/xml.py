"""Reading XML that anybody may have sent: without document types, whatever the encoding, and to a fixed depth."""

from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from pipeline import bounds


class _Rejected(ValueError):
    """The document has a document type or is too deep."""


class _Reader:
    """The handlers of expat, which build the tree."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > bounds.XML_LEVELS:
            raise _Rejected(f"an element is deeper than {bounds.XML_LEVELS}")
        self._builder.start(_name(tag), {_name(name): value for name, value in attributes.items()})

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_name(tag))

    def data(self, text: str) -> None:
        self._builder.data(text)

    def doctype(self, *_: Any) -> None:
        raise _Rejected("a document type, whose entities may expand without limit")

    def close(self) -> Element:
        return self._builder.close()


def parse(data: bytes | str) -> Element | None:
    """Return the root element of *data*, or None if it is not XML, has a document type, is too deep or too large."""
    left, equals = (b"<", b"=") if isinstance(data, bytes) else ("<", "=")
    if data.count(left) > 2 * bounds.XML_ELEMENTS or data.count(equals) > bounds.XML_ELEMENTS:  # type: ignore[arg-type]
        return None
    reader = _Reader()
    parser = expat.ParserCreate(None, "}")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
        return reader.close()
    except (expat.ExpatError, ParseError, ValueError, LookupError, AssertionError):
        return None


def _name(name: str) -> str:
    """Return expat's `namespace}tag` as ElementTree has it, `{namespace}tag`."""
    return f"{{{name}" if "}" in name else name
