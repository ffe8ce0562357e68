"""The scheduler: tasks that take turns, and time that passes only while all of them wait."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

import greenlet

EPOCH = 1_800_000_000.0
"""The true time at which a run begins, in seconds since 1970."""
MAX_TURNS = 5_000
"""The number of turns without a step of time after which the run is a busy loop."""
PREEMPTION = 0.05
"""The share of lock operations at which another task gets its turn."""

_numbers = itertools.count()
"""The order of timers of the same time."""


class Host:
    """A machine with clocks of its own."""

    def __init__(self, name: str, scheduler: "Scheduler") -> None:
        self.name = name
        self._scheduler = scheduler
        self.wall_lead = 0.0
        """The lead of its wall clock over the true time, in seconds."""
        self.booted = -scheduler.random.uniform(10.0, 1e6)

    def monotonic(self) -> float:
        """Return the seconds since it was booted."""
        return self._scheduler.now - self.booted

    def time(self) -> float:
        """Return the seconds since 1970 by its wall clock."""
        return EPOCH + self._scheduler.now + self.wall_lead


class Process:
    """A process on a host. Its tasks run until it ends."""

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        self.is_alive = True


class Task:
    """A thread of a process."""

    __slots__ = ("greenlet", "is_done", "loop", "name", "on_done", "process", "turn", "waits", "was_woken")

    def __init__(self, process: Process, name: str) -> None:
        self.process = process
        self.name = name
        self.greenlet: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.turn = 0
        self.waits = False
        self.was_woken = False
        self.is_done = False
        self.on_done: list[Task] = []


class Scheduler:
    """Runs tasks and timers in virtual time, by the choices of one random generator."""

    def __init__(self, seed: object) -> None:
        self.random = random.Random(f"{seed}")
        self.now = 0.0
        """The true time since the beginning, in seconds."""
        self.current: Task
        self.on_death: Callable[[Task, Exception], None] = _raise
        """Called with a task that ends by an error, and the error."""
        self._ready: list[Task] = []
        self._timers: list[tuple[float, int, Any, Any]] = []
        """Time, number, and either a function with its arguments, or a task with the turn that ends then."""
        self._tasks: list[Task] = []
        self._hub = greenlet.getcurrent()
        self.is_closing = False
        self._end = 0.0

    # ── tasks ──

    def spawn(self, process: Process, function: Callable[..., Any], *args: Any, name: str = "") -> Task:
        """Start *function* as a task of *process*."""
        task = Task(process, name or function.__name__)

        def body() -> None:
            try:
                function(*args)
            except Exception as error:  # noqa: BLE001 - whatever ends a thread is reported
                self.on_death(task, error)
            finally:
                task.is_done = True
                if not self.is_closing:
                    for waiting in task.on_done:
                        self.wake(waiting)

        task.greenlet = greenlet.greenlet(body, self._hub)
        self._tasks.append(task)
        self._ready.append(task)
        return task

    def park(self, seconds: float | None = None) -> bool:
        """Let the current task wait for `wake`, for at most *seconds*. Return False if the time ran out."""
        task = self.current
        if self.is_closing:
            raise greenlet.GreenletExit
        task.waits = True
        task.was_woken = False
        task.turn += 1
        if seconds is not None:
            when = self.now + seconds if seconds > 0.0 else self.now
            heapq.heappush(self._timers, (when, next(_numbers), task, task.turn))
        self._hub.switch()
        return task.was_woken

    def wake(self, task: Task) -> None:
        """End the wait of *task*."""
        if task.waits:
            task.waits, task.was_woken = False, True
            self._ready.append(task)

    def sleep(self, seconds: float) -> None:
        """Let the current task wait for *seconds*."""
        self.park(seconds)

    def preempt(self) -> None:
        """Give another task its turn, now and then."""
        if len(self._ready) and self.random.random() < PREEMPTION and not self.is_closing:
            self._ready.append(self.current)
            self._hub.switch()

    # ── timers ──

    def call_later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> None:
        """Call *callback* after *seconds*. It must not wait."""
        heapq.heappush(self._timers, (self.now + seconds, next(_numbers), callback, args))

    # ── the run ──

    def stop(self) -> None:
        """End the run now. Called by a timer."""
        self._end = self.now

    def run(self, until: float) -> None:
        """Run until the time *until*, or `stop`, or until nothing is left to do."""
        self._end = until
        ready, timers, chance = self._ready, self._timers, self.random.random
        turns = 0
        while True:
            while ready:
                turns += 1
                if turns > MAX_TURNS:
                    raise BusyLoopError(f"{self.current.name} of {self.current.process.name} waits for nothing")
                task = ready.pop(int(chance() * len(ready)) if len(ready) > 1 else 0)
                if task.process.is_alive and not task.is_done:
                    self.current = task
                    if task.loop is not None:
                        asyncio._set_running_loop(task.loop)
                        task.greenlet.switch()
                        asyncio._set_running_loop(None)
                    else:
                        task.greenlet.switch()
            if not timers or timers[0][0] > self._end:
                self.now = self._end
                return
            when, _, callback, args = heapq.heappop(timers)
            turns, self.now = turns if when == self.now else 0, when
            if callback.__class__ is not Task:
                callback(*args)
            elif callback.waits and callback.turn == args:  # its time ran out
                callback.waits = False
                ready.append(callback)

    def close(self) -> None:
        """End every task. None of them waits or has an effect any more."""
        self.is_closing = True
        for task in self._tasks:
            if task.greenlet and not task.greenlet.dead:
                self.current = task
                asyncio._set_running_loop(task.loop)
                task.greenlet.throw(greenlet.GreenletExit)
        asyncio._set_running_loop(None)
        self._timers.clear()


class BusyLoopError(Exception):
    """Tasks run and run, and no time passes."""


def _raise(task: Task, error: Exception) -> None:
    raise error
