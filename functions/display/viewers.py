"""The viewers that follow a history, and how they are notified of changes.

Everything here except `notify` runs on one event loop.
"""

import asyncio
import contextlib

from functions.display.history import History

HEARTBEAT_SECONDS = 2.0
"""Interval at which all streams send something. A page that gets nothing for 5 s (`stream.js`) reports it."""

LEAD_SECONDS = 0.002
"""Viewers are notified this long after a change. So its sender is answered first, and changes that come together are
sent together."""

SECONDS_PER_VIEWER = 0.0001
"""The time between two notifications, for each viewer. 2,000 viewers are notified five times a second, because 20 times
would take the whole processor."""

GROUP = 50
"""Viewers woken in one turn of the event loop. An event that arrives meanwhile waits for one group, not for all."""


class Viewers:
    """The viewers of *history*, at most *max_viewers* at a time."""

    def __init__(self, history: History, max_viewers: int) -> None:
        self.max_viewers = max_viewers
        self._notifications: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._woken_at = 0.0  # on the loop's clock
        history.on_change = self.notify

    @property
    def count(self) -> int:
        """The number of open streams."""
        return len(self._notifications)

    def enter(self) -> asyncio.Event | None:
        """Add a viewer. Return the event that is set after changes, or None if there are too many viewers."""
        if len(self._notifications) >= self.max_viewers:
            return None
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(HEARTBEAT_SECONDS, self._beat)
        notification = asyncio.Event()
        self._notifications.add(notification)
        return notification

    def leave(self, notification: asyncio.Event) -> None:
        """Remove a viewer."""
        self._notifications.discard(notification)

    def notify(self) -> None:
        """Wake all viewers soon. May be called from any thread."""
        if self._loop is not None and not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the viewers with it
                self._loop.call_soon_threadsafe(self._wake_later)

    def _wake_later(self) -> None:
        assert self._loop is not None  # noqa: S101 - only a viewer makes notify schedule this
        earliest = self._woken_at + SECONDS_PER_VIEWER * len(self._notifications)
        self._woken_at = max(self._loop.time() + LEAD_SECONDS, earliest)
        self._loop.call_at(self._woken_at, self._wake)

    def _wake(self) -> None:
        self._scheduled = False
        self._wake_group(list(self._notifications))

    def _wake_group(self, waiting: list[asyncio.Event]) -> None:
        for notification in waiting[:GROUP]:
            notification.set()
        if len(waiting) > GROUP and self._loop is not None:
            self._loop.call_soon(self._wake_group, waiting[GROUP:])

    def _beat(self) -> None:
        assert self._loop is not None  # noqa: S101 - enter sets it first
        self._loop.call_later(HEARTBEAT_SECONDS, self._beat)  # first, so that no error ends the heartbeat
        self._scheduled = False  # also after an error in `_wake_later`
        self._wake_group(list(self._notifications))
