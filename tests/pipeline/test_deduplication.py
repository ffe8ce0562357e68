"""Events are remembered by (source, id) and handled once, also when duplicates arrive concurrently."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.cloudevents import CloudEvent, create
from pipeline.deduplication import Deduplicator, EventStates
from pipeline.errors import TemporaryError


def event(number: str, source: str = "/a") -> CloudEvent:
    return create({"id": number, "source": source, "type": "t"})


def test_duplicate_gets_the_same_result_and_is_not_handled() -> None:
    handled: list[str] = []

    def handle(one: CloudEvent) -> str:
        handled.append(one["source"] + one["id"])
        return f"result {len(handled)}"

    deduplicator: Deduplicator[str] = Deduplicator(10)
    results = [
        deduplicator.handle_once(event("1"), handle),
        deduplicator.handle_once(event("1"), handle),
        deduplicator.handle_once(event("1", "/b"), handle),
    ]

    assert results == ["result 1", "result 1", "result 2"]
    assert handled == ["/a1", "/b1"]


def test_event_that_failed_is_handled_when_redelivered() -> None:
    outcomes = [TemporaryError("busy"), None]

    def handle(_: CloudEvent) -> str:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        return "done"

    deduplicator: Deduplicator[str] = Deduplicator(10)
    with pytest.raises(TemporaryError):
        deduplicator.handle_once(event("1"), handle)

    assert deduplicator.handle_once(event("1"), handle) == "done"


def test_duplicate_waits_and_other_events_do_not() -> None:
    entered, leave = threading.Event(), threading.Event()
    handled: list[str] = []

    def slow(one: CloudEvent) -> str:
        handled.append(one["id"])
        entered.set()
        assert leave.wait(10)
        return "slow"

    deduplicator: Deduplicator[str] = Deduplicator(10)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(deduplicator.handle_once, event("1"), slow)
        assert entered.wait(10)
        duplicates = [threads.submit(deduplicator.handle_once, event("1"), slow) for _ in range(2)]
        assert deduplicator.handle_once(event("2"), lambda _: "other") == "other"
        assert not any(duplicate.done() for duplicate in duplicates)
        leave.set()

    assert [future.result() for future in (first, *duplicates)] == ["slow"] * 3
    assert handled == ["1"]


def test_size_limits_the_states_and_drops_the_oldest() -> None:
    counts: EventStates[list[int]] = EventStates(2, list)

    for number in ("1", "2", "1", "3", "1", "2"):
        with counts.of(event(number)) as seen:
            seen.append(1)

    with counts.of(event("1")) as one, counts.of(event("2")) as two:
        assert (len(one), len(two)) == (3, 1)


def test_long_ids_are_not_kept() -> None:
    deduplicator: Deduplicator[int] = Deduplicator(100)
    tracemalloc.start()
    for number in range(50):
        assert deduplicator.handle_once(event(f"{number}{'x' * 1_000_000}"), lambda _: 1) == 1
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 10_000_000
