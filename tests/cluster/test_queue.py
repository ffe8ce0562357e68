"""Tests of the queue of keys: each once, by one worker at a time, later again after a failure."""

import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.queue import MAX_RETRY_SECONDS, Queue


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_key_that_is_added_twice_comes_once(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.add("a")
    queue.add("a")

    assert queue.get(0) == "a"
    queue.done("a")
    assert queue.get(0) is None


def test_key_under_way_is_not_given_to_a_second_worker(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.add("a")
    assert queue.get(0) == "a"
    queue.add("a")

    assert queue.get(0) is None
    queue.done("a")
    assert queue.get(0) == "a"


def test_failures_double_the_pause_up_to_a_maximum(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)

    pauses = [queue.retry("a") for _ in range(20)]

    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == MAX_RETRY_SECONDS


def test_success_ends_the_doubling(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.retry("a")
    queue.retry("a")
    queue.succeeded("a")

    assert queue.retry("a") == pytest.approx(0.1)


def test_key_comes_when_it_is_due(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.add_after("a", 5)

    assert queue.get(0) is None
    clock.now += 5
    assert queue.get(0) == "a"


def test_earlier_of_two_times_counts(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.add_after("a", 50)
    queue.add_after("a", 5)
    clock.now += 5
    assert queue.get(0) == "a"
    queue.done("a")

    clock.now += 45
    assert queue.get(0) is None


def test_change_does_not_wait_for_the_pause(clock: Clock) -> None:
    queue: Queue[str] = Queue(clock)
    queue.add_after("a", 50)
    queue.add("a")

    assert queue.get(0) == "a"


def test_close_wakes_a_worker_that_waits() -> None:
    queue: Queue[str] = Queue()
    worker = threading.Thread(target=queue.get, args=(60,))
    worker.start()

    queue.close()

    worker.join(5)
    assert not worker.is_alive()


class QueueStates(RuleBasedStateMachine):
    """No key is lost, and none is with two workers, in any order of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue: Queue[str] = Queue(self.clock)
        self.owed: set[str] = set()
        self.under_way: set[str] = set()

    @rule(key=st.sampled_from("abc"))
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.owed.add(key)

    @rule(key=st.sampled_from("abc"), seconds=st.integers(1, 3))
    def add_after(self, key: str, seconds: int) -> None:
        self.queue.add_after(key, seconds)
        self.clock.now += 3
        self.owed.add(key)

    @precondition(lambda self: self.owed - self.under_way)
    @rule()
    def get(self) -> None:
        key = self.queue.get(0)
        assert key in self.owed - self.under_way
        self.owed.discard(key)
        self.under_way.add(key)

    @precondition(lambda self: not self.owed - self.under_way)
    @rule()
    def get_nothing(self) -> None:
        assert self.queue.get(0) is None

    @precondition(lambda self: self.under_way)
    @rule(number=st.integers(0, 2))
    def done(self, number: int) -> None:
        key = sorted(self.under_way)[number % len(self.under_way)]
        self.queue.done(key)
        self.under_way.discard(key)

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) >= len(self.under_way)


TestQueueStates = QueueStates.TestCase
