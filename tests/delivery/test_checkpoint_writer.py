"""The reports of undeliverable events, and the checkpoint at the start. `test_poller` has the rest as a whole."""

from pathlib import Path

import pytest

from delivery.checkpoint_writer import load_checkpoint
from delivery.dispatcher import Counts
from delivery.lease import LeaseHeld
from delivery.progress import REPORT_SECONDS, UndeliverableReport
from delivery.stores import FileStore, MemoryStore
from functions.poller.checkpoint import VCenterCheckpoint

FORMAT = VCenterCheckpoint("https://vcenter.example/sdk")


def record(vcenter: str) -> str:
    return f'{{"vCenter":"{vcenter}","lastEventKey":7,"lastEventKeyTimestamp":"2026-01-02T03:04:05Z"}}'


def test_undeliverable_events_are_reported_at_once_then_rarely() -> None:
    counts = Counts(dead_lettered=5)
    report = UndeliverableReport(counts)
    assert report.due(0) == 0
    counts.dead_lettered += 1
    assert report.due(1) == 1
    assert report.due(2) == 1
    report.confirm(1, 2, 0)
    counts.dropped += 3
    assert report.due(3) == 0
    assert report.due(2 + REPORT_SECONDS) == 3
    report.confirm(3, 2 + REPORT_SECONDS, 1)
    assert report.due(3 + 2 * REPORT_SECONDS) == 0


def test_report_lost_with_its_sink_is_due_again() -> None:
    counts = Counts()
    report = UndeliverableReport(counts)
    for number, count in ((4, 1), (9, 2)):
        counts.dropped += count
        report.confirm(report.due(number * REPORT_SECONDS), number * REPORT_SECONDS, number)
    report.retract(lambda number: number == 9)
    assert report.due(9 * REPORT_SECONDS) == 2
    report.confirm(2, 9 * REPORT_SECONDS, 0)
    report.retract(lambda number: number != 0)
    counts.dropped += 1
    assert report.due(9 * REPORT_SECONDS) == 0


@pytest.mark.parametrize("vcenter", ["vcenter.example", ""])
def test_checkpoint_of_the_vcenter_is_loaded(vcenter: str) -> None:
    store = MemoryStore()
    store.save(record(vcenter))
    checkpoint = load_checkpoint(store, FORMAT)
    assert checkpoint is not None
    assert checkpoint.position is not None
    assert checkpoint.position.key == 7


@pytest.mark.parametrize("text", [record("another.example"), "not JSON"])
def test_unusable_checkpoint_is_set_aside(text: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_text(text)
    store = FileStore(path)
    assert load_checkpoint(store, FORMAT) is None
    assert (tmp_path / "checkpoint.json.unreadable").read_text().strip() == text
    store.release()


def test_checkpoint_in_use_is_not_loaded(tmp_path: Path) -> None:
    first, second = FileStore(tmp_path / "checkpoint.json"), FileStore(tmp_path / "checkpoint.json")
    first.acquire()
    with pytest.raises(LeaseHeld):
        load_checkpoint(second, FORMAT)
    first.release()
