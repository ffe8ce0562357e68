"""The stored events as a pure data structure: bounded, in order of their last change, and numbered.

Errors and warnings have places of their own, so that a flood of other events does not push out what explains an outage.

Every change (a new event, a repeated event, a rejected request) gets the next revision, so that a viewer can ask for
the changes after the one that it has.
"""

import bisect
import heapq
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from operator import attrgetter

from functions.display import row
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from vsphere import severity

Key = tuple[str, str]
"""Source and id, which make it the same event when it arrives again with the same data."""

_SEVERITY, _TYPE = (row.SUMMARY_NAMES.index(name) for name in ("severity", "type"))

_CONSEQUENCES = frozenset(
    f"com.vmware.vsphere.{name}.v0"
    for name in (
        "VmDisconnectedEvent",
        "VmRestartedOnAlternateHostEvent",
        "com.vmware.vc.ha.VmRestartedByHAEvent",
        "HostDisconnectedEvent",
        "VmOrphanedEvent",
    )
)
"""Types that the catalogue calls information, and that a lost host has by the dozen: they say what it took along."""

RESERVED_SHARE = 0.2
"""The share of the places that only errors and warnings take."""


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
    version: int = 1
    """1, or more if an event with the same source and id and other data arrived before."""
    row: bytes = b""
    """The summary as JSON, as viewers get it."""

    @property
    def size(self) -> int:
        """Approximate memory in bytes: about 1,200 bytes more than its contents."""
        return len(self.attributes) + len(self.headers) + len(self.data) + 2 * len(self.row) + 1200

    @property
    def is_important(self) -> bool:
        """Return whether it is an error, a warning, or what usually follows one."""
        return not str(self.summary[_SEVERITY]).startswith(severity.INFO) or self.summary[_TYPE] in _CONSEQUENCES

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

    def until(self, revision: int) -> Iterator[tuple[int, int]]:
        """Yield (revision, seq) of the changes up to *revision*, newest first."""
        for index in range(bisect.bisect_right(self._revisions, revision) - 1, -1, -1):
            yield self._revisions[index], self._seqs[index]


class Ring:
    """The last events: at most *capacity*, and about *size_limit* bytes. The least recently changed leaves first.

    Errors and warnings have a share of the places for themselves (`RESERVED_SHARE`).
    """

    def __init__(self, capacity: int, size_limit: int) -> None:
        self.capacity = capacity
        self.counts = Counts()
        self.revision = 0
        self._size_limit = size_limit
        self._size = 0
        self._by_seq = _Events()
        self._by_key: dict[Key, StoredEvent] = {}
        self._last_seq = 0
        self._journal = Journal()
        self._dropped_revision = 0  # of the last event that left

    def arrival(
        self, event: CloudEvent, summary: row.Summary, headers: Mapping[str, str], now_ms: int
    ) -> tuple[StoredEvent, Counts]:
        """Return an event as it will be stored, and the counts afterwards. Nothing changes until `put`.

        The event may be a repeat of a stored one. It is not if its data differ.
        """
        key = event["source"], event["id"]
        known = self._by_key.get(key)
        if known is not None and known.data == event.data:
            counts = replace(self.counts, repeats=self.counts.repeats + 1)
            return replace(known, revision=self.revision + 1, repeats=known.repeats + 1), counts
        counts = replace(
            self.counts,
            received=self.counts.received + 1,
            gaps=self.counts.gaps + (event["type"] == status_events.GAP),
        )
        stored = StoredEvent(
            seq=self._last_seq + 1,
            revision=self.revision + 1,
            repeats=0,
            received_ms=now_ms,
            summary=summary,
            attributes=_json(event.attributes),
            headers=_json(headers),
            data=event.data,
            key=key,
            version=1 if known is None else known.version + 1,
        )
        return stored, counts

    def put(self, stored: StoredEvent, counts: Counts) -> None:
        """Store what `arrival` returned, in place of an earlier state, and remove what has no place any more."""
        self.revision, self.counts = stored.revision, counts
        earlier = self._by_seq.get(stored.seq)
        if earlier is not None:
            self._remove(earlier)
        self._insert(stored)
        self._shrink()

    def reject(self) -> None:
        """Count a request without a valid event. This is a change, because viewers see the number."""
        self.counts.rejected += 1
        self.touch()

    def touch(self) -> None:
        """Number a change without an event, so that viewers get the state."""
        self.revision += 1

    def restore(self, events: Iterable[StoredEvent], revision: int, counts: Counts, last_seq: int = 0) -> None:
        """Fill an empty ring with *events*, in order of revision. The next event has a number after *last_seq*."""
        self.revision, self.counts, self._last_seq = revision, counts, last_seq
        self._dropped_revision = 0
        for stored in events:
            self._insert(stored)
        self._shrink()
        oldest = self._by_seq.oldest()
        if self._dropped_revision == 0:
            self._dropped_revision = revision if oldest is None else oldest.revision - 1

    def changed_after(self, revision: int, limit: int | None) -> tuple[list[tuple[int, bytes]], bool]:
        """Return (revision, row) of the oldest *limit* changes after *revision*, in order, and whether that is all."""
        rows: list[tuple[int, bytes]] = []
        for change, stored in self._last_changes(self._journal.after(revision)):
            if len(rows) == limit:
                return rows, False
            rows.append((change, stored.row))
        return rows, True

    def changed_until(self, revision: int, limit: int) -> tuple[list[bytes], int]:
        """Return the rows of the newest *limit* changes up to *revision*, in order, and the revision before them.

        That is 0 if there are no others.
        """
        rows: list[bytes] = []
        for change, stored in self._last_changes(self._journal.until(revision)):
            if len(rows) == limit:
                return rows[::-1], change
            rows.append(stored.row)
        return rows[::-1], 0

    def newest_bound(self, number: int) -> int:
        """Return a revision after which there are *number* to twice as many changes, or 0 if there are fewer.

        It stays the same for a while, so that viewers that come one after the other get the same older rows.
        """
        bound = max(0, self.revision // number - 1) * number
        oldest = self._by_seq.oldest()
        return bound if oldest is not None and oldest.revision <= bound else 0

    def missed_after(self, revision: int) -> int:
        """Return the maximum number of changes after *revision* that the ring no longer has."""
        return max(0, self._dropped_revision - revision)

    def get(self, seq: int) -> StoredEvent | None:
        """Return the event number *seq*, or None."""
        return self._by_seq.get(seq)

    def events(self) -> list[StoredEvent]:
        """Return all events, in order of their last change."""
        return self._by_seq.in_order()

    def state(self) -> dict[str, int | None]:
        """Return the numbers of events, of errors and warnings among them and of bytes, and the counts.

        `oldest` is in ms since 1970, or None if the ring is empty.
        """
        oldest = self._by_seq.oldest_ordinary() or self._by_seq.oldest()
        return {
            "held": len(self._by_seq),
            "important": len(self._by_seq.important),
            "bytes": self._size,
            "oldest": oldest.received_ms if oldest is not None else None,
            **asdict(self.counts),
        }

    def _last_changes(self, changes: Iterator[tuple[int, int]]) -> Iterator[tuple[int, StoredEvent]]:
        for change, seq in changes:
            stored = self._by_seq.get(seq)
            if stored is not None and stored.revision == change:
                yield change, stored

    def _insert(self, stored: StoredEvent) -> None:
        stored.row = row.write(
            stored.seq, stored.repeats, stored.received_ms, stored.version, stored.is_important, stored.summary
        )
        self._last_seq = max(self._last_seq, stored.seq)
        self._by_seq.add(stored)
        self._by_key[stored.key] = stored
        self._size += stored.size
        self._journal.append(stored)
        if len(self._journal) > 2 * len(self._by_seq) + 1000:
            self._journal = Journal(self._by_seq.in_order())

    def _remove(self, stored: StoredEvent) -> None:
        self._by_seq.remove(stored)
        if self._by_key.get(stored.key) is stored:
            del self._by_key[stored.key]
        self._size -= stored.size

    def _shrink(self) -> None:
        """Remove events until both limits hold, but never the newest."""
        reserved = int(self.capacity * RESERVED_SHARE)
        while len(self._by_seq) > self.capacity or (self._size > self._size_limit and len(self._by_seq) > 1):
            oldest = self._by_seq.next_to_leave(reserved, self.revision)
            self._remove(oldest)
            self._dropped_revision = max(self._dropped_revision, oldest.revision)


class _Events:
    """Events by number, in order of revision: errors and warnings apart from the others."""

    def __init__(self) -> None:
        self.important: OrderedDict[int, StoredEvent] = OrderedDict()
        self.ordinary: OrderedDict[int, StoredEvent] = OrderedDict()

    def __len__(self) -> int:
        return len(self.important) + len(self.ordinary)

    def get(self, seq: int) -> StoredEvent | None:
        return self.ordinary.get(seq) or self.important.get(seq)

    def add(self, stored: StoredEvent) -> None:
        (self.important if stored.is_important else self.ordinary)[stored.seq] = stored

    def remove(self, stored: StoredEvent) -> None:
        del (self.important if stored.is_important else self.ordinary)[stored.seq]

    def in_order(self) -> list[StoredEvent]:
        return list(heapq.merge(self.ordinary.values(), self.important.values(), key=attrgetter("revision")))

    def oldest(self) -> StoredEvent | None:
        both = [next(iter(events.values())) for events in (self.important, self.ordinary) if events]
        return min(both, key=attrgetter("revision"), default=None)

    def oldest_ordinary(self) -> StoredEvent | None:
        return next(iter(self.ordinary.values()), None)

    def next_to_leave(self, reserved: int, newest: int) -> StoredEvent:
        """Return the oldest, but not one of the last *reserved* errors and warnings, nor the one of revision *newest*.

        If there are only such events, return the oldest.
        """
        ordinary, oldest = self.oldest_ordinary(), self.oldest()
        if ordinary is not None and ordinary.revision != newest and len(self.important) <= reserved:
            return ordinary
        assert oldest is not None  # noqa: S101 - only a ring with events shrinks
        return oldest


def _json(strings: Mapping[str, str]) -> bytes:
    return json.dumps(dict(strings), ensure_ascii=False).encode("utf-8", "replace")
