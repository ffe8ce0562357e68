"""The cursor: whatever a server does with its history, each event comes out once, or a gap names it."""

import datetime
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsphere.cursor import DISORDER, MAX_STEP_BACK, Cursor, Gap, NewEvents, begin_after
from vsphere.event import Position, VCenterEvent

ELEMENT = Element("returnval")
BEGIN = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


def event(key: int, seconds: float) -> VCenterEvent:
    return VCenterEvent(key, "VmPoweredOnEvent", BEGIN + datetime.timedelta(seconds=seconds), ELEMENT)


def events(first: int, last: int) -> list[VCenterEvent]:
    """The events with the keys *first* to *last*, one a minute."""
    return [event(key, key * 60) for key in range(first, last + 1)]


def keys(result: NewEvents) -> list[int]:
    return [event.key for event in result.events]


# ── single pages ──


@pytest.mark.parametrize(
    ("page", "new", "gap"),
    [
        pytest.param(events(11, 13), [11, 12, 13], None, id="position dropped, nothing missing"),
        pytest.param(events(10, 12), [11, 12], None, id="position included"),
        pytest.param(events(8, 12), [11, 12], None, id="older events included"),
        pytest.param(events(14, 15), [14, 15], Gap(11, 13), id="events missing"),
        pytest.param(events(12, 13), [12, 13], Gap(11, 11), id="one event missing"),
        pytest.param(events(8, 10), [], None, id="only older events"),
        pytest.param([], [], None, id="empty"),
    ],
)
def test_first_page_is_read_after_the_position(page: list[VCenterEvent], new: list[int], gap: Gap | None) -> None:
    result = Cursor(event(10, 600).position).advance(page)

    assert (keys(result), result.gap, result.restarted) == (new, gap, False)


@pytest.mark.parametrize("first", [9, 10])
def test_position_at_the_end_of_a_page_rules_out_a_gap(first: int) -> None:
    cursor = Cursor(event(10, 600).position)
    cursor.advance(events(first, 10))

    # With a filter, keys are not contiguous: 11 and 12 were never selected.
    assert cursor.advance(events(13, 14)) == NewEvents(events(13, 14))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param([event(3, 700), event(11, 760)], id="smaller keys of later events"),
        pytest.param([event(10, 700), event(11, 760)], id="the position's key of a later event"),
    ],
)
def test_keys_that_went_back_make_all_events_new(page: list[VCenterEvent]) -> None:
    cursor = Cursor(event(10, 600).position)

    assert cursor.advance(page) == NewEvents([], restarted=True)
    assert cursor.position is None
    assert cursor.advance(page) == NewEvents(page)


def test_keys_that_went_back_are_noticed_across_pages() -> None:
    cursor = Cursor(event(10, 600).position)

    assert cursor.advance([event(3, 700)]) == NewEvents([])
    assert cursor.advance([event(11, 760)]).restarted


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_disorder_within_a_moment_is_not_a_restart(seconds: float) -> None:
    page = [event(9, 600 + seconds), event(11, 660)]

    assert Cursor(event(10, 600).position).advance(page) == NewEvents(events(11, 11))


def test_page_that_repeats_the_last_event_begins_after_it() -> None:
    cursor = Cursor(None)
    cursor.advance(events(1, 2))

    assert cursor.advance(events(2, 4)) == NewEvents(events(3, 4))


@pytest.mark.parametrize(("newest", "restarted"), [(9, True), (10, False), (11, False)])
def test_newest_key_before_the_position_is_a_restart(newest: int, restarted: bool) -> None:
    cursor = Cursor(event(10, 600).position)

    assert cursor.restart_before(newest) is restarted
    assert (cursor.position is None) is restarted
    assert cursor.is_behind(11)


@pytest.mark.parametrize(
    ("position", "key", "behind"),
    [(None, 1, True), (event(10, 600).position, 11, True), (event(10, 600).position, 10, False)],
)
def test_cursor_is_behind_greater_keys(position: Position | None, key: int, behind: bool) -> None:
    assert Cursor(position).is_behind(key) is behind


MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("position", "begin"),
    [
        (None, BEGIN - HOUR),
        (event(10, -5).position, BEGIN - datetime.timedelta(seconds=5) - MAX_STEP_BACK),
        (event(10, 0.5).position, BEGIN + datetime.timedelta(seconds=0.5) - MAX_STEP_BACK),
        (event(10, 1).position, BEGIN + datetime.timedelta(seconds=1) - MAX_STEP_BACK),
        (event(10, 3600).position, BEGIN - HOUR),
        (event(10, -3600).position, BEGIN - HOUR),
        (Position(10, datetime.datetime.min.replace(tzinfo=datetime.UTC)), BEGIN - HOUR),
        (Position(10, datetime.datetime.max.replace(tzinfo=datetime.UTC)), BEGIN - HOUR),
    ],
    ids=[
        "none",
        "past",
        "a moment ahead",
        "a second ahead",
        "an hour ahead",
        "before the earliest",
        "year 1",
        "year 9999",
    ],
)
def test_reading_begins_before_position_and_clock(position: Position | None, begin: datetime.datetime) -> None:
    assert begin_after(position, BEGIN - HOUR, vcenter_now=BEGIN) == begin


@pytest.mark.parametrize(
    ("known_at", "begin"),
    [
        (None, -314),
        (-5, -314),
        (-14, -314),
        (-16, -3600),
        (5, -314),
    ],
    ids=["unknown", "long after it", "at once", "before it: the clock was set back since", "another host's clock"],
)
def test_position_ahead_of_when_it_was_known_is_not_trusted(known_at: int | None, begin: int) -> None:
    position = event(10, -14).position
    known = BEGIN + datetime.timedelta(seconds=known_at) if known_at is not None else None
    assert begin_after(position, BEGIN - HOUR, BEGIN, known) == BEGIN + datetime.timedelta(seconds=begin)


def test_reading_never_begins_after_vcenters_clock() -> None:
    assert begin_after(None, BEGIN + MINUTE, vcenter_now=BEGIN) == BEGIN


def test_smaller_keys_with_later_times_are_not_a_restart() -> None:
    page = [event(9, 3600), event(10, 600), event(11, 660)]  # the clock was set back between 9 and 10

    assert Cursor(page[1].position).advance(page) == NewEvents(page[2:])


@pytest.mark.parametrize("cut", [1, 2])
def test_clock_set_back_is_not_a_restart_across_pages(cut: int) -> None:
    history = [event(9, 3600), event(10, 600), event(11, 660)]  # the clock was set back between 9 and 10
    cursor = Cursor(history[1].position)

    results = [cursor.advance(history[:cut]), cursor.advance(history[cut:])]

    assert [passed for result in results for passed in result.events] == history[2:]
    assert not any(result.restarted for result in results)


# ── any history ──


class Server:
    """A vCenter that returns its events by collector. Its keys begin at 1, also after a restart."""

    def __init__(self) -> None:
        self.events: list[VCenterEvent] = []
        self._key, self._seconds = 0, 0.0
        self._unread: list[VCenterEvent] = []
        self._stuck = False

    def post(self, pauses: list[float], step: int) -> list[VCenterEvent]:
        """Add an event after each of *pauses*, in seconds, with keys *step* apart: others are not selected."""
        posted = []
        for pause in pauses:
            self._key += step if self._key else 1
            self._seconds += pause
            # Of events of about the same moment, any may have the earlier time.
            posted.append(event(self._key, self._seconds - (self._key % 2) * DISORDER.total_seconds()))
        self.events += posted
        self._unread += posted
        return posted

    def prune(self, count: int) -> None:
        """Drop the *count* oldest events. A collector that is still to return one of them returns nothing more."""
        dropped, self.events = self.events[:count], self.events[count:]
        if any(old in self._unread for old in dropped):
            self._stuck = True

    def restart(self) -> None:
        """Forget every event and count from 1, a minute later."""
        self.events, self._unread, self._key = [], [], 0
        self._seconds += 60

    def collect(self, since: datetime.datetime) -> None:
        """Create a collector of the events created at *since* or later."""
        self._unread = [old for old in self.events if old.created_time >= since]
        self._stuck = False

    def page(self, size: int, copies: list[int]) -> list[VCenterEvent]:
        """Return at most *size* events of the collector, each of the first ones as many times as *copies* says."""
        if self._stuck:
            return []
        counts = [*copies[: len(self._unread)], *[1] * (len(self._unread) - len(copies))]
        unread = [copy for old, count in zip(self._unread, counts, strict=True) for copy in [old] * count]
        page, self._unread = unread[:size], unread[size:]
        return page


class Reader:
    """A server's events, read with a cursor as `EventHistory` reads them."""

    def __init__(self) -> None:
        self.server = Server()
        self.cursor = Cursor(None)
        self.expected: list[VCenterEvent] = []
        self.read: list[VCenterEvent] = []
        self.missing: list[int] = []
        """The keys in all gaps."""

    def post(self, pauses: list[float], step: int = 1) -> None:
        self.expected += self.server.post(pauses, step)

    def advance(self, size: int, copies: list[int]) -> bool:
        """Read a page and return whether it had events."""
        page = self.server.page(size, copies)
        result = self.cursor.advance(page)
        newest = self.server.events[-1].key if self.server.events else None
        if result.restarted or (not result.events and newest is not None and self.cursor.restart_before(newest)):
            self._collect()
            return True
        self.read += result.events
        if result.gap:
            self.missing += range(result.gap.first, result.gap.last + 1)
        return bool(page)

    def recreate(self) -> None:
        """Read with a new collector, as after a stuck one."""
        self._collect()
        self.cursor.resume()

    def reopen(self) -> None:
        """Continue from the position alone, as a new process does."""
        self._collect()
        self.cursor = Cursor(self.cursor.position)
        if self.server.events:
            self.cursor.restart_before(self.server.events[-1].key)

    def restart(self) -> None:
        """Restart the server, which loses the events not read, and its sessions."""
        self.server.restart()
        self.expected = list(self.read)
        self.reopen()

    def finish(self) -> None:
        """Read what is left, with a new collector and one event more: it shows what is missing before it."""
        self.post([60.0])
        self.recreate()
        while self.advance(3, []):
            pass

    def _collect(self) -> None:
        position = self.cursor.position
        self.server.collect(begin_after(position, BEGIN - DISORDER, BEGIN + datetime.timedelta(days=1)))


Step = Callable[[Reader], object]


def reading(size: int, copies: list[int]) -> Step:
    return lambda reader: reader.advance(size, copies)


def posting(pauses: list[float], step: int = 1) -> Step:
    return lambda reader: reader.post(pauses, step)


def pruning(count: int) -> Step:
    return lambda reader: reader.server.prune(count)


READ = st.builds(reading, st.integers(1, 5), st.lists(st.integers(1, 2), max_size=6))
PAUSES = st.lists(st.sampled_from([0.0, 0.5, 2.0, 60.0]), min_size=1, max_size=8)
POST, POST_SELECTED = st.builds(posting, PAUSES), st.builds(posting, PAUSES, st.integers(1, 3))
PRUNE = st.builds(pruning, st.integers(1, 10))
RECREATE, REOPEN, RESTART = st.just(Reader.recreate), st.just(Reader.reopen), st.just(Reader.restart)


def run(steps: list[Step]) -> Reader:
    """Take *steps* with a reader that has a position, then read what is left."""
    reader = Reader()
    for step in [posting([60.0]), reading(1, []), *steps]:
        step(reader)
    reader.finish()
    return reader


@given(st.lists(st.one_of(POST_SELECTED, READ, RECREATE, REOPEN, RESTART), min_size=3, max_size=20))
def test_every_event_comes_out_once_in_order(steps: list[Step]) -> None:
    reader = run(steps)

    assert reader.read == reader.expected
    assert reader.missing == []


@given(st.lists(st.one_of(POST, READ, RECREATE, REOPEN, PRUNE), min_size=3, max_size=20))
def test_gaps_name_exactly_the_events_that_do_not_come_out(steps: list[Step]) -> None:
    reader = run(steps)

    come_out = {event.key for event in reader.read}
    assert [event.key for event in reader.read] == sorted(come_out)
    assert reader.missing == [event.key for event in reader.expected if event.key not in come_out]
