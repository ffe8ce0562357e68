"""An event of vCenter's history: pure, with no clock, network or environment.

An event is the XML element that vCenter sent. Only its class, key and time are read here, and nothing else about it is
a reason to reject it. `vsphere.cloudevent` turns it into a CloudEvent.
"""

import dataclasses
import datetime
from xml.etree.ElementTree import Element

from vsphere.element import child_text, xsi_type


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """A place in vCenter's history: the event there, as far as a checkpoint stores it."""

    key: int
    created_time: datetime.datetime
    """vCenter's clock, UTC."""
    event_type: str = ""
    """The event's class, `VmPoweredOnEvent`."""


@dataclasses.dataclass(frozen=True, slots=True)
class VCenterEvent:
    """One event of vCenter's history, as it was sent."""

    key: int
    """vCenter's number of the event. It increases."""
    class_name: str
    """`VmPoweredOnEvent`, `EventEx`, …"""
    created_time: datetime.datetime
    """vCenter's clock, UTC."""
    element: Element
    """The element that vCenter sent, of type `class_name`."""

    @property
    def position(self) -> Position:
        """The place of this event."""
        return Position(self.key, self.created_time, self.class_name)


def from_element(element: Element) -> VCenterEvent:
    """Return the event in *element*, an element of the vSphere type Event.

    Raises ValueError if its key or time cannot be read.
    """
    key = child_text(element, "key")
    created = child_text(element, "createdTime")
    if not key.lstrip("-").isdigit():
        raise ValueError(f"event key {key!r} is not a number")
    return VCenterEvent(int(key), xsi_type(element) or "Event", utc(created), element)


def utc(text: str) -> datetime.datetime:
    """Return the xsd:dateTime *text* as a UTC time. Without a zone it is taken as UTC. Raises ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
