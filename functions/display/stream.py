"""Server-sent events for one viewer: what it missed, then what happens, for less time than a proxy lets it.

Ids are `epoch.revision`: a page that reconnects says the last one it has (Last-Event-ID) and gets what changed since.
The epoch is this process's, or the file's if events are kept in one, so a page that outlived it starts afresh.
"""

import json
import random
import threading
import time
from collections.abc import Iterator

from functions.display.history import Changes, History
from functions.display.row import COLUMNS

HEARTBEAT_SECONDS = 5.0
"""A silent stream says something this often: the second time after a viewer left, that is noticed."""

SPREAD = 0.2
"""A stream may end earlier by this part of its time, so that pages that were opened together do not come back so."""

RECONNECT_MS = 1000
"""How long a page waits before it reconnects."""

ROWS_PER_FRAME = 500
"""Rows sent in one message, so that a page which is far behind paints early and no write is large."""

LEAD_SECONDS = 0.002
"""Viewers are told this long after an event came: its sender is answered first, and what comes together is told so."""

GROUP = 16
GROUP_SECONDS = 0.001
"""So many viewers are woken at once, and the next ones this much later. If 200 threads ran for the interpreter at the
same time, an arriving event would wait for all of them."""


class Bell:
    """What one viewer waits for. Lighter than `threading.Event`: 200 of them ring 20 times a second."""

    def __init__(self) -> None:
        self._silence = threading.Lock()

    def ring(self) -> None:
        """Wake the viewer, or let it not fall asleep."""
        if self._silence.locked():
            self._silence.release()  # only one thread rings, so it is still locked

    def wait(self, seconds: float) -> None:
        """Return when it rang, or after *seconds*."""
        self._silence.acquire(timeout=seconds)


class Viewers:
    """Who is watching *history*: at most *places* at once. One thread wakes them when there is something to tell."""

    def __init__(self, history: History, places: int) -> None:
        self.places = places
        self._history = history
        self._bells: set[Bell] = set()
        self._lock = threading.Lock()
        self._crier: threading.Thread | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._bells)

    def enter(self) -> Bell | None:
        """Take a place: a bell that rings when there is something new. None if all are taken."""
        bell = Bell()
        with self._lock:
            if len(self._bells) >= self.places:
                return None
            self._bells.add(bell)
            if self._crier is None:
                self._crier = threading.Thread(target=self._cry, name="crier", daemon=True)
                self._crier.start()
        return bell

    def leave(self, bell: Bell) -> None:
        """Give the place back."""
        with self._lock:
            self._bells.discard(bell)

    def _cry(self) -> None:
        revision = 0
        while (now := self._history.wait(revision)) is not None:
            time.sleep(LEAD_SECONDS)
            revision = max(now, revision)
            with self._lock:
                bells = list(self._bells)
            for start in range(0, len(bells), GROUP):
                for bell in bells[start : start + GROUP]:
                    bell.ring()
                time.sleep(GROUP_SECONDS)
        for bell in list(self._bells):
            bell.ring()


def stream(history: History, bell: Bell, last_id: str, seconds: float) -> Iterator[bytes]:
    """`reset` where the page has to start afresh, `missed` where it has to leave a hole, rows, `state`, and `end`.

    A page starts afresh when it is new or when *last_id* is of another epoch; `reset` names the columns of rows. When
    the ring has moved past a page, `missed` says by how many changes, and all that is held follows. `state` comes with
    every change. `end` comes after *seconds*, or a little earlier: the page opens the next stream, which goes on from
    there. When the display is stopped there is none. *bell* is what `Viewers.enter` gave.
    """
    epoch, _, revision = last_id.partition(".")
    resumed = epoch == history.epoch and revision.isdecimal() and len(revision) < 19
    cursor = int(revision) if resumed else 0
    reset = {"capacity": history.capacity, "columns": COLUMNS, "epoch": history.epoch}
    yield f"retry: {RECONNECT_MS}\n\n".encode() + (b"" if resumed else _message("reset", json.dumps(reset)))
    ends = time.monotonic() + seconds * (1 - SPREAD * random.random())  # noqa: S311 - no secret
    first = True
    while (left := ends - time.monotonic()) > 0:
        if not first:
            bell.wait(min(HEARTBEAT_SECONDS, left))
        changes = history.changes(cursor)
        if changes is None:
            return
        if changes.revision > cursor or first:
            yield from _told(changes, history.epoch, announce_missed=resumed or not first)
            cursor = changes.revision
        else:
            yield b": nothing new\n\n"
        first = False
    yield _message("end", "null")


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
