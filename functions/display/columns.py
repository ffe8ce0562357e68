"""The columns of a row, each defined once.

The table and its widths, the text search, the filters and their names in the address, the detail view and the CSV file
follow this list: the page gets it as JSON within its HTML. To add a column, add it here. Each view of the table, and
the CSV file, has its columns in the order of the list.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from vsphere import severity

Value = str | int


class Reading:
    """An event as the columns read it."""

    def __init__(self, event: CloudEvent) -> None:
        self.event = event

    def attribute(self, name: str) -> str:
        """Return the attribute *name*, shortened, or ""."""
        return (self.event.get(name) or "")[: bounds.SUMMARY_CHARACTERS]

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """The payload's properties, as `payload.fields` gives them."""
        return payload.fields(self.event)

    @cached_property
    def target(self) -> payload.Target:
        """The object that the event is about."""
        return payload.about(self.event)

    @property
    def target_name(self) -> str:
        """The target's name. Of the subject `VirtualMachine/vm-12` only `vm-12`, because the type says the rest."""
        managed_type, _, identity = self.target.name.partition("/")
        if self.target.name == (self.event.get("subject") or "") and identity and payload.is_target_type(managed_type):
            return identity[: bounds.SUMMARY_CHARACTERS]
        return self.target.name

    def name_of(self, argument: str) -> str:
        """Return the name in the payload's *argument* (`Host`, `ComputeResource`, `Datacenter`), shortened, or ""."""
        named = self.properties.get(argument)
        name = named.get("Name") if isinstance(named, dict) else None
        return name[: bounds.SUMMARY_CHARACTERS] if isinstance(name, str) else ""

    @property
    def chain(self) -> str:
        """vCenter's ChainId, the same for all events of one operation, or ""."""
        chain = self.properties.get("ChainId")
        return str(chain)[:20] if isinstance(chain, int | str) and str(chain) not in ("", "0") else ""


class Use(enum.Flag):
    """Uses of a column outside the table."""

    NONE = 0
    FILTER = enum.auto()
    """The page filters by its value. The address has it as `?name=value` and `?not-name=value`."""
    SEARCH = enum.auto()
    """The text search looks into it."""
    CSV = enum.auto()
    """The CSV file has it."""
    SHARED = enum.auto()
    """Many rows have the same text: the page keeps it once."""


@dataclass(frozen=True)
class Cell:
    """A column in one view of the table."""

    title: str
    """The heading."""
    width: str
    """A track of a CSS grid."""
    format: str = "text"
    """The name of the format in `static/cells.js` that writes it."""
    style: str = ""
    """The classes that style it: `faint`, `figures`, `right`, `code`."""
    beside_event: str = ""
    """The width beside an open event, or "" to hide it there."""
    phone_area: str = ""
    """The area of a phone's card (`display.css`) that it takes, or "" to hide it there."""


@dataclass(frozen=True)
class Column:
    """A field of a row, and its place on the page."""

    name: str
    """In rows, the address, the CSV file and CSS classes."""
    value: Callable[[Reading], Value] | None
    """The value of an event. None if the history gives it."""
    uses: Use = Use.NONE
    label: str = ""
    """The name that people read, if it is not *name*."""
    related: str = ""
    """The events with the same value, in words, if the detail view offers them as a filter."""
    format: str = "text"
    """The name of the format in `static/cells.js` that writes a value in a filter and in the detail view."""
    events: Cell | None = None
    """Its cell in the view for administrators."""
    trigger: Cell | None = None
    """Its cell in the Trigger view."""


COLUMNS = (
    Column("seq", None),
    Column(
        "severity",
        lambda reading: severity.of(reading.event, reading.properties),
        Use.CSV | Use.SHARED,
        events=Cell("Severity", "16px", "severity", beside_event="16px", phone_area="sign"),
        trigger=Cell("Severity", "16px", "severity", beside_event="16px", phone_area="sign"),
    ),
    Column(
        "received",
        None,
        Use.CSV,
        trigger=Cell("Received", "146px", "received", "faint figures", beside_event="146px", phone_area="time"),
    ),
    Column(
        "time",
        lambda reading: reading.attribute("time")[:40],
        Use.CSV,
        events=Cell("Date and time", "146px", "time", "faint figures", beside_event="146px", phone_area="time"),
        trigger=Cell("Lag", "56px", "lag", "faint figures right", beside_event="56px"),
    ),
    Column(
        "message",
        lambda reading: payload.message(reading.event, bounds.SUMMARY_CHARACTERS),
        Use.SEARCH | Use.CSV,
        events=Cell("Description", "minmax(0, 1fr)", "message", beside_event="minmax(0, 1fr)", phone_area="message"),
    ),
    Column(
        "chain",
        lambda reading: reading.chain,
        Use.FILTER,
        related="events of the same operation",
    ),
    Column("cause", lambda reading: reading.attribute("causationid")),
    Column(
        "type",
        lambda reading: reading.attribute("type"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events of the same type",
        format="type",
        events=Cell(
            "Type", "minmax(90px, 210px)", "words",
            beside_event="minmax(60px, 130px)", phone_area="type",
        ),
        trigger=Cell("Type", "minmax(150px, 2fr)", style="code", beside_event="minmax(0, 1fr)", phone_area="type"),
    ),
    Column(
        "target",
        lambda reading: reading.target_name,
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events about the same object",
        events=Cell(
            "Target", "minmax(80px, 170px)", "target",
            beside_event="minmax(70px, 130px)", phone_area="target",
        ),
    ),
    Column(
        "targettype",
        lambda reading: reading.target.type,
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        label="target type",
        related="events about objects of this type",
        format="targettype",
    ),
    Column(
        "host",
        lambda reading: reading.name_of("Host"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events on the same host",
    ),
    Column(
        "cluster",
        lambda reading: reading.name_of("ComputeResource"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events in the same cluster",
    ),
    Column(
        "datacenter",
        lambda reading: reading.name_of("Datacenter"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events in the same datacenter",
    ),
    Column(
        "user",
        lambda reading: payload.user(reading.event),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        related="events by the same user",
        events=Cell("User", "minmax(70px, 170px)", style="faint"),
    ),
    Column(
        "source",
        lambda reading: reading.attribute("source"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        trigger=Cell("Source", "minmax(100px, 1.2fr)"),
    ),
    Column(
        "subject",
        lambda reading: reading.attribute("subject"),
        Use.FILTER | Use.SEARCH | Use.CSV | Use.SHARED,
        trigger=Cell("Subject", "minmax(80px, 1fr)", style="faint"),
    ),
    Column(
        "id",
        lambda reading: reading.attribute("id"),
        Use.FILTER | Use.SEARCH | Use.CSV,
        trigger=Cell(
            "Id", "minmax(50px, 90px)", style="figures",
            beside_event="minmax(50px, 90px)", phone_area="message",
        ),
    ),
    Column(
        "contenttype",
        lambda reading: reading.attribute("datacontenttype"),
        Use.SHARED,
        label="content type",
        trigger=Cell("Content type", "120px", style="faint"),
    ),
    Column(
        "size",
        lambda reading: len(reading.event.data),
        trigger=Cell("Size", "62px", "bytes", "figures right"),
    ),
    Column("repeats", None, Use.CSV, trigger=Cell("Repeats", "60px", "repeats", "figures right")),
    Column("version", None),
    Column("important", None),
)  # fmt: skip
