"""The parts of `threading` and `time` that the poller uses, on the scheduler."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.simulation.scheduler import Host, Scheduler, Task


class Lock:
    """A lock, which the task that holds it may acquire again."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._holder: Task | None = None
        self._depth = 0
        self._waiting: list[Task] = []

    def __enter__(self) -> "Lock":
        scheduler = self._scheduler
        scheduler.preempt()
        task = scheduler.current
        if self._holder is not task:
            while self._holder is not None:
                self._waiting.append(task)
                scheduler.park()
            self._holder = task
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._holder = None
            if self._waiting:
                self._scheduler.wake(self._waiting.pop(0))


class Condition(Lock):
    """A condition variable with a lock of its own."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._waiters: list[Task] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock until `notify_all`, for at most *timeout* seconds."""
        task = self._scheduler.current
        self._waiters.append(task)
        self.__exit__()
        woken = self._scheduler.park(timeout)
        if task in self._waiters:
            self._waiters.remove(task)
        self.__enter__()
        return woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until *predicate* is true, for at most *timeout* seconds, and return its value."""
        end = None if timeout is None else self._scheduler.now + timeout
        result = predicate()
        while not result:
            remaining = None if end is None else end - self._scheduler.now
            if remaining is not None and remaining <= 0:
                break
            self.wait(remaining)
            result = predicate()
        return result

    def notify_all(self) -> None:
        """Wake every waiting task."""
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._scheduler.wake(task)


class Event:
    """A flag that tasks wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._flag = False
        self._waiters: list[Task] = []

    def is_set(self) -> bool:
        """Return the flag."""
        self._scheduler.preempt()
        return self._flag

    def set(self) -> None:
        """Set the flag and wake every waiting task."""
        self._flag = True
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._scheduler.wake(task)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the flag, for at most *timeout* seconds, and return it."""
        if not self._flag:
            task = self._scheduler.current
            self._waiters.append(task)
            self._scheduler.park(timeout)
            if task in self._waiters:
                self._waiters.remove(task)
        return self._flag


class Thread:
    """A task of the process that creates it."""

    def __init__(
        self,
        scheduler: Scheduler,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        name: str = "",
        daemon: bool = False,
    ) -> None:
        self._scheduler = scheduler
        self._target = target
        self._args = args
        self._name = name
        self._task: Task | None = None

    def start(self) -> None:
        """Start the task."""
        process = self._scheduler.current.process
        self._task = self._scheduler.spawn(process, self._target, *self._args, name=self._name)

    def is_alive(self) -> bool:
        """Return True until the task has ended."""
        return self._task is not None and not self._task.is_done

    def join(self, timeout: float | None = None) -> None:
        """Wait until the task has ended, for at most *timeout* seconds."""
        if self._task is not None and not self._task.is_done:
            task = self._scheduler.current
            self._task.on_done.append(task)
            self._scheduler.park(timeout)
            self._task.on_done.remove(task)


def threading_of(scheduler: Scheduler) -> SimpleNamespace:
    """Return a `threading` on *scheduler*."""
    return SimpleNamespace(
        Lock=lambda: Lock(scheduler),
        Condition=lambda: Condition(scheduler),
        Event=lambda: Event(scheduler),
        Thread=lambda **options: Thread(scheduler, **options),
    )


def time_of(scheduler: Scheduler) -> SimpleNamespace:
    """Return a `time` with the clocks of the current task's host."""

    def host() -> Host:
        return scheduler.current.process.host

    return SimpleNamespace(monotonic=lambda: host().monotonic(), time=lambda: host().time())
