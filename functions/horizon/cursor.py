"""The place in Horizon's history up to which it was read: pure, with no network and no clock.

Horizon answers a query for a period with a page of events, newest first, and says whether there are more. The sink
needs the oldest first. So the cursor asks for a period that begins at the position. While the answer is cut off, it
asks for an earlier half of the period, until the answer is complete. Only a single millisecond is read in several
pages. Like this, a history of any length needs no more memory than one page.

Events of several servers may be stored slightly out of order, so each period begins `OVERLAP_MS` before the position.
Events that were read before are recognised by their ids.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from functions.horizon.errors import HorizonUnavailable
from functions.horizon.event import HorizonEvent

PAGE_SIZE = 500
"""The maximum number of events in a page: half of Horizon's own limit, so that `bounds.JSON_VALUES` leaves room for a
hundred fields in each."""
FIRST_SIZE = 10
"""The number of events, the newest, that a history without a checkpoint begins with, as the predecessor's did."""
OVERLAP_MS = 10_000
"""The maximum by which a stored event may be older than one that was stored before it."""
AHEAD_MS = 24 * 3_600_000
"""The maximum lead of Horizon's clock. The predecessor asked for this period, too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """A place in Horizon's history: all events before it were read."""

    time_ms: int
    """The time of the newest event that was read."""
    ids: frozenset[int] = frozenset()
    """The ids of the events of that time that were read."""

    def after(self, event: HorizonEvent) -> "Position":
        """Return the position once *event*, the next one, was read, too."""
        if event.time_ms > self.time_ms:
            return Position(event.time_ms, frozenset({event.id}))
        return Position(self.time_ms, self.ids | {event.id}) if event.time_ms == self.time_ms else self


@dataclasses.dataclass(frozen=True)
class Query:
    """A question for one page."""

    begin_ms: int
    end_ms: int
    """The last millisecond of the period, included like the first."""
    page: int = 1
    size: int = PAGE_SIZE
    newest_only: bool = False
    """True for the first question of all: the newest events, of any time."""


class Placed(NamedTuple):
    """A new event, and the position once it and all before it are acknowledged."""

    event: HorizonEvent
    position: Position


class Cursor:
    """Returns the questions to ask, and what is new in each answer, oldest first."""

    def __init__(self, position: Position | None) -> None:
        """Start after *position*, or with the newest `FIRST_SIZE` events."""
        self.position = position
        """The place up to which events were returned. None before the first answer."""
        self._floor_ms = position.time_ms if position else 0
        self._read: dict[int, int] = dict.fromkeys(position.ids, position.time_ms) if position else {}
        self._begin_ms: int | None = None
        self._end_ms: int | None = None
        self._pages: dict[int, HorizonEvent] = {}
        self._next_page: tuple[int, int] | None = None  # number and size

    @property
    def start(self) -> Position:
        """The position before the first event that was returned, if the history had no checkpoint."""
        return Position(self._floor_ms)

    @property
    def is_behind(self) -> bool:
        """Return whether there is a question to ask at once, because the last answer did not reach the present."""
        return self._begin_ms is not None

    def next_query(self, now_ms: int, max_size: int = PAGE_SIZE) -> Query:
        """Return the next question at *now_ms* (this host's clock, milliseconds since 1970), for at most *max_size*
        events."""
        if self.position is None:
            return Query(0, 0, size=min(FIRST_SIZE, max_size), newest_only=True)
        begin = self._begin_ms
        if begin is None:
            begin = max(self._floor_ms, self.position.time_ms - OVERLAP_MS)
        latest = max(now_ms, self.position.time_ms) + AHEAD_MS
        page, size = self._next_page or (1, max_size)  # pages of different sizes would leave out events
        return Query(begin, latest if self._end_ms is None else min(self._end_ms, latest), page, size)

    def advance(self, query: Query, events: Sequence[HorizonEvent], has_more: bool) -> list[Placed]:
        """Return what is new in the answer to *query*, and move behind it.

        *events* is its page, in any order, and *has_more* says that Horizon cut it off. Raises `HorizonUnavailable` if
        that cannot be, because there is no event of the period.
        """
        if query.newest_only:
            self.position = Position(min((event.time_ms for event in events), default=0))
            self._floor_ms = self.position.time_ms
            return self._new(events)
        inside = [event for event in events if query.begin_ms <= event.time_ms <= query.end_ms]
        if has_more and not inside and query.page == 1:
            raise HorizonUnavailable("get events: Horizon has more than one page of them, but none of the period")
        if has_more and query.begin_ms < query.end_ms:
            self._halve(query, inside)
            return []
        brings_more = any(event.id not in self._pages for event in inside)
        self._pages.update((event.id, event) for event in inside)
        if has_more and brings_more:
            self._begin_ms, self._end_ms = query.begin_ms, query.end_ms
            self._next_page = query.page + 1, query.size
            return []
        complete = list(self._pages.values())
        self._pages, self._next_page = {}, None
        self._move_behind(query, len(complete))
        return self._new(complete)

    def _halve(self, query: Query, events: Sequence[HorizonEvent]) -> None:
        """Ask for the earlier half of the part of the period that the page did not show."""
        oldest = min((event.time_ms for event in events), default=query.end_ms)
        self._begin_ms = query.begin_ms
        self._end_ms = query.begin_ms + (min(oldest, query.end_ms - 1) - query.begin_ms) // 2

    def _move_behind(self, query: Query, count: int) -> None:
        """Ask for the period after that of *query*, which had *count* events, or after the present begin another.

        The next period is as long as should fill three quarters of a page, from once to four times as long.
        """
        if self._end_ms is None or query.end_ms < self._end_ms:
            self._begin_ms = self._end_ms = None
            return
        length = query.end_ms - query.begin_ms + 1
        self._begin_ms = query.end_ms + 1
        filling = length * query.size * 3 // (4 * count) if count else 4 * length
        self._end_ms = query.end_ms + min(max(length, filling), 4 * length)

    def _new(self, events: Sequence[HorizonEvent]) -> list[Placed]:
        placed = []
        position = self.position or Position(0)
        for event in sorted(events, key=lambda event: (event.time_ms, event.id)):
            if event.id not in self._read:
                self._read[event.id] = event.time_ms
                position = position.after(event)
                placed.append(Placed(event, position))
        self.position = position
        oldest = position.time_ms - OVERLAP_MS
        self._read = {identity: time for identity, time in self._read.items() if time >= oldest}
        return placed
