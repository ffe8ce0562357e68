"""The event catalogue: the category, title, description, causes and remedies of each event type. Pure.

`built_in` covers every event class that pyVmomi knows and well-known types of EventEx. It is read from
`catalog.json` at its first use, so that a function without a need for it pays neither time nor memory. `tools.catalog`
writes that file. A vCenter has a catalogue of its own, with the types of its extensions: `vsphere.vcenter_catalog`
reads it.

This module imports no pyVmomi, so a reaction and the page can use it.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from vsphere.element import child_text, local_name

FILE = Path(__file__).with_name("catalog.json")
"""Where `tools.catalog` writes it."""
CATEGORIES = ("error", "warning", "info", "user")
"""vCenter's categories. `user` is a message that a person entered."""

_CLOUDEVENTS_TYPE = re.compile(r"^com\.vmware\.vsphere\.|\.v\d+$")
_TYPED_BY_ID = ("EventEx", "ExtendedEvent")
"""The classes whose entries in vCenter's catalogue have the type id before a "|" in `fullFormat`."""


class Cause(NamedTuple):
    """A cause of an event, and its remedies."""

    description: str
    remedies: tuple[str, ...]


class EventType(NamedTuple):
    """One entry of a catalogue."""

    name: str
    """An event class, `VmPoweredOffEvent`, or the type id of an EventEx, `esx.problem.net.connectivity.lost`."""
    category: str
    """One of `CATEGORIES`, or "" if vCenter gives none."""
    title: str
    """A few words: `VM powered off`."""
    description: str
    """Sentences, or ""."""
    causes: tuple[Cause, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the entry as JSON: `{type, category, title, description, causes: [{description, remedies: []}]}`."""
        causes = [{"description": cause.description, "remedies": list(cause.remedies)} for cause in self.causes]
        return {
            "type": self.name,
            "category": self.category,
            "title": self.title,
            "description": self.description,
            "causes": causes,
        }


class Catalog:
    """Event types by name."""

    def __init__(self, rows: Mapping[str, list[Any]]) -> None:
        """Take rows of `catalog.json`: name → [category, title, description, [[cause, remedy, …], …]]."""
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[EventType]:
        """Yield all entries by name."""
        return (self._entry(name) for name in sorted(self._rows, key=str.lower))

    def find(self, name: str) -> EventType | None:
        """Return the entry of an event class, a type id or a CloudEvents type, if there is one."""
        name = type_name(name)
        return self._entry(name) if name in self._rows else None

    def category(self, name: str) -> str:
        """Return the category of an event class, a type id or a CloudEvents type, or ""."""
        row = self._rows.get(type_name(name))
        return str(row[0]) if row else ""

    def categories(self) -> "Catalog":
        """Return the categories without any text, which take little memory."""
        return Catalog({name: [row[0], "", "", []] for name, row in self._rows.items() if row[0]})

    def over(self, other: "Catalog") -> "Catalog":
        """Return a catalogue with the entries of both. This one's category and title count, and its texts if any."""
        rows = dict(other._rows)
        for name, row in self._rows.items():
            known = rows.get(name, ["", "", "", []])
            rows[name] = [mine or theirs for mine, theirs in zip(row, known, strict=True)]
        return Catalog(rows)

    def _entry(self, name: str) -> EventType:
        category, title, description, causes = self._rows[name]
        return EventType(
            name, category, title, description, tuple(Cause(cause, tuple(remedies)) for cause, *remedies in causes)
        )


@functools.cache
def built_in() -> Catalog:
    """Return the built-in catalogue. Raises FileNotFoundError if the installation lacks it."""
    import pkgutil  # noqa: PLC0415 - for its first use only. It reads from a zipapp, too.

    return Catalog(json.loads(pkgutil.get_data(__package__, FILE.name) or b"")["types"])


def type_name(event_type: str) -> str:
    """Return the event class or type id of a CloudEvents type. Anything else is returned unchanged."""
    return _CLOUDEVENTS_TYPE.sub("", event_type)


def from_elements(entries: Iterable[ElementTree.Element]) -> Catalog:
    """Return the catalogue in *entries*, vCenter's `EventDescriptionEventDetail` elements."""
    rows: dict[str, list[Any]] = {}
    for entry in entries:
        name, category = child_text(entry, "key"), child_text(entry, "category").lower()
        if name in _TYPED_BY_ID:
            name = child_text(entry, "fullFormat").partition("|")[0].strip() or name
        description, causes = parse_long_description(child_text(entry, "longDescription"))
        rows[name] = [category, child_text(entry, "description"), description, causes]
    return Catalog(rows)


def parse_long_description(text: str) -> tuple[str, list[list[str]]]:
    """Return the description and [[cause, remedy, …], …] in a `longDescription`.

    vCenter writes XML: `<EventLongDescription><description/><cause><description/><action/>…</cause>…`. Text that is not
    that is returned as the description.
    """
    if "<" not in text:
        return _words(text), []
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat 2.4 and later rejects entity bombs by itself
    except ElementTree.ParseError:
        return _words(re.sub(r"<[^>]*>", " ", text)), []
    causes = []
    for cause in (element for element in root if local_name(element.tag) == "cause"):
        remedies = [_text(element) for element in cause if local_name(element.tag) == "action"]
        causes.append([_text_of(cause, "description"), *filter(None, remedies)])
    return _text_of(root, "description"), causes


def _text_of(element: ElementTree.Element, name: str) -> str:
    return next((_text(inner) for inner in element if local_name(inner.tag) == name), "")


def _text(element: ElementTree.Element) -> str:
    return _words("".join(element.itertext()))


def _words(text: str) -> str:
    return " ".join(text.split())
