"""The ring as a state machine, against a list of all changes."""

from hypothesis import given
from hypothesis import strategies as st

from functions.display import row
from functions.display.ring import Ring
from tests.support.display import named_event

CAPACITY = 3
CHANGES = st.lists(st.sampled_from([*"abcde", None]), max_size=40)
"""Ids of events that arrive, and None for a rejected request."""


def filled(changes: list[str | None]) -> Ring:
    ring = Ring(CAPACITY, 10_000_000)
    for name in changes:
        if name is None:
            ring.reject()
        else:
            event = named_event(name)
            ring.put(*ring.arrival(event, row.summary(event), {}, 0))
    return ring


def last_changes(changes: list[str | None]) -> dict[str, int]:
    """Return id → revision of the last change, the newest last."""
    last: dict[str, int] = {}
    for revision, name in enumerate(changes, 1):
        if name is not None:
            last.pop(name, None)
            last[name] = revision
    return last


@given(CHANGES)
def test_ring_holds_the_last_changed_events(changes: list[str | None]) -> None:
    ring = filled(changes)

    held = list(last_changes(changes).items())[-CAPACITY:]

    assert [(stored.event["id"], stored.revision) for stored in ring.events()] == held
    assert ring.revision == len(changes)


@given(CHANGES, st.integers(0, 40), st.integers(1, 4))
def test_pages_of_changes_add_up_to_all_changes(changes: list[str | None], since: int, limit: int) -> None:
    ring = filled(changes)

    pages, cursor, complete = [], since, False
    while not complete:
        page, complete = ring.changed_after(cursor, limit)
        pages += [revision for revision, _ in page]
        cursor = page[-1][0] if page else cursor

    assert pages == [stored.revision for stored in ring.events() if stored.revision > since]


@given(CHANGES, st.integers(0, 40), st.integers(1, 4))
def test_older_pages_add_up_to_all_changes(changes: list[str | None], until: int, limit: int) -> None:
    ring = filled(changes)

    pages: list[bytes] = []
    cursor = until
    while cursor:
        rows, cursor = ring.changed_until(cursor, limit)
        pages = rows + pages

    assert pages == [stored.row for stored in ring.events() if stored.revision <= until]


@given(CHANGES, st.integers(0, 40))
def test_viewer_learns_of_every_change_that_it_missed(changes: list[str | None], since: int) -> None:
    ring = filled(changes)
    lost = [revision for revision in list(last_changes(changes).values())[:-CAPACITY] if revision > since]

    assert ring.missed_after(since) >= len(lost)


@given(CHANGES)
def test_size_is_that_of_the_events_held(changes: list[str | None]) -> None:
    ring = filled(changes)

    assert ring.state()["bytes"] == sum(stored.size for stored in ring.events())
