"""Server-sent events for one viewer: what it missed, then what happens, as long as a proxy lets it.

Ids are `epoch.revision`: a page that reconnects says the last one it has (Last-Event-ID) and gets what changed since.
The epoch is this process's, or the file's if events are kept in one, so a page that outlived it starts afresh.
"""

import json
import threading
import time
from collections.abc import Iterator

from functions.display.history import Changes, History
from functions.display.row import COLUMNS

STREAM_SECONDS = 240.0
"""A stream ends after this, and the page reconnects: Knative would cut it at its time-out, 300 s by default."""

HEARTBEAT_SECONDS = 5.0
"""A silent stream says something this often: the second time after a viewer left, that is noticed."""

RECONNECT_MS = 1000
"""How long a page waits before it reconnects."""

ROWS_PER_FRAME = 500
"""Rows sent in one message, so that a page which is far behind paints early and no write is large."""

PAUSE_SECONDS = 0.005
PAUSE_PER_VIEWER_SECONDS = 0.00015
"""A viewer is told of what came together in this time: so a burst, or a crowd of viewers, does not take the processor
from arriving events. With 200 viewers it is 35 ms."""


class Viewers:
    """Who is watching: at most *places* at once."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.count = 0
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Take a place; False if all are taken."""
        with self._lock:
            if self.count >= self.places:
                return False
            self.count += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self.count -= 1


def stream(history: History, viewers: Viewers, last_id: str) -> Iterator[bytes]:
    """`reset` where the page has to start afresh, `missed` where it has to leave a hole, rows, and `state`.

    A page starts afresh when it is new or when *last_id* is of another epoch; `reset` names the columns of rows. When
    the ring has moved past a page, `missed` says by how many changes, and all that is held follows. `state` comes with
    every change.
    """
    epoch, _, revision = last_id.partition(".")
    resumed = epoch == history.epoch and revision.isdecimal() and len(revision) < 19
    cursor = int(revision) if resumed else 0
    reset = {"capacity": history.capacity, "columns": COLUMNS, "epoch": history.epoch}
    yield f"retry: {RECONNECT_MS}\n\n".encode() + (b"" if resumed else _message("reset", json.dumps(reset)))
    ends = time.monotonic() + STREAM_SECONDS
    first = True
    while (left := ends - time.monotonic()) > 0:
        changes = history.changes(cursor, wait_seconds=0 if first else min(HEARTBEAT_SECONDS, left))
        if changes is None:
            return
        if changes.revision > cursor or first:
            yield from _told(changes, history.epoch, announce_missed=resumed or not first)
            cursor = changes.revision
            time.sleep(PAUSE_SECONDS + PAUSE_PER_VIEWER_SECONDS * viewers.count)
        else:
            yield b": nothing new\n\n"
        first = False


def _told(changes: Changes, epoch: str, announce_missed: bool) -> Iterator[bytes]:
    """The messages that tell *changes*; few writes, and each ends with the id up to which the page then knows all."""
    begin = b""
    if changes.missed and announce_missed:
        begin = _message("missed", str(changes.missed))
    parts = [changes.rows[start : start + ROWS_PER_FRAME] for start in range(0, len(changes.rows), ROWS_PER_FRAME)]
    for part in parts[:-1]:
        yield begin + _rows(part, epoch, part[-1][0])
        begin = b""
    last = _rows(parts[-1], epoch, changes.revision) if parts else f"id: {epoch}.{changes.revision}\n".encode()
    yield begin + last + _message("state", changes.told)


def _rows(rows: list[tuple[int, bytes]], epoch: str, revision: int) -> bytes:
    return f"id: {epoch}.{revision}\ndata: [".encode() + b",".join(row for _, row in rows) + b"]\n\n"


def _message(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()
