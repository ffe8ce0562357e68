"""The dead-letter sink: what happens with each event that arrives."""

from pathlib import Path

import pytest

from functions.deadletter.sink import DeadLetterSink
from functions.deadletter.store import DeadLetterStore
from pipeline.errors import SettingsError, TemporaryError
from tests.support.dead_letters import VCENTER, create, failed_event, listed, only


def test_same_failure_delivered_three_times_counts_once() -> None:
    sink = create({})

    for _ in range(3):
        sink.handle(failed_event())

    assert only(sink)["failures"] == 1


def test_event_that_fails_at_two_subscribers_is_two_dead_letters() -> None:
    sink = create({})

    sink.handle(failed_event())
    sink.handle(failed_event(knativeerrordest="http://notify.vcenter-events.svc"))

    assert listed(sink)["counts"]["waiting"] == 2


def test_event_without_a_reason_is_stored() -> None:
    sink = create({})

    sink.handle(failed_event(knativeerrordest="", knativeerrorcode="", knativeerrordata=""))

    assert [only(sink)[name] for name in ("destination", "code", "response")] == ["", None, ""]


def test_event_that_cannot_be_stored_is_logged_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    store = DeadLetterStore(None, 10, 10**6, 3600)
    sink = DeadLetterSink(store, None)
    store.close()

    sink.handle(failed_event())

    logged = capsys.readouterr().out
    assert VCENTER in logged
    assert "Key" in logged
    assert sink.counts.unstored.value() == 1


def test_event_during_shutdown_is_left_to_the_next_pod() -> None:
    sink = create({})
    sink.close()

    with pytest.raises(TemporaryError, match="the next one stores"):
        sink.handle(failed_event())


def test_file_that_is_not_a_database_is_rejected_at_start(tmp_path: Path) -> None:
    path = tmp_path / "dead-letters.sqlite"
    path.write_text("not a database, and longer than the header of one, which has a hundred bytes" * 9)

    with pytest.raises(SettingsError, match=r"DEADLETTER_FILE is .*dead-letters\.sqlite, which cannot be opened"):
        create({"DEADLETTER_FILE": str(path)})
