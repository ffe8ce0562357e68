"""Resending after an outage: exactly the events that are possibly lost, each once."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.resend import MAX_ATTEMPT, QUIET_SECONDS, ResendTracker, suggests_outage
from delivery.retry import Failure


@pytest.mark.parametrize(
    ("failure", "attempt", "expected"),
    [
        (Failure("", 500), 1, True),
        (Failure("", 503), MAX_ATTEMPT, True),
        (Failure("", 503), MAX_ATTEMPT + 1, False),
        (Failure("", timed_out=True), 1, True),
        (Failure("connection refused"), 1, False),
        (Failure("", 404), 1, False),
        (Failure("", 429), 1, False),
    ],
)
def test_server_errors_and_timeouts_suggest_an_outage(failure: Failure, attempt: int, expected: bool) -> None:
    assert suggests_outage(failure, attempt) is expected


def test_events_before_and_during_the_outage_are_possibly_lost() -> None:
    tracker = ResendTracker[str](period_seconds=5, max_request_seconds=2, capacity=100)
    tracker.acknowledge("long before", 1, 2)
    tracker.acknowledge("before", 10, 11)
    assert tracker.fail(12, 13)
    tracker.acknowledge("during", 12.5, 14)
    assert not tracker.fail(14, 15)
    tracker.acknowledge("after", 15.1, 15.2)
    assert tracker.remaining_seconds(15.5) == QUIET_SECONDS - 0.5
    assert tracker.remaining_seconds(16) == 0
    assert tracker.end_outage() == ["before", "during"]
    assert len(tracker) == 1


def test_third_attempt_is_the_last_that_suggests_an_outage() -> None:
    assert suggests_outage(Failure("", 503), 3)
    assert not suggests_outage(Failure("", 503), 4)


def test_nothing_is_waited_for_without_an_outage() -> None:
    assert ResendTracker[str](5, 2, 100).remaining_seconds(1) == 0


def test_long_outage_keeps_the_events_from_before_it() -> None:
    tracker = ResendTracker[str](period_seconds=5, max_request_seconds=2, capacity=100)
    tracker.acknowledge("before", 10, 11)
    tracker.fail(12, 13)
    tracker.acknowledge("during", 100, 101)
    tracker.fail(101, 102)
    assert tracker.end_outage() == ["before", "during"]


def test_bounds_of_the_outage_belong_to_it() -> None:
    tracker = ResendTracker[str](period_seconds=5, max_request_seconds=0, capacity=100)
    tracker.acknowledge("too early", 6, 6.9)
    tracker.acknowledge("first", 6, 7)
    tracker.acknowledge("kept until here", 11, 12)
    tracker.fail(12, 13)
    tracker.acknowledge("last", 13, 14)
    tracker.acknowledge("too late", 13.1, 14)
    assert tracker.end_outage() == ["first", "kept until here", "last"]
    assert len(tracker) == 1


def test_events_beyond_the_capacity_are_forgotten() -> None:
    tracker = ResendTracker[int](period_seconds=5, max_request_seconds=2, capacity=3)
    for number in range(5):
        tracker.acknowledge(number, 10, 11)
    tracker.fail(10, 11)
    assert tracker.end_outage() == [2, 3, 4]


def test_period_of_zero_disables_the_tracker() -> None:
    tracker = ResendTracker[str](0, 10, 100)
    tracker.acknowledge("event", 1, 2)
    assert not tracker.fail(3, 4)
    assert (len(tracker), tracker.end_outage()) == (0, [])


@dataclasses.dataclass(frozen=True)
class Step:
    """A response, *pause* after the one before."""

    pause: float
    duration: float
    fails: bool


steps = st.lists(
    st.builds(Step, pause=st.floats(0, 3), duration=st.floats(0, 4), fails=st.booleans()), min_size=1, max_size=60
)


@given(steps, st.floats(0.1, 6))
def test_possibly_lost_events_equal_their_definition(responses: list[Step], period: float) -> None:
    tracker = ResendTracker[int](period, max_request_seconds=5, capacity=1000)
    acknowledged: list[tuple[float, float, int]] = []
    resent: list[int] = []
    outage: tuple[float, float] | None = None
    now = 100.0
    for number, step in enumerate(responses):
        now += step.pause
        if outage and tracker.remaining_seconds(now) == 0:
            first, last = outage
            lost = [event for started, ended, event in acknowledged if ended >= first - period and started <= last]
            assert tracker.end_outage() == lost
            resent += lost
            acknowledged = [entry for entry in acknowledged if entry[0] > last]
            outage = None
        started = now - step.duration
        if step.fails:
            assert tracker.fail(started, now) is (outage is None)
            outage = (outage[0] if outage else started, now)
        else:
            tracker.acknowledge(number, started, now)
            acknowledged.append((started, now, number))
    assert len(resent) == len(set(resent))


@given(steps, st.integers(1, 10))
def test_memory_is_bounded_whatever_happens(responses: list[Step], capacity: int) -> None:
    tracker = ResendTracker[int](5, 4, capacity)
    now = 100.0
    for number, step in enumerate(responses):
        now += step.pause
        if step.fails:
            tracker.fail(now - step.duration, now)
        else:
            tracker.acknowledge(number, now - step.duration, now)
        assert len(tracker) <= capacity
