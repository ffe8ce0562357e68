"""An event loop of asyncio on the scheduler: the loop runs in one task and waits in virtual time."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from greenlet import GreenletExit

from tests.simulation.scheduler import Scheduler, Task


class Handle:
    """A callback, as `asyncio.Handle`, which costs more."""

    __slots__ = ("_args", "_callback", "_context", "_loop", "is_cancelled")

    def __init__(
        self, loop: "VirtualLoop", callback: Callable[..., Any], args: tuple[Any, ...], context: Context
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._args = args
        self._context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never call it."""
        self.is_cancelled = True

    def run(self) -> None:
        """Call it, unless it is cancelled."""
        if self.is_cancelled:
            return
        try:
            self._context.run(self._callback, *self._args)
        except Exception as error:  # noqa: BLE001 - as asyncio does
            self._loop.call_exception_handler(
                {"message": f"Exception in callback {self._callback}", "exception": error, "handle": self}
            )


class VirtualLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that the poller's sink uses."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._host = scheduler.current.process.host
        self._context = copy_context()
        self._ready: deque[Handle] = deque()
        self._scheduled: list[tuple[float, int, Handle]] = []
        self._numbers = itertools.count()
        self._task: Task | None = None
        self._is_waiting = False
        self._is_closed = False
        self._on_error: Any = None

    def time(self) -> float:
        return self._host.monotonic()

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self, **options)

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        handle = Handle(self, callback, args, context or self._context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        if self._is_closed:
            raise RuntimeError("Event loop is closed")
        handle = self.call_soon(callback, *args, context=context)
        if self._is_waiting and self._task is not None:
            self._scheduler.wake(self._task)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(self, callback, args, context or self._context)
        heapq.heappush(self._scheduled, (when, next(self._numbers), handle))
        return handle

    def run_until_complete(self, future: Any) -> Any:
        self._task = self._scheduler.current
        self._task.loop = self
        asyncio._set_running_loop(self)
        main = self.create_task(future)
        try:
            while not main.done():
                self._run_once()
        except GreenletExit:  # the run is over: end the coroutines, or Python complains about them later
            main.cancel()
            while self._ready and not main.done():
                self._run_ready()
            raise
        finally:
            self._task.loop = None
            asyncio._set_running_loop(None)
        return main.result()

    def close(self) -> None:
        self._is_closed = True

    def is_closed(self) -> bool:
        return self._is_closed

    def is_running(self) -> bool:
        return self._task is not None and not self._is_closed

    def set_exception_handler(self, handler: Any) -> None:
        self._on_error = handler

    def call_exception_handler(self, context: Any) -> None:
        """Report an error that no task sees, unless the run is over."""
        if self._on_error is not None and not self._scheduler.is_closing:
            self._on_error(self, context)

    def _run_once(self) -> None:
        scheduled = self._scheduled
        if not self._ready:
            while scheduled and scheduled[0][2].is_cancelled:
                heapq.heappop(scheduled)
            self._is_waiting = True
            self._scheduler.park(scheduled[0][0] - self.time() if scheduled else None)
            self._is_waiting = False
        now = self.time() + 1e-9
        while scheduled and scheduled[0][0] <= now:
            self._ready.append(heapq.heappop(scheduled)[2])
        self._run_ready()

    def _run_ready(self) -> None:
        for _ in range(len(self._ready)):
            self._ready.popleft().run()
