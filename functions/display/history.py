"""The events that the display holds: a ring in memory, and how any number of viewers follow it.

Nothing here knows HTTP. Every change (an event arrived, an event arrived again) gets the next revision. A viewer asks
for what changed since the revision it has, in its own thread and at its own pace: there is no queue per viewer, so a
slow one holds up nobody; when the ring has moved past it, it learns how far.
"""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """What a row shows."""

    time: str
    type: str
    subject: str
    message: str


@dataclass(slots=True)
class Held:
    """One event in the ring."""

    key: tuple[str, str]
    """(source, id): what makes it the same event when it arrives again."""
    seq: int
    """Its number in order of first arrival, from 1; its address."""
    revision: int
    """The number of its last change."""
    repeats: int
    """How often it arrived after the first time."""
    summary: Summary
    row: bytes
    """The summary as JSON, as viewers get it."""
    document: bytes
    """The whole event, in structured mode (a CloudEvent as JSON)."""

    @property
    def size(self) -> int:
        """Bytes it takes, near enough: the rest is some 500 bytes an event."""
        return len(self.document) + 2 * len(self.row) + 500


@dataclass(frozen=True, slots=True)
class Changes:
    """What a viewer is to be told."""

    rows: list[tuple[int, bytes]]
    """(revision, row), oldest change first."""
    missed: int
    """Changes, at most, that the ring no longer holds. If not 0, *rows* is everything held."""


class History:
    """The last events, at most *events* and about *size_bytes* of them; the one that changed longest ago goes first."""

    def __init__(self, events: int, size_bytes: int) -> None:
        self.capacity = events
        self._size_limit = size_bytes
        self._size = 0
        self._by_seq: OrderedDict[int, Held] = OrderedDict()  # in order of revision
        self._by_key: dict[tuple[str, str], Held] = {}
        self._seq = 0
        self._revision = 0
        self._gone = 0  # the revision up to which changes have left the ring
        self._closed = False
        self._changed = threading.Condition()

    def add(self, key: tuple[str, str], summary: Summary, document: bytes) -> None:
        """Take an event in; one whose *key* is held is counted as a repeat of it."""
        with self._changed:
            self._revision += 1
            held = self._by_key.get(key)
            if held is None:
                self._seq += 1
                held = Held(key, self._seq, self._revision, 0, summary, b"", document)
                held.row = _row(held)
                self._by_key[key] = self._by_seq[held.seq] = held
                self._size += held.size
            else:
                self._size -= held.size
                held.revision = self._revision
                held.repeats += 1
                held.row = _row(held)
                self._size += held.size
                self._by_seq.move_to_end(held.seq)
            while len(self._by_seq) > self.capacity or (self._size > self._size_limit and len(self._by_seq) > 1):
                self._drop_oldest()
            self._changed.notify_all()

    def _drop_oldest(self) -> None:
        _, oldest = self._by_seq.popitem(last=False)
        del self._by_key[oldest.key]
        self._size -= oldest.size
        self._gone = oldest.revision

    def changes(self, since: int, wait_seconds: float) -> Changes | None:
        """What changed after revision *since*; waits for it, and is empty if nothing came. None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._revision > since, wait_seconds)
            if self._closed:
                return None
            rows: list[tuple[int, bytes]] = []
            for held in reversed(self._by_seq.values()):
                if held.revision <= since:
                    break
                rows.append((held.revision, held.row))
            rows.reverse()
            return Changes(rows, missed=max(0, self._gone - since))

    def document(self, seq: int) -> tuple[bytes, int] | None:
        """The whole event (structured mode) number *seq* and how often it was repeated; None if it is not held."""
        with self._changed:
            held = self._by_seq.get(seq)
            return (held.document, held.repeats) if held is not None else None

    def close(self) -> None:
        """Send every viewer away, and those that come from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _row(held: Held) -> bytes:
    summary = held.summary
    row: dict[str, str | int] = {
        "seq": held.seq,
        "time": summary.time,
        "type": summary.type,
        "subject": summary.subject,
        "message": summary.message,
    }
    if held.repeats:
        row["repeats"] = held.repeats
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
