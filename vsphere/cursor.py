"""The place in an event history up to which it was read: pure, with no network and no clock.

A server returns the history in pages, and may return an event twice, drop old events, or count its keys from the
beginning after a restore. `Cursor` takes the pages as they come and returns each event once.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from vsphere.event import Position, VCenterEvent

DISORDER = datetime.timedelta(seconds=1)
"""The maximum by which an event's time may be later than that of an event with a greater key."""
MAX_STEP_BACK = datetime.timedelta(minutes=5)
"""The maximum by which vCenter's clock may be set back while nobody reads, and then pass the same time again. Events
between have earlier times than the position, so reading begins this much earlier and the keys decide what is new."""


def begin_after(
    position: Position | None,
    earliest: datetime.datetime,
    vcenter_now: datetime.datetime,
    known_at: datetime.datetime | None = None,
) -> datetime.datetime:
    """Return the time from which to read so that every event after *position* comes, but none before *earliest*.

    All times are vCenter's. A later event may have an earlier time, so reading begins `MAX_STEP_BACK` before the
    position. A position ahead of *known_at*, when its event existed already, says that vCenter's clock was set back:
    events after it may have earlier times, so reading begins at *earliest* and the keys decide what is new. The
    default is *vcenter_now*, which shows that only until the clock has passed the position. Reading never begins after
    *vcenter_now*.
    """
    if position is None or position.created_time > min(known_at or vcenter_now, vcenter_now) + DISORDER:
        return min(earliest, vcenter_now)
    return min(max(earliest + MAX_STEP_BACK, position.created_time) - MAX_STEP_BACK, vcenter_now)


@dataclasses.dataclass(frozen=True)
class Gap:
    """Events that vCenter no longer holds and that were never read: keys *first* to *last*, both included."""

    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class NewEvents:
    """The part of a page that was not read before: events in the page's order, and the gap before the first."""

    events: list[VCenterEvent]
    gap: Gap | None = None
    restarted: bool = False
    """The keys went back since the last position: vCenter was restored or reinstalled. Every event is new, also those
    before the page. It is to be read again from the beginning."""


class Cursor:
    """Returns what is new in each page of a history, oldest page first.

    At the beginning and after `resume`, a page may begin before `position`: the cursor first looks for that position.
    Later, each page continues the page before it.
    """

    def __init__(self, position: Position | None) -> None:
        """Start after *position*, or with the first event of the history."""
        self.position = position
        """The last event returned."""
        self._resuming = position is not None
        self._position_seen = False
        self._later_seen = False

    def resume(self) -> None:
        """Expect pages from at or before `position` again, because the history is read with a new collector."""
        self._resuming = self.position is not None
        self._position_seen = self._later_seen = False

    def restart_before(self, newest_key: int) -> bool:
        """Forget `position` if its key is greater than *newest_key*, the newest event's key. Return whether it is."""
        if self.position is None or newest_key >= self.position.key:
            return False
        self.position = None
        return True

    def is_behind(self, key: int) -> bool:
        """Return whether the event with *key* is still to come."""
        return self.position is None or self.position.key < key

    def advance(self, page: Sequence[VCenterEvent]) -> NewEvents:
        """Return what is new in *page*, the next one, and move behind it."""
        events = list({event.key: event for event in page}.values())
        resuming_after = self.position if self._resuming else None
        result = self._after_position(events, resuming_after) if resuming_after else self._next(events)
        if result.events:
            self._resuming = False
            self.position = result.events[-1].position
        return result

    def _next(self, events: list[VCenterEvent]) -> NewEvents:
        """Return *events* without the last one returned, whose duplicate vcsim may send in the next page."""
        return NewEvents(events[1:] if events and events[0].position == self.position else events)

    def _after_position(self, events: list[VCenterEvent], position: Position) -> NewEvents:
        """Return those of *events* after *position*, or nothing if they are of another history.

        Keys and times grow together, except for events of about the same moment, and after vCenter's clock was set
        back. Then the event of *position* itself is still there, which a restart would have removed.
        """
        is_same = any(event.key == position.key and event.created_time == position.created_time for event in events)
        is_other = any(event.key == position.key and event.created_time != position.created_time for event in events)
        self._later_seen = self._later_seen or any(
            event.key < position.key and event.created_time > position.created_time + DISORDER for event in events
        )
        new = [event for event in events if event.key > position.key]
        if is_same:
            self._later_seen = False
        elif is_other or (new and self._later_seen):
            self.position, self._resuming = None, False
            return NewEvents([], restarted=True)
        self._position_seen = self._position_seen or any(event.key <= position.key for event in events)
        missing = bool(new) and not self._position_seen and new[0].key > position.key + 1
        return NewEvents(new, Gap(position.key + 1, new[0].key - 1) if missing else None)
