"""The cursor against any history: each event once, oldest first, in questions of bounded size and number."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.horizon.cursor import FIRST_SIZE, OVERLAP_MS, Cursor, Placed, Position, Query
from functions.horizon.errors import HorizonUnavailable
from functions.horizon.event import HorizonEvent, from_item
from tests.support.horizon import event, select

NOW = 1_700_000_000_000


def parameters(query: Query) -> dict[str, str]:
    page = {"size": str(query.size), "page": str(query.page)}
    if query.newest_only:
        return page
    return {"filter": f'{{"fromValue": {query.begin_ms}, "toValue": {query.end_ms}}}', **page}


def ask(cursor: Cursor, history: list[dict[str, Any]], max_size: int = 1000) -> list[Placed]:
    """Ask the next question, and return what is new in the answer."""
    query = cursor.next_query(NOW)
    page, more = select(history, parameters(query), max_size)
    return cursor.advance(query, [from_item(item) for item in page], more)


def drain(cursor: Cursor, history: list[dict[str, Any]], max_size: int = 1000) -> tuple[list[Placed], int]:
    """Ask until the present is reached. Return what is new, and the number of questions."""
    placed = ask(cursor, history, max_size)
    questions = 1
    while cursor.is_behind:
        placed += ask(cursor, history, max_size)
        questions += 1
    return placed, questions


def ids(placed: list[Placed]) -> list[int]:
    return [entry.event.id for entry in placed]


def histories(max_ms: int = 5_000_000) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Histories, with many events of the same millisecond."""
    times = st.one_of(st.integers(0, 5), st.integers(0, max_ms))
    return st.lists(times, max_size=60).map(
        lambda drawn: [event(number, NOW - max_ms + time) for number, time in enumerate(drawn, 1)]
    )


@given(histories(), st.integers(1, 7))
def test_every_event_comes_once_oldest_first(history: list[dict[str, Any]], max_size: int) -> None:
    cursor = Cursor(Position(0))
    placed, questions = drain(cursor, history, max_size)
    assert ids(placed) == [item["id"] for item in sorted(history, key=lambda item: (item["time"], item["id"]))]
    assert questions <= 10 + 50 * len(history)
    assert ids(drain(cursor, history, max_size)[0]) == []


@given(histories(), st.integers(1, 7), st.integers(0, 59))
def test_restart_anywhere_continues_without_loss_or_repetition(
    history: list[dict[str, Any]], max_size: int, taken: int
) -> None:
    placed, _ = drain(Cursor(Position(0)), history, max_size)
    before = placed[: taken + 1]
    position = before[-1].position if before else Position(0)
    after, _ = drain(Cursor(position), history, max_size)
    assert ids(before) + ids(after) == ids(placed)


@given(histories(), st.lists(st.integers(1, 9), min_size=1))
def test_page_size_may_change_between_questions(history: list[dict[str, Any]], sizes: list[int]) -> None:
    cursor, placed = Cursor(Position(0)), list[Placed]()
    for size in itertools.cycle(sizes):
        query = cursor.next_query(NOW, size)
        page, more = select(history, parameters(query), 1000)
        placed += cursor.advance(query, [from_item(item) for item in page], more)
        if not cursor.is_behind:
            break
    assert sorted(ids(placed)) == [item["id"] for item in history]


@settings(max_examples=50)
@given(histories().filter(bool), st.lists(st.integers(0, OVERLAP_MS), max_size=10), st.integers(1, 7))
def test_event_that_is_stored_late_comes_too(history: list[dict[str, Any]], delays: list[int], max_size: int) -> None:
    cursor = Cursor(Position(0))
    drain(cursor, history, max_size)
    newest = max(item["time"] for item in history)
    late = [event(1000 + number, newest - delay) for number, delay in enumerate(delays)]
    placed, _ = drain(cursor, [*history, *late], max_size)
    assert sorted(ids(placed)) == [item["id"] for item in late]
    assert all(entry.position.time_ms == newest for entry in placed)


def test_history_without_checkpoint_begins_with_the_newest_ten() -> None:
    history = [event(number, NOW + number) for number in range(25)]
    cursor = Cursor(None)
    assert ids(ask(cursor, history)) == list(range(15, 25))
    assert cursor.start == Position(NOW + 15)
    history.append(event(25, NOW + 25))
    assert ids(ask(cursor, history)) == [25]
    assert FIRST_SIZE == 10


def test_first_event_of_an_empty_history_comes() -> None:
    cursor = Cursor(None)
    assert ask(cursor, []) == []
    assert ids(ask(cursor, [event(number, NOW + number) for number in range(15)])) == list(range(15))


def test_large_backlog_takes_few_questions() -> None:
    history = [event(number, NOW - 86_400_000 + number * 1000) for number in range(20_000)]
    placed, questions = drain(Cursor(Position(NOW - 86_400_000)), history)
    assert ids(placed) == list(range(20_000))
    assert questions < 80  # 40 pages


@pytest.mark.parametrize("page", [[from_item(event(1, NOW))], []], ids=["other events", "no events"])
def test_server_that_ignores_the_period_is_an_error(page: list[HorizonEvent]) -> None:
    cursor = Cursor(Position(NOW - 5))
    if page:
        assert cursor.advance(cursor.next_query(NOW), page, has_more=True) == []
    with pytest.raises(HorizonUnavailable, match="none of the period"):
        cursor.advance(cursor.next_query(NOW), page, has_more=True)


def test_events_outside_of_the_period_are_ignored() -> None:
    cursor = Cursor(Position(NOW))
    query = cursor.next_query(NOW)
    stray = [from_item(event(1, query.begin_ms - 1)), from_item(event(2, query.end_ms + 1))]
    assert cursor.advance(query, stray, has_more=False) == []


def test_position_grows_with_the_events_of_its_time() -> None:
    first = Position(5, frozenset({1}))
    assert first.after(from_item(event(2, 5))) == Position(5, frozenset({1, 2}))
    assert first.after(from_item(event(3, 6))) == Position(6, frozenset({3}))
    assert first.after(from_item(event(4, 4))) == first
