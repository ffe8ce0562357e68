"""An event of vCenter's history: pure, with no clock, network or environment.

An event is the XML element that vCenter sent. Only its class, key and time are read here, and nothing else about it is
a reason to reject it. `vsphere.cloudevent` turns it into a CloudEvent.
"""

import dataclasses
import datetime
import re
from xml.etree.ElementTree import Element

from pipeline import bounds
from pipeline.errors import PermanentError, cut
from pipeline.times import utc
from vsphere.element import child_text, xsi_type


class EventUnreadable(PermanentError):
    """An element that vCenter sent as an event has no usable key."""


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


def from_element(element: Element, default_time: datetime.datetime) -> VCenterEvent:
    """Return the event in *element*, an element of the vSphere type Event. Raises `EventUnreadable` without a key.

    An event whose time cannot be read gets *default_time*.
    """
    key = read_key(child_text(element, "key"))
    if key is None:
        raise EventUnreadable(f"event key {cut(child_text(element, 'key'), 100)!r} is not a number")
    try:
        created = utc(child_text(element, "createdTime"))
    except ValueError:
        created = default_time
    class_name = xsi_type(element)[: bounds.VCENTER_NAME_CHARACTERS] or "Event"
    return VCenterEvent(key, class_name, created, element)


def read_key(text: str) -> int | None:
    """Return the event key in *text*, or None if it is not a number of at most `bounds.EVENT_KEY_DIGITS` digits."""
    return int(text) if re.fullmatch(rf"-?[0-9]{{1,{bounds.EVENT_KEY_DIGITS}}}", text) else None
