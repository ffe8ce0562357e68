"""The progress of a poller: the state that outlives a single poll."""

import dataclasses

from delivery.progress import Progress
from vsphere.event import Position
from vsphere.history import PageSize
from vsphere.vcenter_catalog import EventTypes


@dataclasses.dataclass
class PollerProgress(Progress[Position]):
    """The progress of a poller since its process started."""

    page_size: PageSize = dataclasses.field(default_factory=PageSize)
    """The number of events to ask vCenter for at once."""
    types: EventTypes = dataclasses.field(default_factory=EventTypes)
    """The categories of event types, for the severity of events."""
