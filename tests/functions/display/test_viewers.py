"""The notification of viewers."""

import asyncio
from collections.abc import Awaitable, Callable

from functions.display.viewers import Viewers
from tests.support.display import add, history


def in_a_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(test(), 10)

    asyncio.run(run())


def test_viewer_is_notified_of_changes_and_of_the_close() -> None:
    async def watch() -> None:
        ring = history()
        viewers = Viewers(ring, max_viewers=1)
        notification = viewers.enter()
        assert notification is not None
        assert viewers.enter() is None
        for act in (lambda: add(ring, "a"), lambda: add(ring, "b"), ring.reject, ring.close):
            await asyncio.to_thread(act)
            await notification.wait()
            notification.clear()
        viewers.leave(notification)
        assert viewers.enter() is not None

    in_a_loop(watch)


def test_simultaneous_changes_notify_once() -> None:
    async def watch() -> None:
        ring = history()
        viewers = Viewers(ring, max_viewers=1)
        notification = viewers.enter()
        assert notification is not None
        add(ring, *"abcdef")
        await notification.wait()
        notification.clear()
        await asyncio.sleep(0.05)
        assert not notification.is_set()

    in_a_loop(watch)
