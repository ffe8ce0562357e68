"""Faults in running code: an exception at any await of an event loop, or in the next call of a method."""

import asyncio
import collections.abc
import contextlib
import inspect
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest


class InjectedError(Exception):
    """The injected fault."""


class AwaitFault:
    """Raises an error at one await of the tasks of a loop: the *number*th of all their suspensions, from 1."""

    def __init__(self, number: int, error: Callable[[], BaseException] = InjectedError) -> None:
        self._remaining = number
        self._error = error
        self.has_struck = False
        """True once it was raised."""

    def install(self, loop: Any) -> Any:
        """Count the suspensions of all tasks that *loop* gets from now on. Returns *loop*."""
        loop.set_task_factory(
            lambda loop, coroutine, **options: asyncio.Task(_Driven(coroutine, self), loop=loop, **options)
        )
        return loop

    def disarm(self) -> None:
        """Raise it no more."""
        self._remaining = 0

    def strikes(self) -> bool:
        """Count a suspension, and return True if the error is to be raised there."""
        self._remaining -= 1
        self.has_struck = self.has_struck or self._remaining == 0
        return self._remaining == 0

    def error(self) -> BaseException:
        """Return the error to raise."""
        return self._error()


class _Driven(collections.abc.Coroutine[Any, Any, Any]):
    """A coroutine that gets the fault as the result of what it awaits."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], fault: AwaitFault) -> None:
        self._coroutine = coroutine
        self._fault = fault

    def send(self, value: Any) -> Any:
        return self._suspended(self._coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        return self._suspended(self._coroutine.throw(*error))

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def _suspended(self, awaited: Any) -> Any:
        if not self._fault.strikes():
            return awaited
        if isinstance(awaited, asyncio.Future) and not isinstance(awaited, asyncio.Task):
            awaited.cancel()  # nobody waits for it any more
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(self._fault.error())
        failed._asyncio_future_blocking = True  # as `await failed` marks it
        return failed


def methods(*owners: type) -> list[tuple[type, str]]:
    """Return every method that *owners* define themselves, except for those that Python calls."""
    return [
        (owner, name)
        for owner in owners
        for name, member in vars(owner).items()
        if inspect.isfunction(member) and not name.startswith("__")
    ]


class CallFault:
    """Raises an error in the next call of a method, once it is armed."""

    def __init__(self) -> None:
        self._armed = False
        self.has_struck = False
        """True once it was raised."""

    @contextlib.contextmanager
    def installed(self, owner: type, name: str) -> Iterator[None]:
        """Let calls of the method *name* of *owner* pass, except for the first one after `arm`."""
        unchanged = getattr(owner, name)

        def changed(*arguments: Any, **more: Any) -> Any:
            if self._armed:
                self._armed = False
                self.has_struck = True
                raise InjectedError(f"in {owner.__name__}.{name}")
            return unchanged(*arguments, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, changed)
            yield

    def arm(self) -> None:
        """Raise at the next call."""
        self._armed = True
