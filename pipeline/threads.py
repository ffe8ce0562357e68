"""Threads that end unexpectedly: they are never unseen, and they end the process, which its platform starts again."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


def end_process_with_them(end: Callable[[str], object]) -> None:
    """Log the traceback of each thread that ends with an exception, and call *end* with the reason.

    For the whole process. A thread whose work can go on handles its own exceptions.
    """

    def handle(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "unknown"
        log.error("Thread ended unexpectedly", thread=name, exc_info=ended.exc_value)
        end(f"the thread {name} ended unexpectedly")

    threading.excepthook = handle
