"""The store: what survives a restart, and what is deleted first."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.deadletter.failure import original_event, read_failure
from functions.deadletter.store import DeadLetterStore
from pipeline.cloudevents import CloudEvent
from tests.support.dead_letters import api_client, create, failed_event, listed, only

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def add(store: DeadLetterStore, event: CloudEvent, now: datetime) -> None:
    """Store a failed event."""
    store.add(original_event(event), read_failure(event), now)


def test_dead_letters_in_a_file_survive_the_process(tmp_path: Path) -> None:
    environ = {"DEADLETTER_FILE": str(tmp_path / "dead-letters.sqlite")}
    first = create(environ)
    first.handle(failed_event())
    first.close()

    second = create(environ)

    assert only(second)["id"] == "1"
    second.close()


def test_dropped_ones_are_deleted_before_waiting_ones(capsys: pytest.CaptureFixture[str]) -> None:
    sink = create({"DEADLETTER_EVENTS": "3"})
    for number in ("1", "2", "3"):
        sink.handle(failed_event(number))
    api_client(sink).post("/api/dead-letters/drop", json={"numbers": [2], "reason": "known"})

    sink.handle(failed_event("4"))
    assert [dead_letter["number"] for dead_letter in listed(sink)["deadLetters"]] == [4, 3, 1]
    assert "waiting dead letter deleted" not in capsys.readouterr().out

    sink.handle(failed_event("5"))
    assert [dead_letter["number"] for dead_letter in listed(sink)["deadLetters"]] == [5, 4, 3]
    assert "waiting dead letter deleted" in capsys.readouterr().out


def test_size_of_the_events_is_limited() -> None:
    store = DeadLetterStore(None, 100, 2000, 3600)

    for number in range(9):
        add(store, failed_event(str(number), partitionkey="x" * 500), NOW)

    assert 1 <= store.counts()["waiting"] < 4


def test_handled_ones_beyond_the_age_are_deleted() -> None:
    store = DeadLetterStore(None, 10, 10**6, 3600)
    for number in ("1", "2"):
        add(store, failed_event(number), NOW)
    store.mark_dropped(store.numbered([1])[0], "known", NOW)

    add(store, failed_event("3"), NOW + timedelta(days=31))

    assert [dead_letter.id for dead_letter in store.select()] == ["3", "2"]


def test_jump_of_the_clock_deletes_no_waiting_one() -> None:
    store = DeadLetterStore(None, 100, 10**6, 3600)
    for number in range(20):
        add(store, failed_event(str(number)), NOW)

    add(store, failed_event("20"), NOW + timedelta(days=365))

    assert store.counts()["waiting"] == 21


def test_event_that_fails_again_replaces_what_was_received() -> None:
    store = DeadLetterStore(None, 10, 10**6, 3600)
    add(store, failed_event("1"), NOW)
    [dead_letter], event = store.select(), store.event(1)
    assert event is not None
    other = DeadLetterStore(None, 10, 10**6, 3600)
    assert other.add_received([(dead_letter, event.replace('"Key": 1', '"Key": 2'))], NOW) == 1

    add(other, failed_event("1", arrival="2026-11-20T11:00:00Z"), NOW)

    assert other.event(1) == event


def test_received_ones_never_take_the_place_of_waiting_ones() -> None:
    first, second = (DeadLetterStore(None, 3, 10**6, 3600) for _ in range(2))
    for number in ("1", "2", "3"):
        add(first, failed_event(number), NOW + timedelta(hours=1))
        add(second, failed_event(f"1{number}"), NOW)
    second.mark_dropped(second.numbered([1])[0], "known", NOW)
    received = [(dead_letter, first.event(dead_letter.number) or "") for dead_letter in first.select()]

    assert second.add_received(received, NOW) == 1

    assert {dead_letter.id for dead_letter in second.select()} == {"12", "13", "3"}
