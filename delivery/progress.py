"""The progress of a reader: the state that outlives one opening of the sink."""

import dataclasses
import datetime
from collections import deque
from typing import Generic, TypeVar

from delivery.dispatcher import Counts
from pipeline import bounds

P = TypeVar("P")


def now() -> datetime.datetime:
    """Return the time of this host's clock, UTC."""
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass
class Outage:
    """A time in which the server cannot be read. It is reported once, and only if the first retry also fails. Pure."""

    since: datetime.datetime | None = None
    """When the first attempt failed. None while the server can be read."""
    is_reported: bool = False

    def fail(self, moment: datetime.datetime, can_report: bool) -> bool:
        """Record a failed attempt and return True if the outage is to be reported now."""
        if self.since is None:
            self.since = moment
            return False
        reports = can_report and not self.is_reported
        self.is_reported = self.is_reported or reports
        return reports

    def end(self) -> datetime.datetime | None:
        """End the outage and return when it began if it was reported, else None."""
        since = self.since if self.is_reported else None
        self.since, self.is_reported = None, False
        return since


class ReportedIds:
    """The ids of the last reports, so that a page that is read again causes no second one. Pure."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=bounds.REPORTED_EVENTS)

    def add(self, identity: str) -> bool:
        """Remember *identity* and return True if it was not known."""
        if identity in self._ids:
            return False
        self._ids.append(identity)
        return True


@dataclasses.dataclass
class Progress(Generic[P]):
    """The progress of a reader since its process started."""

    counts: Counts = dataclasses.field(default_factory=Counts)
    outage: Outage = dataclasses.field(default_factory=Outage)
    begin: datetime.datetime | None = None
    """The start of the history while no position is known (the server's clock): of this process with at-most-once
    delivery, else of a checkpoint that holds only a time."""
    position: P | None = None
    """The last event read."""
    known_at: datetime.datetime | None = None
    """A time at which the event at `position` existed (this host's clock, UTC): when it was read, or when its
    checkpoint was saved. None if unknown."""
    acknowledged: P | None = None
    """The position that the last sink had acknowledged when it was closed."""
    saved: P | None = None
    """The checkpoint in the store."""
    unreadable: ReportedIds = dataclasses.field(default_factory=ReportedIds)
    """The reports of elements that could not be read as events."""
    read: int = 0
    """Events read."""
