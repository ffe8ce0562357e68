"""Opening the output again, after its lease was lost: nothing is sent twice, and no report is lost."""

import datetime
import threading
from collections.abc import Callable, Iterator

import pytest

from delivery.checkpoint_writer import Destination
from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Delivery, Rejection
from delivery.progress import Progress
from delivery.settings import CheckpointSettings, SinkSettings
from delivery.stores import MemoryStore, StoreUnavailable
from functions.poller.checkpoint import VCenterCheckpoint
from pipeline import status_events
from pipeline.cloudevents import create
from pipeline.settings import read
from pipeline.status_events import StatusEvents
from tests.support.recorder import OK, Recorder, Response
from tests.support.waiting import wait_until
from vsphere.event import Position

FORMAT = VCenterCheckpoint("https://vcenter.example/sdk")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


class UnreliableStore(MemoryStore):
    """A store that saves nothing, or whose response to a save is lost."""

    takes: Callable[[], bool] = staticmethod(lambda: False)

    def save(self, record: str) -> None:
        """Fail, and save *record* nevertheless if `takes` returns True."""
        if self.takes():
            super().save(record)
        raise StoreUnavailable("save: no response")


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def store() -> UnreliableStore:
    return UnreliableStore()


Make = Callable[..., CheckpointedSink[Position]]


@pytest.fixture
def make(receiver: Recorder, store: UnreliableStore) -> Iterator[Make]:
    opened: list[CheckpointedSink[Position]] = []

    def output(at_most_once: bool = False) -> CheckpointedSink[Position]:
        sink = read(SinkSettings, {"K_SINK": receiver.url, "SINK_BACKOFF_MAX": "10ms", "SINK_MAX_IN_FLIGHT": "1"})
        checkpoint = read(CheckpointSettings, {"CHECKPOINT_PERIOD": "10ms"})
        destination = Destination(sink, checkpoint, store, FORMAT, StatusEvents("/test"), at_most_once)
        opened.append(CheckpointedSink(destination, Progress[Position]()))
        return opened[-1]

    yield output
    for one in opened:
        one.close(0)


def place(key: int) -> Position:
    return Position(key, NOW, "VmPoweredOnEvent")


def deliver(output: CheckpointedSink[Position], key: int) -> None:
    sink = output.open()
    sink.send([Delivery(create({"type": "t", "source": "s", "id": str(key)}, b""), "", place(key))])
    assert sink.in_flight.wait_idle(5)
    output._progress.position = place(key)


def open_again(output: CheckpointedSink[Position]) -> Position | None:
    """Open *output* as after a lost lease, and return the position after which reading continues."""
    output.open().close(0)
    output.open()
    return output._progress.position


def test_save_without_a_response_has_nothing_sent_again(make: Make, store: UnreliableStore) -> None:
    output = make()
    store.takes = lambda: "1" not in (store.load() or "")
    deliver(output, 1)
    wait_until(lambda: store.load() is not None)
    deliver(output, 2)
    assert open_again(output) == place(2)


def test_second_lost_lease_has_nothing_sent_again(make: Make) -> None:
    output = make()
    deliver(output, 1)
    assert [open_again(output), open_again(output)] == [place(1), place(1)]


@pytest.mark.parametrize("at_most_once", [False, True])
def test_checkpoint_of_another_poller_decides(make: Make, store: UnreliableStore, at_most_once: bool) -> None:
    """With at-most-once delivery, nobody knows which events the other one attempted, so reading begins now."""
    output = make(at_most_once)
    deliver(output, 1)
    MemoryStore.save(store, FORMAT.encode(place(7), NOW))
    assert open_again(output) == (None if at_most_once else place(7))
    assert output._progress.begin is None


def test_report_that_was_not_acknowledged_is_made_again(make: Make, receiver: Recorder) -> None:
    def reports() -> list[bool]:
        sent = [request for request in receiver.requests if request.headers["ce-type"] == status_events.UNDELIVERABLE]
        return [b'"count":3' in request.body.replace(b" ", b"") for request in sent]

    receiver.respond = lambda _: Response(503)
    output = make()
    counts = output._progress.counts
    counts.dropped, counts.last_rejection = 3, Rejection("7", "t", "POST returned 400")
    output.open()
    wait_until(lambda: len(reports()) > 0)
    receiver.respond = lambda _: OK
    open_again(output)
    wait_until(lambda: receiver.accepted != [])
    assert all(reports())
    assert output.sink is not None
    assert output.sink.in_flight.wait_idle(5)
    before = len(reports())
    open_again(output)
    output.close(5)
    assert len(reports()) == before


def test_full_sink_does_not_hold_up_the_renewal_of_the_lease(make: Make, receiver: Recorder) -> None:
    receiver.respond = lambda _: Response(503)
    output = make()
    output.open().send([Delivery(create({"type": "t", "source": "s", "id": "1"}, b""), "", place(1))])
    counts = output._progress.counts
    counts.dropped, counts.last_rejection = 1, Rejection("7", "t", "POST returned 400")
    assert output._writer is not None
    reporting = threading.Thread(target=output._writer.report_undeliverable, daemon=True)
    reporting.start()
    reporting.join(2)
    assert not reporting.is_alive()
    assert output.pending == 2
