"""The events that the display holds: a ring in memory, and how any number of viewers follow it.

Nothing here knows HTTP. Every change (an event arrived, an event arrived again) gets the next revision. A viewer asks
for what changed since the revision it has, a page at a time and at its own pace: there is no queue per viewer, so a
slow one delays nobody. When the ring has moved past it, it learns how far.
"""

import bisect
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Protocol

from functions.display import row
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError


@dataclass(slots=True)
class Held:
    """One event in the ring."""

    seq: int
    """Its number in order of first arrival, from 1; its address."""
    revision: int
    """The number of its last change."""
    repeats: int
    """How often it arrived after the first time."""
    received_ms: int
    """When it first arrived, in ms since 1970."""
    summary: row.Summary
    attributes: bytes
    """As a JSON object of texts."""
    headers: bytes
    """The other headers of its request, likewise."""
    data: bytes
    row: bytes = b""
    """The summary as JSON, as viewers get it."""
    key: tuple[str, str] = ("", "")
    """(source, id): what makes it the same event when it arrives again."""

    @property
    def size(self) -> int:
        """Bytes it takes, near enough: the rest is some 1,200 bytes an event."""
        return len(self.attributes) + len(self.headers) + len(self.data) + 2 * len(self.row) + 1200


@dataclass(slots=True)
class Counts:
    """What happened since the display was started; with a file, since that was made."""

    received: int = 0
    """Events that arrived, repeats not among them."""
    repeats: int = 0
    gaps: int = 0
    """Reports of the poller that events are missing."""
    refused: int = 0
    """Requests that were no event."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What a viewer is to be told: one page of it."""

    since: int
    limit: int
    at: int
    """The ring's revision when this was said."""
    revision: int
    """What the viewer has afterwards."""
    complete: bool
    """Whether that is everything; if not, the next page follows."""
    rows: list[tuple[int, bytes]]
    """(revision, row), oldest change first."""
    missed: int
    """Changes, at most, that the ring no longer holds. If not 0, *rows* is everything held."""
    state: Mapping[str, int | None]
    """The ring's numbers, as the page's footer shows them."""

    @cached_property
    def told(self) -> str:
        """The state as JSON; written once for all viewers."""
        return json.dumps(self.state)


class Store(Protocol):
    """Where held events outlive the process. Called under the ring's lock; must not fail for what an event contains."""

    def load(self) -> tuple[str, int, Counts, Iterable[Held]]:
        """The epoch, the revision, the counts, and the events in order of revision."""

    def save(self, changed: Held | None, gone: list[Held], revision: int, counts: Counts) -> None:
        """Keep *changed*, which is new or came again, and forget *gone*. Raises `TemporaryError`."""

    def close(self) -> None:
        """Release the file."""


class History:
    """The last events, at most *events* and about *size_bytes* of them; the one that changed longest ago goes first."""

    def __init__(
        self, events: int, size_bytes: int, store: Store | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.capacity = events
        self.epoch = secrets.token_hex(4)
        """What revisions count from: another after a restart, unless the store kept it."""
        self.counts = Counts()
        self._size_limit = size_bytes
        self._size = 0
        self._by_seq: OrderedDict[int, Held] = OrderedDict()  # in order of revision
        self._by_key: dict[tuple[str, str], Held] = {}
        self._seq = 0
        self._revision = 0
        self._gone = 0  # the revision up to which changes have left the ring
        self._closed = False
        self._lock = threading.Lock()
        self._last: Changes | None = None
        self._revisions: list[int] = []  # every change in order; those overtaken by a later one of the same event stay
        self._changed_seqs: list[int] = []  # the event of each
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change, and when the ring closes, from whatever thread made it."""
        self._store = store
        self._clock = clock
        if store is not None:
            self._load(store)

    def add(self, event: CloudEvent) -> None:
        """Take an event in; one whose source and id are held is counted as a repeat of it."""
        self.add_all([(event, row.summary(event))], {})

    def add_all(self, events: list[tuple[CloudEvent, row.Summary]], headers: Mapping[str, str]) -> None:
        """Take the events of a request with *headers* in, in order, and wake the viewers once.

        Raises `TemporaryError` once closed.
        """
        with self._lock:
            if self._closed:
                raise TemporaryError("the display is being stopped")
            for event, event_summary in events:
                self._add(event, event_summary, headers)
        self.on_change()

    def refused(self) -> None:
        """Count a request that was no event."""
        with self._lock:
            self.counts.refused += 1
            self._revision += 1  # viewers are told the number
            if self._store is not None:
                self._store.save(None, [], self._revision, self.counts)
        self.on_change()

    def changes(self, since: int, limit: int) -> Changes | None:
        """Return the oldest *limit* rows that changed after revision *since*, in order; None once closed."""
        with self._lock:
            if self._closed:
                return None
            last = self._last
            if last is not None and (last.since, last.limit, last.at) == (since, limit, self._revision):
                return last  # most viewers ask for the same
            rows: list[tuple[int, bytes]] = []
            index = bisect.bisect_right(self._revisions, since)
            while index < len(self._revisions) and len(rows) < limit:
                revision = self._revisions[index]
                held = self._by_seq.get(self._changed_seqs[index])
                if held is not None and held.revision == revision:
                    rows.append((revision, held.row))
                index += 1
            complete = index == len(self._revisions)
            self._last = Changes(
                since=since,
                limit=limit,
                at=self._revision,
                revision=self._revision if complete else rows[-1][0],
                complete=complete,
                rows=rows,
                missed=max(0, self._gone - since),
                state=self._state(),
            )
            return self._last

    def one(self, seq: int) -> Held | None:
        """The event number *seq*; None if it is not held. Its row and repeats may change, the rest does not."""
        with self._lock:
            return self._by_seq.get(seq)

    def everything(self) -> list[Held]:
        """All events held, in order of first arrival."""
        with self._lock:
            held = list(self._by_seq.values())
        return sorted(held, key=lambda each: each.seq)

    def state(self) -> dict[str, int | None]:
        """`held`, `bytes`, `oldest` (ms since 1970, None if nothing is held), and the counts."""
        with self._lock:
            return self._state()

    def close(self) -> None:
        """Send every viewer away, and those that come from now on."""
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()
                self._store = None
        self.on_change()

    def _add(self, event: CloudEvent, event_summary: row.Summary, headers: Mapping[str, str]) -> None:
        key = (event.attributes["source"], event.attributes["id"])
        self._revision += 1
        held = self._by_key.get(key)
        if held is None:
            self._seq += 1
            self.counts.received += 1
            self.counts.gaps += event.attributes["type"] == status_events.GAP
            held = Held(
                seq=self._seq,
                revision=self._revision,
                repeats=0,
                received_ms=round(self._clock() * 1000),
                summary=event_summary,
                attributes=_json(event.attributes),
                headers=_json(headers),
                data=event.data,
                key=key,
            )
        else:
            self.counts.repeats += 1
            self._forget(held)
            held.revision = self._revision
            held.repeats += 1
        self._hold(held)
        gone = self._shrink()
        if self._store is not None:
            self._store.save(held, gone, self._revision, self.counts)

    def _hold(self, held: Held) -> None:
        held.row = row.write(held.seq, held.repeats, held.received_ms, held.summary)
        self._by_seq[held.seq] = self._by_key[held.key] = held
        self._size += held.size
        self._revisions.append(held.revision)
        self._changed_seqs.append(held.seq)
        if len(self._revisions) > 2 * len(self._by_seq) + 1000:
            self._revisions = [each.revision for each in self._by_seq.values()]
            self._changed_seqs = list(self._by_seq)

    def _forget(self, held: Held) -> None:
        del self._by_seq[held.seq], self._by_key[held.key]
        self._size -= held.size

    def _shrink(self) -> list[Held]:
        """Let go of what is too much; never of the newest."""
        gone = []
        while len(self._by_seq) > self.capacity or (self._size > self._size_limit and len(self._by_seq) > 1):
            oldest = next(iter(self._by_seq.values()))
            self._forget(oldest)
            self._gone = oldest.revision
            gone.append(oldest)
        return gone

    def _state(self) -> dict[str, int | None]:
        oldest = next(iter(self._by_seq.values()), None)
        return {
            "held": len(self._by_seq),
            "bytes": self._size,
            "oldest": oldest.received_ms if oldest is not None else None,
            **asdict(self.counts),
        }

    def _load(self, store: Store) -> None:
        self.epoch, self._revision, self.counts, kept = store.load()
        self._gone = self._revision
        for held in kept:
            self._hold(held)
            self._seq = max(self._seq, held.seq)
            self._gone = min(self._gone, held.revision - 1)
        self._shrink()


def _json(texts: Mapping[str, str]) -> bytes:
    return json.dumps(dict(texts), ensure_ascii=False).encode("utf-8", "replace")
