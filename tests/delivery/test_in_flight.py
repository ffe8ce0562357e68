"""The limit of events in flight, seen from two threads. `test_acknowledgements` has the positions."""

import threading
import time

import pytest

from delivery.in_flight import InFlight, SinkClosed


def test_adding_waits_for_room() -> None:
    in_flight = InFlight[int](max_in_flight=2)
    first, _ = in_flight.add([1, 2])
    adding = threading.Thread(target=in_flight.add, args=([3],))
    adding.start()
    assert len(in_flight) == 2
    in_flight.complete(first)
    adding.join(5)
    assert (in_flight.acknowledged, in_flight.oldest_open, len(in_flight)) == (1, 2, 2)


def test_hold_ignores_the_maximum_and_holds_the_position() -> None:
    in_flight = InFlight[int](max_in_flight=1)
    held = in_flight.hold()
    over = in_flight.hold()
    in_flight.complete(over)
    assert (in_flight.acknowledged, len(in_flight)) == (None, 2)
    in_flight.complete(held)
    assert in_flight.wait_idle(0)


def test_closing_wakes_the_reader_with_an_error() -> None:
    in_flight = InFlight[int](max_in_flight=1)
    in_flight.add([1])
    threading.Timer(0.05, in_flight.close).start()
    with pytest.raises(SinkClosed):
        in_flight.add([2])
    assert not in_flight.close()
    assert not in_flight.wait_idle(60)


def test_event_is_open_until_it_is_complete() -> None:
    in_flight = InFlight[int](max_in_flight=3)
    first, second, third = in_flight.add([1, 2, 3])
    in_flight.complete(first)
    in_flight.complete(third)
    assert [in_flight.is_open(number) for number in (first, second, third)] == [False, True, False]


@pytest.mark.parametrize("position", [None, 5])
def test_waiting_ends_only_beyond_the_position(position: int | None) -> None:
    in_flight = InFlight[int](max_in_flight=1)
    started = time.monotonic()
    in_flight.wait_beyond(position, 0.05)
    assert time.monotonic() - started >= 0.05
    in_flight.complete(in_flight.add([6])[0])
    in_flight.wait_beyond(position, 60)
