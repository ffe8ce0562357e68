"""The limit of events in flight, seen from two threads. `test_acknowledgements` has the positions."""

import threading

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
