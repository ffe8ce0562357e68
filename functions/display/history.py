"""The history of events, for many threads: a ring in memory, and a file that follows it.

Nothing here knows HTTP. A viewer asks for the changes after the revision that it has, a page at a time and at its own
pace. There is no queue for each viewer, so a slow one delays nobody. When the ring no longer has the changes that a
viewer missed, the viewer learns how many there were.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from functions.display import row
from functions.display.ring import Counts, Ring, StoredEvent
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError


@dataclass(frozen=True, eq=False)
class Changes:
    """A page of the changes that a viewer gets."""

    since: int
    limit: int
    at: int
    """The ring's revision when they were read."""
    revision: int
    """The revision that the viewer has afterwards."""
    complete: bool
    """False if another page follows."""
    rows: list[tuple[int, bytes]]
    """(revision, row), oldest change first."""
    missed: int
    """Maximum number of changes that the ring no longer has. If not 0, *rows* has all stored events."""
    state: Mapping[str, int | None]
    """The ring's numbers, as the page's footer shows them."""

    @cached_property
    def state_json(self) -> str:
        """The state as JSON, written once for all viewers."""
        return json.dumps(self.state)


class Store(Protocol):
    """A place where events outlive the process.

    The history calls it under its lock. It must not fail because of what an event contains.
    """

    def load(self) -> tuple[str, int, Counts, Iterable[StoredEvent]]:
        """Return the epoch, the revision, the counts, and the events in order of revision."""

    def save(self, changed: StoredEvent | None, dropped: list[StoredEvent], revision: int, counts: Counts) -> None:
        """Save *changed*, which is new or repeated, and delete *dropped*. Raises `TemporaryError`."""

    def close(self) -> None:
        """Release the file."""


class History:
    """The last events: at most *capacity*, and about *size_bytes* of them. Starts with those that *store* kept."""

    def __init__(
        self, capacity: int, size_bytes: int, store: Store | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.epoch = secrets.token_hex(4)
        """Identifies the count of revisions: a new one after a restart, unless the store kept it."""
        self._ring = Ring(capacity, size_bytes)
        self._closed = False
        self._lock = threading.Lock()
        self._last: Changes | None = None
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change and at the close, from the thread that made it."""
        self._store = store
        self._clock = clock
        if store is not None:
            self.epoch, revision, counts, events = store.load()
            self._ring.restore(events, revision, counts)

    @property
    def capacity(self) -> int:
        """Maximum number of events."""
        return self._ring.capacity

    def add(self, events: Iterable[tuple[CloudEvent, row.Summary]], headers: Mapping[str, str]) -> None:
        """Add the events of a request with *headers*, in order, and notify the viewers once.

        An event with the source and id of a stored one is counted as its repeat. Raises `TemporaryError` once closed.
        """
        with self._lock:
            if self._closed:
                raise TemporaryError("the display is being stopped")
            now_ms = round(self._clock() * 1000)
            for event, summary in events:
                self._save(*self._ring.add(event, summary, headers, now_ms))
        self.on_change()

    def reject(self) -> None:
        """Count a request without a valid event."""
        with self._lock:
            self._ring.reject()
            self._save(None, [])
        self.on_change()

    def changes(self, since: int, limit: int) -> Changes | None:
        """Return the oldest *limit* rows that changed after revision *since*, in order, or None once closed."""
        with self._lock:
            if self._closed:
                return None
            last, ring = self._last, self._ring
            if last is not None and (last.since, last.limit, last.at) == (since, limit, ring.revision):
                return last  # most viewers ask for the same changes
            rows, complete = ring.changed_after(since, limit)
            self._last = Changes(
                since=since,
                limit=limit,
                at=ring.revision,
                revision=ring.revision if complete else rows[-1][0],
                complete=complete,
                rows=rows,
                missed=ring.missed_after(since),
                state=ring.state(),
            )
            return self._last

    def get(self, seq: int) -> StoredEvent | None:
        """Return the event number *seq*, or None if it is not stored. Its row and repeats may change later."""
        with self._lock:
            return self._ring.get(seq)

    def events(self) -> list[StoredEvent]:
        """Return all stored events, in order of first arrival."""
        with self._lock:
            events = self._ring.events()
        return sorted(events, key=lambda stored: stored.seq)

    def state(self) -> dict[str, int | None]:
        """Return `held`, `bytes`, `oldest` (ms since 1970, or None if nothing is stored), and the counts."""
        with self._lock:
            return self._ring.state()

    def close(self) -> None:
        """End all streams, and those that start from now on."""
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()
                self._store = None
        self.on_change()

    def _save(self, changed: StoredEvent | None, dropped: list[StoredEvent]) -> None:
        if self._store is not None:
            self._store.save(changed, dropped, self._ring.revision, self._ring.counts)
