"""Server-sent events for one viewer: what it missed, then what happens, for less time than a proxy lets it.

Ids are `epoch.revision`: a page that reconnects sends the last one it has (Last-Event-ID) and gets what changed since.
The epoch is this process's, or the file's if events are kept in one, so a page that outlived it starts from the
beginning.

Everything here runs on one event loop. A viewer costs a task and what its connection has not taken yet, at most one
page of rows. So memory bounds the number of viewers, and a slow one delays nobody.
"""

import asyncio
import contextlib
import functools
import json
import random
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from functions.display.auth import Guard
from functions.display.history import Changes, History
from functions.display.row import COLUMNS
from pipeline.asgi import Receive, Scope, Send, send_response
from pipeline.web import SECURITY_HEADERS

HEARTBEAT_SECONDS = 5.0
"""A silent stream says something this often, so that a page can tell a silent stream from a broken one."""

SPREAD = 0.2
"""A stream may end earlier by this part of its time, so that pages that were opened together do not return together."""

RECONNECT_MS = 1000
"""How long a page waits before it reconnects."""

ROWS_PER_FRAME = 250
"""Rows sent in one message, so that a page which is far behind paints early and a slow one holds little memory."""

LEAD_SECONDS = 0.002
"""Viewers are notified this long after an event came: its sender is answered first, and events that come together are
sent together."""

GROUP = 50
"""Viewers woken in one turn of the event loop. An event that arrives meanwhile waits for one group, not for all."""

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
)


class Viewers:
    """Who is watching *history*: at most *max_viewers* at once. Notified when there is something new."""

    def __init__(self, history: History, max_viewers: int) -> None:
        self.max_viewers = max_viewers
        self._notifications: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        history.on_change = self.notify

    @property
    def count(self) -> int:
        """The number of open streams."""
        return len(self._notifications)

    def enter(self) -> asyncio.Event | None:
        """Return the event that is set when there is something new; None if there are too many viewers already."""
        if len(self._notifications) >= self.max_viewers:
            return None
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(HEARTBEAT_SECONDS, self._beat)
        notification = asyncio.Event()
        self._notifications.add(notification)
        return notification

    def leave(self, notification: asyncio.Event) -> None:
        """Forget a viewer."""
        self._notifications.discard(notification)

    def notify(self) -> None:
        """Wake all viewers soon. May be called from any thread."""
        if self._loop is not None and not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the viewers with it
                self._loop.call_soon_threadsafe(self._wake_later)

    def _wake_later(self) -> None:
        assert self._loop is not None  # noqa: S101 - only a viewer makes notify schedule this
        self._loop.call_later(LEAD_SECONDS, self._wake)

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
        self._wake_group(list(self._notifications))
        self._loop.call_later(HEARTBEAT_SECONDS, self._beat)


class EventStream:
    """The ASGI application that answers `GET /api/events`.

    `?after=` stands in for Last-Event-ID where a page opens a new stream itself. A viewer too many gets 503.
    """

    def __init__(self, history: History, viewers: Viewers, guard: Guard, seconds: float) -> None:
        self._history = history
        self._viewers = viewers
        self._guard = guard
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer until it leaves, its time is over or the display stops."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not self._guard.admits(headers.get(b"authorization", "")):
            await send_response(send, *self._guard.challenge())
            return
        notification = self._viewers.enter()
        if notification is None:
            reason = f"{self._viewers.max_viewers} viewers are connected; DISPLAY_VIEWERS allows more\n".encode()
            await send_response(send, 503, [(b"content-type", b"text/plain"), (b"retry-after", b"5")], reason)
            return
        last_id = (
            headers.get(b"last-event-id") or parse_qs(scope["query_string"].decode("latin-1")).get("after", [""])[0]
        )
        leaving = asyncio.create_task(_left(receive, notification))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            async for part in stream(self._history, notification, last_id, self._seconds):
                if leaving.done():
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._viewers.leave(notification)
            leaving.cancel()


async def _left(receive: Receive, notification: asyncio.Event) -> None:
    """Return when the viewer has left, and wake its stream."""
    while (await receive())["type"] != "http.disconnect":
        pass
    notification.set()


async def stream(history: History, notification: asyncio.Event, last_id: str, seconds: float) -> AsyncIterator[bytes]:
    """Yield `reset` for a page that starts from the beginning, `missed` for a hole, rows, `state`, and `end`.

    A page starts from the beginning when it is new or when *last_id* is of another epoch. `reset` names the columns of
    rows. When the ring has moved past a page, `missed` says by how many changes, and everything held follows. `state`
    comes with every change. `end` comes after *seconds*, or a little earlier: the page opens the next stream, which
    continues from there. A display that is stopped sends no `end`. *notification* is set when there may be something
    new; a stream that then has nothing new says so.
    """
    epoch, _, revision = last_id.partition(".")
    resumed = epoch == history.epoch and revision.isdecimal() and len(revision) < 19
    cursor = int(revision) if resumed else 0
    reset = {"capacity": history.capacity, "columns": COLUMNS, "epoch": history.epoch}
    yield f"retry: {RECONNECT_MS}\n\n".encode() + (b"" if resumed else _message("reset", json.dumps(reset)))
    ends = time.monotonic() + seconds * (1 - SPREAD * random.random())  # noqa: S311 - no secret
    timer = asyncio.get_running_loop().call_later(max(0.0, ends - time.monotonic()), notification.set)
    first = behind = True
    try:
        while behind or time.monotonic() < ends:
            if not behind:
                await notification.wait()
            notification.clear()
            changes = history.changes(cursor, ROWS_PER_FRAME)
            if changes is None:
                return
            behind = not changes.complete
            if changes.revision > cursor or first:
                yield frame(changes, history.epoch, announce_missed=resumed or not first)
                cursor = changes.revision
            elif time.monotonic() < ends:
                yield b": nothing new\n\n"
            first = False
    finally:
        timer.cancel()
    yield _message("end", "null")


@functools.lru_cache(maxsize=8)
def frame(changes: Changes, epoch: str, *, announce_missed: bool) -> bytes:
    """Return the messages that report *changes*. Each ends with the id up to which the page then knows everything.

    Written once for all viewers that have come equally far.
    """
    parts = [_message("missed", str(changes.missed))] if changes.missed and announce_missed else []
    parts.append(f"id: {epoch}.{changes.revision}\n".encode())
    if changes.rows:
        parts += [b"data: [", b",".join(row for _, row in changes.rows), b"]\n\n"]
    if changes.complete:
        parts.append(_message("state", changes.told))
    return b"".join(parts)


def _message(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()
