"""Delivery to a real HTTP server: order, retries, dead letters, resending, limits, acknowledged positions."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.dispatcher import Delivery, Dispatcher
from delivery.in_flight import SinkClosed
from delivery.retry import MAX_DROPS_IN_A_ROW
from delivery.settings import SinkSettings
from delivery.sink import Sink
from pipeline.cloudevents import CloudEvent, create
from pipeline.settings import read
from tests.support.flood import flood, memory_peak
from tests.support.recorder import OK, Recorder, Response
from tests.support.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def sinks() -> Iterator[Any]:
    opened: list[Sink[int]] = []

    def make(url: str, at_most_once: bool = False, **more: str) -> Sink[int]:
        environ = {"K_SINK": url, "SINK_BACKOFF": "10ms", "SINK_BACKOFF_MAX": "50ms", **more}
        opened.append(Sink(read(SinkSettings, environ), at_most_once))
        return opened[-1]

    yield make
    for sink in opened:
        sink.close(0)


def deliveries(count: int, entities: int = 7, start: int = 0) -> list[Delivery[int]]:
    return [
        Delivery(
            create({"type": "t", "source": "s", "id": str(number), "datacontenttype": "text/plain"}, b"data"),
            f"entity-{number % entities}",
            number,
        )
        for number in range(start, start + count)
    ]


@pytest.mark.parametrize("status", [301, 405, 400])
def test_gateway_that_rejects_all_does_not_drain_the_history(sinks: Any, receiver: Recorder, status: int) -> None:
    receiver.respond = lambda _: Response(status, headers={"Location": "/elsewhere"})
    sink = sinks(receiver.url)
    sink.send(deliveries(200))
    wait_until(lambda: sink.counts.retries > 100)
    receiver.respond = lambda _: OK
    assert sink.in_flight.wait_idle(10)
    assert sink.counts.dropped <= MAX_DROPS_IN_A_ROW
    assert sink.counts.sent + sink.counts.dropped == 200


def test_unexpected_error_of_a_delivery_is_retried(
    sinks: Any, receiver: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [RuntimeError("once")]

    async def deliver(self: Dispatcher, event: CloudEvent) -> float | None:
        if errors:
            raise errors.pop()
        return await unchanged(self, event)

    unchanged = Dispatcher.deliver
    monkeypatch.setattr(Dispatcher, "deliver", deliver)
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    sink.send(deliveries(10))
    assert sink.in_flight.wait_idle(10)
    assert receiver.ids == list(range(10))


def test_event_that_cannot_be_encoded_is_dropped_alone(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    odd = CloudEvent({"specversion": "1.0", "id": "1", "type": "t", "source": "s", "odd": None}, b"")  # type: ignore[dict-item]
    sink.send([Delivery(odd, "entity", 1), *deliveries(1, start=2)])
    assert sink.in_flight.wait_idle(10)
    assert receiver.ids == [2]
    assert sink.counts.dropped == 1


@pytest.mark.parametrize(("status", "sent"), [(202, 1), (503, 0)])
def test_large_body_of_a_response_takes_little_memory(sinks: Any, status: int, sent: int) -> None:
    with flood(status, megabytes=200) as url:
        sink = sinks(url)
        with memory_peak() as peak:
            sink.send(deliveries(1))
            wait_until(lambda: sink.counts.sent + sink.counts.retries)
    assert sink.counts.sent == sent
    assert peak[0] < 10_000_000


def test_everything_arrives_once_and_in_order_for_every_entity(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url)
    sink.send(deliveries(500))
    assert sink.in_flight.wait_idle(10)
    by_entity: dict[int, list[int]] = defaultdict(list)
    for key in receiver.ids:
        by_entity[key % 7].append(key)
    assert sorted(receiver.ids) == list(range(500))
    assert all(keys == sorted(keys) for keys in by_entity.values())
    assert sink.in_flight.acknowledged == 499
    assert sink.counts.sent == 500


@pytest.mark.parametrize("status", [503, 0])
def test_temporary_failure_is_retried(sinks: Any, receiver: Recorder, status: int) -> None:
    receiver.respond = lambda request: Response(status) if len(receiver.requests) < 3 else OK
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    sink.send(deliveries(1))
    assert sink.in_flight.wait_idle(10)
    assert [request.status for request in receiver.requests] == [status, status, status, 202]
    assert sink.counts.retries == 3


@pytest.mark.parametrize("status", [410, 400])
def test_permanent_failure_does_not_block_other_events(
    sinks: Any, receiver: Recorder, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.respond = lambda request: Response(status) if request.id == "1" else OK
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    sink.send(deliveries(3))
    assert sink.in_flight.wait_idle(10)
    assert receiver.ids == [0, 2]
    assert sink.in_flight.acknowledged == 2
    assert sink.counts.dropped == 1
    assert "'id': '1'" in capsys.readouterr().out  # logged in full


def test_event_goes_to_the_dead_letter_sink_after_its_attempts(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(500) if request.id == "1" else OK
    with Recorder() as dead_letters:
        sink = sinks(receiver.url, DEAD_LETTER_SINK=dead_letters.url, SINK_MAX_ATTEMPTS="4")
        sink.send(deliveries(3))
        assert sink.in_flight.wait_idle(10)
        assert dead_letters.ids == [1]
        assert sum(request.id == "1" for request in receiver.requests) == 4
    assert sorted(receiver.ids) == [0, 2]
    assert sink.counts.dead_lettered == 1


def test_sink_that_is_down_is_retried_despite_a_dead_letter_sink(sinks: Any) -> None:
    with Recorder() as stopped:
        port = stopped.port
    with Recorder() as dead_letters:
        sink = sinks(f"http://127.0.0.1:{port}/", DEAD_LETTER_SINK=dead_letters.url, SINK_MAX_ATTEMPTS="2")
        sink.send(deliveries(20))
        assert not sink.in_flight.wait_idle(0.5)
        assert "Connect" in sink.failing
        with Recorder(port=port) as back:
            assert sink.in_flight.wait_idle(10)
            assert sorted(back.ids) == list(range(20))
        assert dead_letters.requests == []
    assert sink.failing == ""


def test_retry_after_is_honoured(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: OK if receiver.requests else Response(429, headers={"Retry-After": "1"})
    sink = sinks(receiver.url)
    sink.send(deliveries(1))
    assert sink.in_flight.wait_idle(10)
    first, second = receiver.requests
    assert second.at - first.at >= 1


def test_request_without_a_response_is_retried(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: OK if receiver.requests else Response(202, after_seconds=5)
    sink = sinks(receiver.url, SINK_TIMEOUT="200ms")
    started = time.monotonic()
    sink.send(deliveries(1))
    assert sink.in_flight.wait_idle(10)
    assert time.monotonic() - started < 4
    assert len(receiver.requests) == 2


# ── a sink that fails with acknowledged events in its memory ──


def fail_after(receiver: Recorder, sink: Sink[int], response: Response, count: int = 10) -> None:
    """Acknowledge *count* events, then fail the next one once with *response*, and acknowledge its retry."""
    sink.send(deliveries(count))
    assert sink.in_flight.wait_idle(10)
    receiver.respond = lambda request: OK if len(receiver.requests) > count else response
    sink.send(deliveries(1, start=count))
    assert sink.in_flight.wait_idle(10)
    assert sink.in_flight.acknowledged == count


@pytest.mark.parametrize("response", [Response(503), Response(202, after_seconds=2)])
def test_events_acknowledged_before_an_outage_are_resent(sinks: Any, receiver: Recorder, response: Response) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s", SINK_TIMEOUT="1s")
    fail_after(receiver, sink, response)
    arrivals = Counter(int(request.id) for request in receiver.requests)
    assert arrivals == dict.fromkeys(range(11), 2)
    assert sink.counts.resent == 10


@pytest.mark.parametrize("response", [Response(429), Response(0)])
def test_nothing_is_resent_if_only_the_ingress_fails(sinks: Any, receiver: Recorder, response: Response) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s")
    fail_after(receiver, sink, response)
    assert sorted(receiver.ids) == list(range(11))


@pytest.mark.parametrize(("at_most_once", "settings"), [(False, {}), (True, {"SINK_RESEND": "5s"})])
def test_nothing_is_resent_by_default_or_at_most_once(
    sinks: Any, receiver: Recorder, at_most_once: bool, settings: dict[str, str]
) -> None:
    sink = sinks(receiver.url, at_most_once=at_most_once, **settings)
    fail_after(receiver, sink, Response(503))
    assert Counter(receiver.ids).most_common(1)[0][1] == 1


def test_events_acknowledged_long_before_are_not_resent(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url, SINK_RESEND="200ms")
    sink.send(deliveries(10, start=100))
    assert sink.in_flight.wait_idle(10)
    time.sleep(0.3)
    receiver.requests.clear()
    fail_after(receiver, sink, Response(503))
    assert set(receiver.ids) == set(range(11))


def test_unreliable_sink_gets_each_event_at_most_twice(sinks: Any, receiver: Recorder) -> None:
    chance = random.Random(3)
    receiver.respond = lambda request: Response(503) if chance.random() < 0.3 else OK
    sink = sinks(receiver.url, SINK_RESEND="60s")
    sink.send(deliveries(500))
    assert sink.in_flight.wait_idle(20)
    arrivals = Counter(receiver.ids)
    assert set(arrivals) == set(range(500))
    assert max(arrivals.values()) == 2
    assert sum(arrivals.values()) == 500 + sink.counts.resent


def test_resent_events_hold_the_acknowledged_position(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s", SINK_CONCURRENCY="1")
    sink.send(deliveries(3, entities=1))
    assert sink.in_flight.wait_idle(10)
    receiver.respond = lambda request: Response(503) if request.id in "13" else OK
    sink.send(deliveries(1, entities=1, start=3))
    wait_until(lambda: len(sink.in_flight) == 5)  # the outage itself, and 0 to 2 again
    assert sink.in_flight.acknowledged == 2
    receiver.respond = lambda request: Response(503) if request.id == "1" else OK
    # In flight are 1 and 2 again, the outage that 1 began, and 3 again.
    wait_until(lambda: (sink.in_flight.acknowledged, len(sink.in_flight)) == (3, 4))
    receiver.respond = lambda request: OK
    assert sink.in_flight.wait_idle(10)
    assert receiver.ids == [0, 1, 2, 3, 0, 1, 2, 3]


def test_reader_waits_while_too_many_are_in_flight(sinks: Any, receiver: Recorder) -> None:
    gate = threading.Event()
    receiver.respond = lambda request: OK if gate.is_set() else Response(503)
    sink = sinks(receiver.url, SINK_MAX_IN_FLIGHT="50")
    reader = threading.Thread(target=sink.send, args=(deliveries(200),))
    reader.start()
    wait_until(lambda: len(receiver.requests) > 30)
    assert reader.is_alive()
    assert len(sink.in_flight) <= 50
    gate.set()
    reader.join(10)
    assert sink.in_flight.wait_idle(10)
    assert sorted(receiver.ids) == list(range(200))


def test_acknowledged_position_stays_before_the_open_event(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503) if request.id == "3" else OK
    sink = sinks(receiver.url)
    sink.send(deliveries(10, entities=10))
    wait_until(lambda: len(receiver.accepted) == 9)
    sink.in_flight.wait_beyond(None, 5)
    while sink.in_flight.acknowledged != 2:  # its three acknowledgements come one by one
        sink.in_flight.wait_beyond(sink.in_flight.acknowledged, 5)
    wait_until(lambda: sum(request.id == "3" for request in receiver.requests) > 5)
    assert (sink.in_flight.acknowledged, len(sink.in_flight)) == (2, 7)


def test_close_delivers_the_events_in_flight(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(202, after_seconds=0.3)
    sink = sinks(receiver.url)
    sink.send(deliveries(10))
    sink.close(10)
    assert sink.in_flight.acknowledged == 9
    with pytest.raises(SinkClosed):
        sink.send(deliveries(1))


def test_close_ends_in_time_if_the_sink_fails(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503)
    sink = sinks(receiver.url, SINK_BACKOFF="30s", SINK_BACKOFF_MAX="30s")
    sink.send(deliveries(10))
    started = time.monotonic()
    sink.close(0.2)
    assert time.monotonic() - started < 3
    assert sink.in_flight.acknowledged is None


def test_at_most_once_attempts_once(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503)
    sink = sinks(receiver.url, at_most_once=True)
    sink.send(deliveries(3))
    assert sink.in_flight.wait_idle(5)
    assert len(receiver.requests) == 3


def test_overrides_replace_an_attribute(sinks: Any, receiver: Recorder) -> None:
    event = create({"type": "t", "source": "s", "id": "1", "site": "here", "datacontenttype": "application/json"}, {})
    sink = sinks(receiver.url, K_CE_OVERRIDES='{"extensions":{"site":"Zürich"}}')
    sink.send([Delivery(event, "", 1)])
    assert sink.in_flight.wait_idle(5)
    [request] = receiver.requests
    assert request.headers["ce-site"] == "Z%C3%BCrich"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["ce-specversion"] == "1.0"
