"""The one way to wait for something that happens elsewhere: in a thread, a process, a browser or a cluster."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

PAUSE_SECONDS = 0.01


class NotInTime(AssertionError):
    """A condition did not become true in time."""


def wait_until(
    condition: Callable[[], Value], seconds: float = 10, message: str = "", pause_seconds: float = PAUSE_SECONDS
) -> Value:
    """Return the value of *condition* as soon as it is true.

    Raises `NotInTime` after *seconds*, with *message* (or the line that defines *condition*) and the last value.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds:g} s: {message or _source(condition)} (last value: {value!r})")
        time.sleep(pause_seconds)
    return value


async def wait_until_async(condition: Callable[[], Value], seconds: float = 10, message: str = "") -> Value:
    """Do the same without blocking the event loop: *condition* is called in another thread."""
    return await asyncio.to_thread(wait_until, condition, seconds, message)


def is_true_within(seconds: float, condition: Callable[[], object], pause_seconds: float = PAUSE_SECONDS) -> bool:
    """Return whether *condition* becomes true within *seconds*."""
    try:
        wait_until(condition, seconds, pause_seconds=pause_seconds)
    except NotInTime:
        return False
    return True


def _source(condition: Callable[[], object]) -> str:
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)
