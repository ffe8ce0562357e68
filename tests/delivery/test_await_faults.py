"""An exception at every await of the sink's loop: delivery goes on, or the sink ends with the error in the log."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from delivery.dispatcher import Delivery
from delivery.settings import SinkSettings
from delivery.sink import Sink
from pipeline.cloudevents import create
from pipeline.settings import read
from tests.support.faults import AwaitFault, InjectedError
from tests.support.recorder import OK, Recorder, Request, Response
from tests.support.waiting import wait_until

EVENTS = range(6)
REJECTED = 3
"""The event that goes to the dead-letter sink."""
MAX_AWAITS = 1000


def deliveries(first: int) -> list[Delivery[int]]:
    return [
        Delivery(create({"type": "t", "source": "s", "id": str(number)}, b""), f"entity-{number % 2}", number)
        for number in EVENTS
        if number >= first
    ]


def respond(receiver: Recorder) -> Callable[[Request], Response]:
    """Reject one event permanently, and fail the first attempt at another one."""

    def response(request: Request) -> Response:
        if request.id == str(REJECTED):
            return Response(400)
        return Response(503) if request.id == "1" and not receiver.requests else OK

    return response


def deliver_all(settings: SinkSettings) -> int:
    """Deliver every event, as the poller does: through another sink if one ends. Return the number of sinks."""
    sinks, begin = 0, 0
    while True:
        sink: Sink[int] = Sink(settings)
        sinks += 1
        sink.send(deliveries(begin))
        wait_until(lambda sink=sink: not sink.is_open or not len(sink.in_flight), 20)  # type: ignore[misc]
        is_done = sink.is_open
        sink.close(0)
        assert is_done or sink.counts.errors  # never in silence
        if is_done:
            return sinks
        begin = 0 if sink.in_flight.acknowledged is None else sink.in_flight.acknowledged + 1


@pytest.mark.timeout(240)  # about a hundred runs
@pytest.mark.parametrize("error", [InjectedError, asyncio.CancelledError])
def test_error_at_any_await_of_the_sink_loses_nothing(
    error: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_event_loop = uvloop.new_event_loop
    monkeypatch.setattr("delivery.sink.RETRY_SECONDS", 0.01)
    restarted = 0
    for number in range(1, MAX_AWAITS):
        fault = AwaitFault(number, error)
        monkeypatch.setattr(uvloop, "new_event_loop", lambda fault=fault: fault.install(new_event_loop()))
        with Recorder() as receiver, Recorder() as dead_letters:
            receiver.respond = respond(receiver)
            environ = {
                "K_SINK": receiver.url,
                "DEAD_LETTER_SINK": dead_letters.url,
                "SINK_BACKOFF": "10ms",
                "SINK_CONCURRENCY": "2",
                "SINK_RESEND": "1s",
            }
            restarted += deliver_all(read(SinkSettings, environ)) - 1
            assert set(receiver.ids) == set(EVENTS) - {REJECTED}, f"at await {number}"
            assert set(dead_letters.ids) == {REJECTED}, f"at await {number}"
        if not fault.has_struck:
            break
    assert 20 < number < MAX_AWAITS - 1
    assert 0 < restarted < number
