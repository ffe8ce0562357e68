"""Threads and tasks that end unexpectedly: they are never unseen.

A thread that does so ends the process, which its platform starts again.
"""

import asyncio
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()

Listener = Callable[[str], object]
"""Gets the reason, in words. It is called in the thread that ends."""


class UnexpectedEnds:
    """The unexpected ends of threads in this process.

    A thread whose work can go on handles its own exceptions. Everything that reaches this class is a fault that only a
    new process mends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: list[str] = []
        self._listeners: list[Listener] = []

    def watch_threads(self) -> None:
        """Record each thread of the process that ends with an exception, from now on."""
        threading.excepthook = self._record_thread

    def subscribe(self, listener: Listener) -> None:
        """Call *listener* with the reason of each unexpected end, also of those so far."""
        with self._lock:
            self._listeners.append(listener)
            reasons = list(self._reasons)
        for reason in reasons:
            listener(reason)

    def record(self, name: str, error: BaseException | None) -> None:
        """Log the traceback of *error*, which ended the thread *name*, and call the listeners."""
        log.error("Thread ended unexpectedly", thread=name, exc_info=error)
        reason = f"the thread {name} ended unexpectedly"
        with self._lock:
            self._reasons.append(reason)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(reason)

    def _record_thread(self, ended: threading.ExceptHookArgs) -> None:
        self.record(ended.thread.name if ended.thread else "unknown", ended.exc_value)


def log_failure(task: "asyncio.Task[object]") -> None:
    """Log the error that ended *task*, whose result nobody awaits. A callback for `Task.add_done_callback`."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("Task ended unexpectedly", task=task.get_name(), exc_info=error)
