"""Server-sent events for one viewer: the newest events, those that follow, and meanwhile the older ones.

Ids are `epoch.revision`, or `epoch.revision.older` while changes up to revision *older* are still to come. A page that
reconnects sends the last id that it has (Last-Event-ID) and gets the changes since. The epoch belongs to this process,
or to the file if events are kept in one. A page from another epoch starts from the beginning, and so does one whose
revision is ahead of the ring's, because the file was restored from a copy.

A viewer costs a task and what its connection has not taken yet, at most one page of rows. So memory bounds the number
of viewers, and a slow one delays nobody.
"""

import asyncio
import functools
import json
import random
import time
from collections.abc import AsyncIterator

from functions.display import row
from functions.display.history import Changes, History

SPREAD = 0.2
"""A stream may end earlier by this share of its time, so that pages opened together do not reconnect together."""

RECONNECT_MS = 1000
"""Time after which a page reconnects."""

ROWS_PER_FRAME = 250
"""Maximum rows in one message, so that a page that is far behind paints early and a slow one holds little memory."""


async def stream(history: History, notification: asyncio.Event, last_id: str, seconds: float) -> AsyncIterator[bytes]:
    """Yield `reset` if the page has to drop its rows, `missed` if changes are lost, rows, `state`, and `end`.

    A page drops its rows when it is new, or when *last_id* is not one of this epoch. `reset` has the names of columns.
    When the ring no longer has the changes that a page needs, `missed` has their number, and all stored events follow.
    The newest of all stored events come first, and the `older` ones whenever nothing is new. `state` follows every
    change. `end` comes after *seconds*, or a little earlier: the page opens the next stream, which continues there. A
    display that is being stopped sends no `end`. *notification* is set when there may be changes. A stream that then
    has none sends a `beat` with the display's time in ms since 1970, by which a page knows that it is connected.
    """
    position = _position(last_id, history)
    cursor, older = position or (0, 0)
    reset = {"capacity": history.capacity, "columns": row.NAMES, "epoch": history.epoch}
    yield f"retry: {RECONNECT_MS}\n\n".encode() + (b"" if position else _message("reset", json.dumps(reset)))
    ends = time.monotonic() + seconds * (1 - SPREAD * random.random())  # noqa: S311 - no secret
    timer = asyncio.get_running_loop().call_later(max(0.0, ends - time.monotonic()), notification.set)
    first = behind = True
    try:
        while behind or time.monotonic() < ends:
            if not behind:
                await notification.wait()
            notification.clear()
            changes = history.changes(cursor, ROWS_PER_FRAME, newest_first=first and position is None)
            if changes is None:
                return
            if changes.older is not None:
                older = changes.older
            if changes.revision > cursor or first:
                yield frame(changes, history.epoch, older, announce_missed=position is not None or not first)
                cursor = changes.revision
            elif older:
                page = history.older(older)
                older = page.older
                yield page.message
                yield f"id: {_id(history.epoch, cursor, older)}\n".encode()  # belongs to the next message
            elif time.monotonic() < ends:
                yield _message("beat", str(round(time.time() * 1000)))
            behind = not changes.complete or (older > 0 and time.monotonic() < ends)
            first = False
    finally:
        timer.cancel()
    yield _message("end", "null")


def _position(last_id: str, history: History) -> tuple[int, int] | None:
    """Return the revision that a page has, and the one up to which it lacks changes. None for an unknown *last_id*."""
    epoch, *numbers = last_id.split(".")
    if epoch != history.epoch or not 1 <= len(numbers) <= 2:
        return None
    if not all(number.isascii() and number.isdecimal() and len(number) < 19 for number in numbers):
        return None
    revision, older = int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 0
    return (revision, older) if revision <= history.revision else None


@functools.lru_cache(maxsize=8)
def frame(changes: Changes, epoch: str, older: int, *, announce_missed: bool) -> bytes:
    """Return the messages for *changes*. Each ends with the id of the last change that the page then has.

    Written once for all viewers that have come equally far.
    """
    parts = [_message("missed", str(changes.missed))] if changes.missed and announce_missed else []
    parts.append(f"id: {_id(epoch, changes.revision, older)}\n".encode())
    if changes.rows:
        parts += [b"data: [", b",".join(text for _, text in changes.rows), b"]\n\n"]
    if changes.complete:
        parts.append(_message("state", changes.state_json))
    return b"".join(parts)


def _id(epoch: str, revision: int, older: int) -> str:
    return f"{epoch}.{revision}.{older}" if older else f"{epoch}.{revision}"


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()
