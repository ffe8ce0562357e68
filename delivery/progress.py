"""The progress of a reader: the state that outlives one opening of the sink."""

import dataclasses
import datetime
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from delivery.dispatcher import Counts
from pipeline import bounds

P = TypeVar("P")

REPORT_SECONDS = 60.0
"""Minimum time between two reports of undeliverable events. One report per event would be a second flood."""
MAX_UNCONFIRMED = 64
"""Maximum number of failed saves that are remembered: more than there is time for until the lease is lost."""


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

    def clear(self) -> None:
        """Forget all of them."""
        self._ids.clear()


class UndeliverableReport:
    """Events that did not reach the sink and were not reported yet. Pure."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._reported = counts.rejected
        self._reported_at: float | None = None
        self._sent: list[tuple[int, int]] = []
        """Sequence number in the open sink and number of events of each report sent."""

    def due(self, moment: float) -> int:
        """Return the number of events to report at *moment* (monotonic).

        The first is reported at once. After that there is at most one report every `REPORT_SECONDS`.
        """
        if self._reported_at is not None and moment - self._reported_at < REPORT_SECONDS:
            return 0
        return self._counts.rejected - self._reported

    def confirm(self, count: int, moment: float, number: int) -> None:
        """Count *count* events as reported at *moment* by the event with the sequence number *number* in the sink."""
        self._reported, self._reported_at = self._reported + count, moment
        self._sent.append((number, count))

    def retract(self, is_open: Callable[[int], bool]) -> None:
        """Report events again whose report *is_open*, by its sequence number in the sink, which is closed now."""
        lost = sum(count for number, count in self._sent if is_open(number))
        self._sent.clear()
        if lost:
            self._reported, self._reported_at = self._reported - lost, None


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
    """The position up to which everything was delivered when the sink was opened or, if it is not open, closed."""
    saved: P | None = None
    """The checkpoint in the store."""
    unconfirmed: deque[P] = dataclasses.field(default_factory=lambda: deque(maxlen=MAX_UNCONFIRMED))
    """Checkpoints that may be in the store instead: saving them failed, perhaps after the store had taken them."""
    unreadable: ReportedIds = dataclasses.field(default_factory=ReportedIds)
    """The reports of elements that could not be read as events."""
    read: int = 0
    """Events read."""
    undeliverable: UndeliverableReport = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.undeliverable = UndeliverableReport(self.counts)
