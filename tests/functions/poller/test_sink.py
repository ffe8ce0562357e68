"""Delivery to a real HTTP server: order, retries, refusals, back-pressure, and what is acknowledged."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from functions.poller.settings import SinkSettings
from functions.poller.sink import Delivery, Sink, SinkClosed, binary_headers, header_value
from pipeline.cloudevents import create
from pipeline.settings import read
from tests.support.recorder import OK, Recorder, Response
from tests.support.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def sinks() -> Iterator[Any]:
    made: list[Sink[int]] = []

    def make(url: str, at_most_once: bool = False, **more: str) -> Sink[int]:
        environ = {"K_SINK": url, "SINK_BACKOFF": "10ms", "SINK_BACKOFF_MAX": "50ms", **more}
        made.append(Sink(read(SinkSettings, environ), at_most_once))
        return made[-1]

    yield make
    for sink in made:
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


def test_everything_arrives_once_and_in_order_for_every_entity(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url)
    sink.send(deliveries(500))
    assert sink.wait_idle(10)
    by_entity: dict[int, list[int]] = defaultdict(list)
    for key in receiver.ids:
        by_entity[key % 7].append(key)
    assert sorted(receiver.ids) == list(range(500))
    assert all(keys == sorted(keys) for keys in by_entity.values())
    assert sink.acknowledged == 499
    assert sink.counts.sent == 500


@pytest.mark.parametrize("status", [401, 404, 408, 429, 500, 503, 0])
def test_what_the_sink_cannot_take_now_is_tried_again(sinks: Any, receiver: Recorder, status: int) -> None:
    receiver.respond = lambda request: Response(status) if len(receiver.requests) < 3 else OK
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    sink.send(deliveries(1))
    assert sink.wait_idle(10)
    assert [request.status for request in receiver.requests] == [status, status, status, 202]
    assert sink.counts.retried == 3


@pytest.mark.parametrize("status", [301, 400, 405, 413, 415, 422])
def test_what_the_sink_refuses_for_good_does_not_block_the_rest(
    sinks: Any, receiver: Recorder, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.respond = lambda request: Response(status) if request.id == "1" else OK
    sink = sinks(receiver.url, SINK_CONCURRENCY="1")
    sink.send(deliveries(3))
    assert sink.wait_idle(10)
    assert receiver.ids == [0, 2]
    assert sink.acknowledged == 2
    assert sink.counts.refused == 1
    assert "'id': '1'" in capsys.readouterr().out  # logged whole


def test_poison_event_goes_to_the_dead_letter_sink_after_its_tries(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(500) if request.id == "1" else OK
    with Recorder() as dead_letters:
        sink = sinks(receiver.url, DEAD_LETTER_SINK=dead_letters.url, SINK_MAX_ATTEMPTS="4")
        sink.send(deliveries(3))
        assert sink.wait_idle(10)
        assert dead_letters.ids == [1]
        assert sum(request.id == "1" for request in receiver.requests) == 4
    assert sorted(receiver.ids) == [0, 2]
    assert sink.counts.dead_lettered == 1


def test_sink_that_is_down_is_waited_for_even_with_a_dead_letter_sink(sinks: Any) -> None:
    with Recorder() as gone:
        port = gone.port
    with Recorder() as dead_letters:
        sink = sinks(f"http://127.0.0.1:{port}/", DEAD_LETTER_SINK=dead_letters.url, SINK_MAX_ATTEMPTS="2")
        sink.send(deliveries(20))
        assert not sink.wait_idle(0.5)
        assert "refused" in sink.failing or "Connect" in sink.failing
        with Recorder(port=port) as back:
            assert sink.wait_idle(10)
            assert sorted(back.ids) == list(range(20))
        assert dead_letters.requests == []
    assert sink.failing == ""


def test_retry_after_is_honoured(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: OK if receiver.requests else Response(429, headers={"Retry-After": "1"})
    sink = sinks(receiver.url)
    sink.send(deliveries(1))
    assert sink.wait_idle(10)
    first, second = receiver.requests
    assert second.at - first.at >= 1


def test_answer_that_does_not_come_is_given_up_and_tried_again(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: OK if receiver.requests else Response(202, after_seconds=5)
    sink = sinks(receiver.url, SINK_TIMEOUT="200ms")
    started = time.monotonic()
    sink.send(deliveries(1))
    assert sink.wait_idle(10)
    assert time.monotonic() - started < 4
    assert len(receiver.requests) == 2


# ── a sink that breaks with acknowledged events in its memory ──


def break_after(receiver: Recorder, sink: Sink[int], answer: Response, count: int = 10) -> None:
    """Have *count* events taken, then *answer* once to the next one, and that one taken too."""
    sink.send(deliveries(count))
    assert sink.wait_idle(10)
    receiver.respond = lambda request: OK if len(receiver.requests) > count else answer
    sink.send(deliveries(1, start=count))
    assert sink.wait_idle(10)
    assert sink.acknowledged == count


@pytest.mark.parametrize("answer", [Response(500), Response(502), Response(503), Response(202, after_seconds=2)])
def test_what_the_sink_took_before_it_broke_is_sent_again(sinks: Any, receiver: Recorder, answer: Response) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s", SINK_TIMEOUT="1s")
    break_after(receiver, sink, answer)
    came = Counter(int(request.id) for request in receiver.requests)
    assert came == dict.fromkeys(range(11), 2)
    assert sink.counts.resent == 10


@pytest.mark.parametrize("answer", [Response(404), Response(429), Response(0)])
def test_sink_whose_front_only_is_closed_has_lost_nothing(sinks: Any, receiver: Recorder, answer: Response) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s")
    break_after(receiver, sink, answer)
    assert sorted(receiver.ids) == list(range(11))


@pytest.mark.parametrize(("at_most_once", "settings"), [(False, {}), (True, {"SINK_RESEND": "5s"})])
def test_nothing_is_sent_again_unless_asked_for_or_where_once_is_all(
    sinks: Any, receiver: Recorder, at_most_once: bool, settings: dict[str, str]
) -> None:
    sink = sinks(receiver.url, at_most_once=at_most_once, **settings)
    break_after(receiver, sink, Response(503))
    assert Counter(receiver.ids).most_common(1)[0][1] == 1


def test_what_the_sink_took_long_before_it_broke_is_not_sent_again(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url, SINK_RESEND="200ms")
    sink.send(deliveries(10, start=100))
    assert sink.wait_idle(10)
    time.sleep(0.3)
    receiver.requests.clear()
    break_after(receiver, sink, Response(503))
    assert set(receiver.ids) == set(range(11))


def test_sink_that_fails_now_and_then_gets_no_flood(sinks: Any, receiver: Recorder) -> None:
    chance = random.Random(3)
    receiver.respond = lambda request: Response(503) if chance.random() < 0.3 else OK
    sink = sinks(receiver.url, SINK_RESEND="60s")
    sink.send(deliveries(500))
    assert sink.wait_idle(20)
    came = Counter(receiver.ids)
    assert set(came) == set(range(500))
    assert max(came.values()) == 2
    assert sum(came.values()) == 500 + sink.counts.resent


def test_what_is_sent_again_holds_the_acknowledged_position(sinks: Any, receiver: Recorder) -> None:
    sink = sinks(receiver.url, SINK_RESEND="5s", SINK_CONCURRENCY="1")
    sink.send(deliveries(3, entities=1))
    assert sink.wait_idle(10)
    receiver.respond = lambda request: Response(503) if request.id in "13" else OK
    sink.send(deliveries(1, entities=1, start=3))
    wait_until(lambda: sink.pending == 5)  # the break itself, and 0 to 2 again
    assert sink.acknowledged == 2
    receiver.respond = lambda request: Response(503) if request.id == "1" else OK
    wait_until(lambda: (sink.acknowledged, sink.pending) == (3, 4))  # 1 and 2 again, the break by 1, 3 again
    receiver.respond = lambda request: OK
    assert sink.wait_idle(10)
    assert receiver.ids == [0, 1, 2, 3, 0, 1, 2, 3]


def test_full_window_holds_the_reader_back(sinks: Any, receiver: Recorder) -> None:
    gate = threading.Event()
    receiver.respond = lambda request: OK if gate.is_set() else Response(503)
    sink = sinks(receiver.url, SINK_MAX_IN_FLIGHT="50")
    reader = threading.Thread(target=sink.send, args=(deliveries(200),))
    reader.start()
    wait_until(lambda: len(receiver.requests) > 30)
    assert reader.is_alive()
    assert sink.pending <= 50
    gate.set()
    reader.join(10)
    assert sink.wait_idle(10)
    assert sorted(receiver.ids) == list(range(200))


def test_acknowledged_position_stays_before_the_open_event(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503) if request.id == "3" else OK
    sink = sinks(receiver.url)
    sink.send(deliveries(10, entities=10))
    wait_until(lambda: len(receiver.accepted) == 9)
    assert sink.wait_beyond(None, 5) is not None
    while sink.acknowledged != 2:  # its three acknowledgements come one by one
        sink.wait_beyond(sink.acknowledged, 5)
    wait_until(lambda: sum(request.id == "3" for request in receiver.requests) > 5)
    assert (sink.acknowledged, sink.pending) == (2, 7)


def test_close_lets_what_is_under_way_arrive(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(202, after_seconds=0.3)
    sink = sinks(receiver.url)
    sink.send(deliveries(10))
    sink.close(10)
    assert sink.acknowledged == 9
    with pytest.raises(SinkClosed):
        sink.send(deliveries(1))


def test_close_in_time_when_the_sink_takes_nothing(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503)
    sink = sinks(receiver.url, SINK_BACKOFF="30s", SINK_BACKOFF_MAX="30s")
    sink.send(deliveries(10))
    started = time.monotonic()
    sink.close(0.2)
    assert time.monotonic() - started < 3
    assert sink.acknowledged is None


def test_at_most_once_tries_once(sinks: Any, receiver: Recorder) -> None:
    receiver.respond = lambda request: Response(503)
    sink = sinks(receiver.url, at_most_once=True)
    sink.send(deliveries(3))
    assert sink.wait_idle(5)
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("VirtualMachine/vm-12", "VirtualMachine/vm-12"),
        ("a b", "a%20b"),
        ('say "100%"', "say%20%22100%25%22"),
        ("Zürich", "Z%C3%BCrich"),
        ("€😀", "%E2%82%AC%F0%9F%98%80"),
        ("line\nbreak", "line%0Abreak"),
        ("\ud800", "?"),
    ],
)
def test_attribute_in_a_header_is_percent_encoded(value: str, encoded: str) -> None:
    assert header_value(value) == encoded


def test_overrides_replace_an_attribute() -> None:
    event = create({"type": "t", "source": "s", "site": "here", "datacontenttype": "application/json"}, b"{}")
    headers = binary_headers(event, {"site": "there"})
    assert headers["ce-site"] == "there"
    assert headers["content-type"] == "application/json"
    assert headers["ce-specversion"] == "1.0"
