"""The history of events, for many threads: a ring in memory, and a file that follows it.

Nothing here knows HTTP. A viewer asks for the changes after the revision that it has, a page at a time and at its own
pace. There is no queue for each viewer, so a slow one delays nobody. When the ring no longer has the changes that a
viewer missed, the viewer learns how many there were.
"""

import contextlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from functions.display import row
from functions.display.health import Health
from functions.display.ring import Counts, Ring, StoredEvent
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError

NEWEST_ROWS = 500
"""A new viewer gets this number of rows to twice as many first. The older ones follow in pages of this number."""

MAX_OLDER_PAGES = 32
"""Pages of older rows that are kept: those of 16,000 events, about 4 MB."""


@dataclass(frozen=True, eq=False)
class Changes:
    """A page of the changes that a viewer gets."""

    revision: int
    """The revision that the viewer has afterwards."""
    complete: bool
    """False if another page follows."""
    rows: list[tuple[int, bytes]]
    """(revision, row), oldest change first."""
    missed: int
    """Maximum number of changes that the ring no longer has."""
    older: int | None
    """If not None, *rows* has the newest of all stored events, and those up to this revision follow with `older`."""
    state: Mapping[str, Any]
    """The ring's numbers, as the page's footer shows them."""

    @cached_property
    def state_json(self) -> str:
        """The state as JSON, written once for all viewers."""
        return json.dumps(self.state)


@dataclass(frozen=True, eq=False)
class OlderRows:
    """Rows that a new viewer gets after the newest ones."""

    message: bytes
    """As the stream sends them, the oldest change first. Written and compressed once for all viewers."""
    older: int
    """The revision up to which rows still follow, or 0."""


class StoreTakenOver(TemporaryError):
    """Another display uses the store now."""


@dataclass(frozen=True)
class Saved:
    """The content of a store."""

    epoch: str
    revision: int
    counts: Counts
    last_seq: int
    """The highest number of an event so far."""
    events: Iterable[StoredEvent]
    """In order of revision."""
    damaged: str | None = None
    """Why earlier events are missing, in words, if they are."""


class Store(Protocol):
    """A place where events outlive the process.

    The history calls it under its lock. It must not fail because of what an event contains.
    """

    def load(self, capacity: int) -> Saved:
        """Return what was saved, with the events that a ring with *capacity* places may hold."""

    def save(self, changed: StoredEvent | None, revision: int, counts: Counts) -> None:
        """Save *changed*, which is new or repeated. Raises `TemporaryError`.

        Always raises `StoreTakenOver` once another display has it.
        """

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
        self._problems: dict[str, str | None] = {"unsaved": None, "damaged": None}
        self._lock = threading.Lock()
        self._health = Health()
        self._pages = _Pages()
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change and at the close, from the thread that made it."""
        self._store = store
        self._closed = ""
        self._clock = clock
        if store is not None:
            saved = store.load(capacity)
            self.epoch = saved.epoch
            self._problems["damaged"] = saved.damaged
            self._ring.restore(saved.events, saved.revision, saved.counts, saved.last_seq)
            for stored in self._ring.events():
                self._health.observe(stored.event, stored.received_ms)

    @property
    def capacity(self) -> int:
        """Maximum number of events."""
        return self._ring.capacity

    def add(self, events: Iterable[tuple[CloudEvent, row.Summary]], headers: Mapping[str, str]) -> None:
        """Add the events of a request with *headers*, in order, and notify the viewers once.

        An event with the source, id and data of a stored one is counted as its repeat. A heartbeat is not stored.
        Raises `TemporaryError` once closed, and if an event cannot be saved: then it is not stored at all.
        """
        try:
            with self._lock:
                if self._closed:
                    raise TemporaryError(self._closed)
                now_ms = round(self._clock() * 1000)
                for event, summary in events:
                    if self._health.observe(event, now_ms):
                        self._ring.touch()
                        continue
                    stored, counts = self._ring.arrival(event, summary, headers, now_ms)
                    self._save(stored, stored.revision, counts)
                    self._ring.put(stored, counts)
        except StoreTakenOver as error:
            self.close(str(error))
            raise
        finally:
            self.on_change()

    def reject(self) -> None:
        """Count a request without a valid event. A failure to save it is ignored."""
        with self._lock, contextlib.suppress(TemporaryError):
            self._ring.reject()
            self._save(None, self._ring.revision, self._ring.counts)
        self.on_change()

    @property
    def revision(self) -> int:
        """The number of the last change."""
        return self._ring.revision

    def changes(self, since: int, limit: int, *, newest_first: bool = False) -> Changes | None:
        """Return the oldest *limit* rows that changed after revision *since*, in order, or None once closed.

        With *newest_first*, or if some of these changes are lost, return the newest of all rows.
        """
        with self._lock:
            if self._closed:
                return None
            return self._pages.changes(
                (since, limit, newest_first, self._ring.revision),
                lambda: self._changes(since, limit, newest_first),
            )

    def _changes(self, since: int, limit: int, newest_first: bool) -> Changes:
        ring = self._ring
        missed = ring.missed_after(since)
        older = ring.newest_bound(NEWEST_ROWS) if newest_first or missed else None
        rows, complete = ring.changed_after(since if older is None else older, None if older is not None else limit)
        return Changes(
            revision=ring.revision if complete else rows[-1][0],
            complete=complete,
            rows=rows,
            missed=missed,
            older=older,
            state=self._state(),
        )

    def older(self, revision: int) -> OlderRows:
        """Return the newest rows whose last change is not after *revision*."""
        with self._lock:
            return self._pages.older(revision, self._ring)

    def get(self, seq: int) -> StoredEvent | None:
        """Return the event number *seq*, or None if it is not stored."""
        with self._lock:
            return self._ring.get(seq)

    def events(self) -> list[StoredEvent]:
        """Return all stored events, in order of first arrival."""
        with self._lock:
            events = self._ring.events()
        return sorted(events, key=lambda stored: stored.seq)

    def state(self) -> dict[str, Any]:
        """Return the ring's numbers, the `sources` with their health, and what is wrong with the file, or None.

        `unsaved` says why events are not saved, and `damaged` why earlier ones were lost.
        """
        with self._lock:
            return self._state()

    def _state(self) -> dict[str, Any]:
        return self._ring.state() | self._problems | {"sources": self._health.document()}

    def close(self, reason: str = "the display is being stopped") -> None:
        """End all streams, and those that start from now on. *reason* answers the events that still arrive."""
        with self._lock:
            self._closed = self._closed or reason
            if self._store is not None:
                self._store.close()
                self._store = None
        self.on_change()

    def _save(self, changed: StoredEvent | None, revision: int, counts: Counts) -> None:
        if self._store is None:
            return
        try:
            self._store.save(changed, revision, counts)
        except TemporaryError as error:
            self._problems["unsaved"] = str(error)
            self._ring.touch()
            raise
        self._problems["unsaved"] = None


class _Pages:
    """The pages of rows that viewers got last, since many viewers ask for the same ones."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._changes: Changes | None = None
        self._older: OrderedDict[int, tuple[int, OlderRows]] = OrderedDict()

    def changes(self, key: tuple[object, ...], read: Callable[[], Changes]) -> Changes:
        if self._changes is None or self._key != key:
            self._key, self._changes = key, read()
        return self._changes

    def older(self, revision: int, ring: Ring) -> OlderRows:
        kept = self._older.get(revision)
        # A kept page may hold rows that changed or left since. Viewers got those changes, and ignore the rows.
        if kept is not None and ring.revision - kept[0] <= NEWEST_ROWS:
            return kept[1]
        rows, older = ring.changed_until(revision, NEWEST_ROWS)
        page = OlderRows(b"event: older\ndata: [" + b",".join(rows) + b"]\n\n", older)
        self._older[revision] = ring.revision, page
        while len(self._older) > MAX_OLDER_PAGES:
            self._older.popitem(last=False)
        return page
