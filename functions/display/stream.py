"""Server-sent events for one viewer: the changes that it missed, then those that follow, for a limited time.

Ids are `epoch.revision`. A page that reconnects sends the last id that it has (Last-Event-ID) and gets the changes
since. The epoch belongs to this process, or to the file if events are kept in one. A page from another epoch starts
from the beginning.

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

    A page drops its rows when it is new, or when *last_id* belongs to another epoch. `reset` has the names of columns.
    When the ring no longer has the changes that a page needs, `missed` has their number, and all stored events follow.
    `state` follows every change. `end` comes after *seconds*, or a little earlier: the page opens the next stream,
    which continues there. A display that is being stopped sends no `end`. *notification* is set when there may be
    changes. A stream that then has none sends a comment.
    """
    epoch, _, revision = last_id.partition(".")
    resumed = epoch == history.epoch and revision.isdecimal() and len(revision) < 19
    cursor = int(revision) if resumed else 0
    reset = {"capacity": history.capacity, "columns": row.NAMES, "epoch": history.epoch}
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
    """Return the messages for *changes*. Each ends with the id of the last change that the page then has.

    Written once for all viewers that have come equally far.
    """
    parts = [_message("missed", str(changes.missed))] if changes.missed and announce_missed else []
    parts.append(f"id: {epoch}.{changes.revision}\n".encode())
    if changes.rows:
        parts += [b"data: [", b",".join(text for _, text in changes.rows), b"]\n\n"]
    if changes.complete:
        parts.append(_message("state", changes.state_json))
    return b"".join(parts)


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()
