"""Dead letters in SQLite: undeliverable events with the reason, the number of failures and their times.

There is one dead letter for each event and destination, because an event may fail at two subscribers for two reasons.
An event that fails again after a redrive updates its dead letter, so failures are counted and do not multiply.
"""

import base64
import contextlib
import dataclasses
import enum
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from functions.deadletter.failure import Failure
from pipeline.cloudevents import LENIENT, CloudEvent, from_json, to_json
from pipeline.errors import TemporaryError

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead_letters (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    destination  TEXT NOT NULL,
    type         TEXT NOT NULL,
    subject      TEXT NOT NULL,
    time         TEXT NOT NULL,
    code         INTEGER,
    response     TEXT NOT NULL,
    arrival      TEXT NOT NULL,
    failures     INTEGER NOT NULL,
    first_failed TEXT NOT NULL,
    last_failed  TEXT NOT NULL,
    state        TEXT NOT NULL,
    redrives     INTEGER NOT NULL,
    changed      TEXT NOT NULL,
    note         TEXT NOT NULL,
    size         INTEGER NOT NULL,
    event        TEXT NOT NULL,
    UNIQUE (source, id, destination)
);
CREATE INDEX IF NOT EXISTS dead_letters_by_age ON dead_letters (last_failed);
CREATE INDEX IF NOT EXISTS dead_letters_by_deletion_order ON dead_letters ((state = 'waiting'), last_failed);
"""

_INSERT = """
INSERT INTO dead_letters (
    source, id, destination, type, subject, time, code, response, arrival,
    failures, first_failed, last_failed, state, redrives, changed, note, size, event
) VALUES (
    :source, :id, :destination, :type, :subject, :time, :code, :response, :arrival,
    :failures, :first_failed, :last_failed, :state, :redrives, :changed, :note, :size, :event
)
ON CONFLICT (source, id, destination)
"""

_INSERT_OR_COUNT = f"""
{_INSERT} DO UPDATE SET
    failures = failures + 1, last_failed = :last_failed, state = 'waiting', changed = :changed, note = '',
    code = :code, response = :response, arrival = :arrival,
    type = :type, subject = :subject, time = :time, size = :size, event = :event
WHERE excluded.arrival != arrival OR (arrival = '' AND state != 'waiting')
RETURNING number, failures
"""

_INSERT_IF_NEW = f"{_INSERT} DO NOTHING"

_SELECT_EXISTING = """
SELECT number, failures, size FROM dead_letters WHERE source = :source AND id = :id AND destination = :destination
"""

_OLDEST_WAITING = "SELECT MIN(last_failed) FROM dead_letters WHERE (state = 'waiting') = 1"

_DELETION_CANDIDATE = """
SELECT number, state FROM dead_letters WHERE number != ? ORDER BY (state = 'waiting'), last_failed LIMIT 1
"""


class State(enum.StrEnum):
    """The state of a dead letter."""

    WAITING = "waiting"
    """An operator has to redrive or drop it."""
    REDRIVEN = "redriven"
    """The Broker accepted the event again, and it has not come back."""
    DROPPED = "dropped"
    """An operator dropped it."""


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """One event that could not be delivered to one destination, without the event's data. Times are UTC, ISO 8601."""

    number: int
    source: str
    id: str
    destination: str
    type: str
    subject: str
    time: str
    code: int | None
    response: str
    arrival: str
    failures: int
    first_failed: str
    last_failed: str
    state: str
    redrives: int
    changed: str
    note: str
    """The reason for which it was dropped, or for which the Broker did not accept it at the last redrive."""


_COLUMNS = ", ".join(field.name for field in dataclasses.fields(DeadLetter))


class DeadLetterStore:
    """The dead letters of one pod, for use from many threads. Every method may raise `sqlite3.Error`."""

    def __init__(self, file: Path | None, max_events: int, max_bytes: int, max_age_seconds: float) -> None:
        """Open *file*, or memory if it is None.

        The store deletes dead letters beyond *max_events* or *max_bytes*, and redriven and dropped ones older than
        *max_age_seconds*.
        """
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_age = timedelta(seconds=max_age_seconds)
        self._lock = threading.Lock()
        self._sealed = False
        self._db = sqlite3.connect(file or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA temp_store = MEMORY")  # the container's file system is read-only
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # survives a crash; a power failure may lose the last second
        self._db.executescript(_SCHEMA)
        # Totals are maintained, because counting 10,000 rows takes longer than inserting one.
        self._count, self._size = self._db.execute("SELECT COUNT(*), IFNULL(SUM(size), 0) FROM dead_letters").fetchone()

    def add(self, event: CloudEvent, failure: Failure, now: datetime) -> tuple[int, int]:
        """Store *event*, as it first arrived at the Broker. Return the dead letter's number and its count of failures.

        The same failure (by its time of arrival at the Broker) counts once. Raises `TemporaryError` if sealed.
        """
        row = _new_row(event, failure, now)
        with self._transaction():
            existing = self._db.execute(_SELECT_EXISTING, row).fetchone()
            stored = self._db.execute(_INSERT_OR_COUNT, row).fetchone()
            if stored is None:
                number, failures, _ = existing
                return number, failures
            number, failures = stored
            self._count += existing is None
            self._size += row["size"] - (existing[2] if existing else 0)
            self._delete_old(now)
            self._make_room(number)
        return number, failures

    def add_received(self, received: Sequence[tuple[DeadLetter, str]], now: datetime) -> int:
        """Store another store's dead letters, each with its event as structured JSON, under numbers of this store.

        Return how many this store has now. One that exists here already does not change. A waiting one of this store is
        never deleted to make room. Raises `TemporaryError` if sealed.
        """
        accepted = 0
        with self._transaction():
            self._delete_old(now)
            for dead_letter, event in received:
                row = {**dataclasses.asdict(dead_letter), "size": len(event.encode()), "event": event}
                if self._db.execute(_SELECT_EXISTING, row).fetchone() is not None:
                    accepted += 1
                elif self._has_room(row["size"]):
                    self._db.execute(_INSERT_IF_NEW, row)
                    self._count, self._size = self._count + 1, self._size + row["size"]
                    accepted += 1
        return accepted

    def select(
        self,
        *,
        state: str = "",
        type_: str = "",
        destination: str = "",
        before: int | None = None,
        limit: int = -1,
    ) -> list[DeadLetter]:
        """Return the dead letters of that *state*, *type_* and *destination* ("" is any), highest number first.

        Only those with a number below *before*, and at most *limit* (-1 is all).
        """
        criteria = {"state": state, "type": type_, "destination": destination}
        criteria = {column: value for column, value in criteria.items() if value}
        conditions = [f"{column} = :{column}" for column in criteria] + ["number < :before"] * (before is not None)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        values = {**criteria, "before": before, "limit": limit}
        return self._select(f"{where} ORDER BY number DESC LIMIT :limit", values)

    def numbered(self, numbers: Sequence[int]) -> list[DeadLetter]:
        """Return the dead letters with these *numbers*, in their order. Numbers that do not exist are left out."""
        return [
            dead_letter
            for number in numbers
            for dead_letter in self._select("WHERE number = :number", {"number": number})
        ]

    def event(self, number: int) -> str | None:
        """Return a dead letter's event as structured JSON, or None if it does not exist."""
        with self._lock:
            row = self._db.execute("SELECT event FROM dead_letters WHERE number = ?", (number,)).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[str, int]:
        """Return the number of dead letters in each state."""
        with self._lock:
            rows = self._db.execute("SELECT state, COUNT(*) FROM dead_letters GROUP BY state").fetchall()
        return {state.value: 0 for state in State} | dict(rows)

    def oldest_waiting(self) -> datetime | None:
        """Return the time of the last failure of the waiting dead letter whose last failure is longest ago, if any."""
        with self._lock:
            (time,) = self._db.execute(_OLDEST_WAITING).fetchone()
        return datetime.fromisoformat(time) if time else None

    def mark_redriven(self, dead_letter: DeadLetter, now: datetime) -> None:
        """Record that the Broker accepted the event again. If it has failed again by now, it stays waiting."""
        self._update(
            "redrives = redrives + 1, changed = :now, note = '',"
            " state = CASE WHEN failures = :failures THEN 'redriven' ELSE state END",
            dead_letter,
            {"failures": dead_letter.failures, "now": _text(now)},
        )

    def mark_dropped(self, dead_letter: DeadLetter, reason: str, now: datetime) -> None:
        """Record that an operator dropped *dead_letter* for *reason*."""
        values = {"note": reason, "now": _text(now)}
        self._update("state = 'dropped', changed = :now, note = :note", dead_letter, values)

    def annotate(self, dead_letter: DeadLetter, note: str) -> None:
        """Record the reason for which *dead_letter* could not be redriven."""
        self._update("note = :note", dead_letter, {"note": note})

    def seal(self) -> None:
        """Store nothing from now on, so that a handover is complete."""
        with self._lock:
            self._sealed = True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction that inserts. Raises `TemporaryError` if sealed."""
        with self._lock:
            if self._sealed:
                raise TemporaryError("this pod shuts down, the next one stores the dead letter")
            with self._db:
                yield

    def _select(self, clause: str, values: dict[str, Any]) -> list[DeadLetter]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM dead_letters {clause}", values).fetchall()  # noqa: S608 - clauses are written above
        return [DeadLetter(*row) for row in rows]

    def _update(self, assignments: str, dead_letter: DeadLetter, values: dict[str, Any]) -> None:
        statement = f"UPDATE dead_letters SET {assignments} WHERE number = :number"  # noqa: S608 - assignments are written above
        with self._lock, self._db:
            self._db.execute(statement, {**values, "number": dead_letter.number})

    def _delete_old(self, now: datetime) -> None:
        """Delete redriven and dropped ones that are too old.

        Waiting ones stay, whatever the clock says: one jump of it would delete all of them, and nobody has seen them.
        """
        self._delete("state != 'waiting' AND last_failed < ?", (_text(now - self._max_age),), reason="too old")

    def _make_room(self, newest: int) -> None:
        """Delete what exceeds the maximum, except *newest*: redriven and dropped ones first, oldest first."""
        while (self._count > self._max_events or self._size > self._max_bytes) and self._count > 1:
            number, _ = self._db.execute(_DELETION_CANDIDATE, (newest,)).fetchone()
            self._delete("number = ?", (number,), reason="no room")

    def _has_room(self, size: int) -> bool:
        """Return whether there is room for another of *size* bytes, and delete redriven and dropped ones for it."""
        while self._count + 1 > self._max_events or self._size + size > self._max_bytes:
            candidate = self._db.execute(_DELETION_CANDIDATE, (0,)).fetchone()
            if candidate is None or candidate[1] == State.WAITING:
                return False
            self._delete("number = ?", (candidate[0],), reason="no room")
        return True

    def _delete(self, condition: str, values: tuple[Any, ...], reason: str) -> None:
        statement = f"DELETE FROM dead_letters WHERE {condition} RETURNING size, number, state, id, source, destination"  # noqa: S608 - conditions are written above
        deleted = self._db.execute(statement, values).fetchall()
        for size, number, state, event_id, source, destination in deleted:
            self._count, self._size = self._count - 1, self._size - size
            if state == State.WAITING:
                its = {"id": event_id, "source": source, "destination": destination}
                log.warning("waiting dead letter deleted", number=number, reason=reason, **its)


def _new_row(event: CloudEvent, failure: Failure, now: datetime) -> dict[str, Any]:
    """Return the values of a dead letter that failed for the first time."""
    structured = _structured(event)
    return {
        "source": event["source"],
        "id": event["id"],
        "type": event["type"],
        **{name: str(event.get(name) or "") for name in ("subject", "time")},
        **dataclasses.asdict(failure),
        **dict.fromkeys(("first_failed", "last_failed", "changed"), _text(now)),
        "failures": 1,
        "state": State.WAITING,
        "redrives": 0,
        "note": "",
        "size": len(structured.encode()),
        "event": structured,
    }


def _structured(event: CloudEvent) -> str:
    """Return *event* as structured JSON from which its data can be read byte by byte."""
    structured = to_json(event)
    if from_json(structured, LENIENT).data == event.data:
        return structured.decode()
    data = base64.b64encode(event.data).decode()  # white space around JSON would be lost
    return json.dumps({**event.attributes, "data_base64": data}, ensure_ascii=False).encode("utf-8", "replace").decode()


def _text(moment: datetime) -> str:
    """Return a UTC time as text that sorts by time."""
    return moment.isoformat(timespec="milliseconds")
