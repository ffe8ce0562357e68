"""What a poller works with, and how far it has come."""

import dataclasses
import datetime
from collections.abc import Callable

from functions.poller.checkpoint import Store
from functions.poller.settings import PollerSettings
from functions.poller.sink import Counts, Sink
from vsphere.event import Position
from vsphere.session import Session


def now() -> datetime.datetime:
    """This machine's clock, UTC."""
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass
class Parts:
    """What a poller works with, and how far it has come: handed from one poll to the next."""

    settings: PollerSettings
    vcenter: Session
    store: Store
    open_sink: Callable[[], Sink[Position]]
    counts: Counts
    begin: datetime.datetime | None = None
    """Where the history begins for this process while no position is known (vCenter's clock)."""
    position: Position | None = None
    """The last event read."""
    saved: Position | None = None
    """The checkpoint, as it is in the store."""
    read: int = 0
    """Events read since the process started."""
    sink: Sink[Position] | None = None
    """Where the running poll sends; None between polls."""
    unreachable_since: datetime.datetime | None = None
    """When vCenter was lost (our clock); None while it can be read."""
    told_unreachable: bool = False
    """Whether a notice said so."""
