"""The stored events as a pure data structure: bounded, in order of their last change, and numbered.

Every change (a new event, a repeated event, a rejected request) gets the next revision, so that a viewer can ask for
the changes after the one that it has.
"""

import bisect
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from functions.display import row
from pipeline import status_events
from pipeline.cloudevents import CloudEvent

Key = tuple[str, str]
"""Source and id, which make it the same event when it arrives again."""


@dataclass(slots=True)
class StoredEvent:
    """One event in the ring."""

    seq: int
    """Its number in order of first arrival, from 1. The API addresses it by this."""
    revision: int
    """The number of its last change."""
    repeats: int
    """The number of arrivals after the first."""
    received_ms: int
    """Time of the first arrival, in ms since 1970."""
    summary: row.Summary
    attributes: bytes
    """A JSON object of strings."""
    headers: bytes
    """The other headers of its request, in the same form."""
    data: bytes
    key: Key
    row: bytes = b""
    """The summary as JSON, as viewers get it."""

    @property
    def size(self) -> int:
        """Approximate memory in bytes: about 1,200 bytes more than its contents."""
        return len(self.attributes) + len(self.headers) + len(self.data) + 2 * len(self.row) + 1200

    @property
    def event(self) -> CloudEvent:
        """The event as it arrived."""
        return CloudEvent(json.loads(self.attributes), self.data)


@dataclass(slots=True)
class Counts:
    """Counts since the display was started, or with a file since that was created."""

    received: int = 0
    """Events that arrived, without repeats."""
    repeats: int = 0
    gaps: int = 0
    """Status events that report a gap."""
    rejected: int = 0
    """Requests without a valid event."""


class Journal:
    """The changes of *events*, in order. Searched by revision, so that a page of changes is found at once.

    A change stays when a later one of the same event follows, until the journal is recreated.
    """

    def __init__(self, events: Iterable[StoredEvent] = ()) -> None:
        self._revisions: list[int] = []
        self._seqs: list[int] = []
        for stored in events:
            self.append(stored)

    def __len__(self) -> int:
        return len(self._revisions)

    def append(self, stored: StoredEvent) -> None:
        """Add the last change of *stored*."""
        self._revisions.append(stored.revision)
        self._seqs.append(stored.seq)

    def after(self, revision: int) -> Iterator[tuple[int, int]]:
        """Yield (revision, seq) of the changes after *revision*, oldest first."""
        for index in range(bisect.bisect_right(self._revisions, revision), len(self._revisions)):
            yield self._revisions[index], self._seqs[index]


class Ring:
    """The last events: at most *capacity*, and about *size_limit* bytes. The least recently changed leaves first."""

    def __init__(self, capacity: int, size_limit: int) -> None:
        self.capacity = capacity
        self.counts = Counts()
        self.revision = 0
        self._size_limit = size_limit
        self._size = 0
        self._by_seq: OrderedDict[int, StoredEvent] = OrderedDict()  # in order of revision
        self._by_key: dict[Key, StoredEvent] = {}
        self._last_seq = 0
        self._journal = Journal()
        self._dropped_revision = 0  # of the last event that left

    def add(
        self, event: CloudEvent, summary: row.Summary, headers: Mapping[str, str], now_ms: int
    ) -> tuple[StoredEvent, list[StoredEvent]]:
        """Add an event, or count it as a repeat. Return it as stored, and those that it displaced."""
        self.revision += 1
        key = event["source"], event["id"]
        stored = self._by_key.get(key)
        if stored is None:
            self._last_seq += 1
            self.counts.received += 1
            self.counts.gaps += event["type"] == status_events.GAP
            stored = StoredEvent(
                seq=self._last_seq,
                revision=self.revision,
                repeats=0,
                received_ms=now_ms,
                summary=summary,
                attributes=_json(event.attributes),
                headers=_json(headers),
                data=event.data,
                key=key,
            )
        else:
            self.counts.repeats += 1
            self._remove(stored)
            stored.revision = self.revision
            stored.repeats += 1
        self._insert(stored)
        return stored, self._shrink()

    def reject(self) -> None:
        """Count a request without a valid event. This is a change, because viewers see the number."""
        self.counts.rejected += 1
        self.revision += 1

    def restore(self, events: Iterable[StoredEvent], revision: int, counts: Counts) -> None:
        """Fill an empty ring with *events*, in order of revision."""
        self.revision, self.counts = revision, counts
        self._dropped_revision = revision
        for stored in events:
            self._insert(stored)
            self._last_seq = max(self._last_seq, stored.seq)
            self._dropped_revision = min(self._dropped_revision, stored.revision - 1)
        self._shrink()

    def changed_after(self, revision: int, limit: int) -> tuple[list[tuple[int, bytes]], bool]:
        """Return (revision, row) of the oldest *limit* changes after *revision*, in order, and whether that is all."""
        rows: list[tuple[int, bytes]] = []
        for change, seq in self._journal.after(revision):
            if len(rows) == limit:
                return rows, False
            stored = self._by_seq.get(seq)
            if stored is not None and stored.revision == change:
                rows.append((change, stored.row))
        return rows, True

    def missed_after(self, revision: int) -> int:
        """Return the maximum number of changes after *revision* that the ring no longer has."""
        return max(0, self._dropped_revision - revision)

    def get(self, seq: int) -> StoredEvent | None:
        """Return the event number *seq*, or None. Its row and repeats may change."""
        return self._by_seq.get(seq)

    def events(self) -> list[StoredEvent]:
        """Return all events, in order of their last change."""
        return list(self._by_seq.values())

    def state(self) -> dict[str, int | None]:
        """Return `held`, `bytes`, `oldest` (ms since 1970, or None if the ring is empty), and the counts."""
        oldest = next(iter(self._by_seq.values()), None)
        return {
            "held": len(self._by_seq),
            "bytes": self._size,
            "oldest": oldest.received_ms if oldest is not None else None,
            **asdict(self.counts),
        }

    def _insert(self, stored: StoredEvent) -> None:
        stored.row = row.write(stored.seq, stored.repeats, stored.received_ms, stored.summary)
        self._by_seq[stored.seq] = self._by_key[stored.key] = stored
        self._size += stored.size
        self._journal.append(stored)
        if len(self._journal) > 2 * len(self._by_seq) + 1000:
            self._journal = Journal(self._by_seq.values())

    def _remove(self, stored: StoredEvent) -> None:
        del self._by_seq[stored.seq], self._by_key[stored.key]
        self._size -= stored.size

    def _shrink(self) -> list[StoredEvent]:
        """Remove events until both limits hold, but never the newest. Return them."""
        dropped = []
        while len(self._by_seq) > self.capacity or (self._size > self._size_limit and len(self._by_seq) > 1):
            oldest = next(iter(self._by_seq.values()))
            self._remove(oldest)
            self._dropped_revision = oldest.revision
            dropped.append(oldest)
        return dropped


def _json(strings: Mapping[str, str]) -> bytes:
    return json.dumps(dict(strings), ensure_ascii=False).encode("utf-8", "replace")
