"""The letters: undeliverable events with why, how often and since when, in SQLite.

One letter for each event and destination, for an event may fail at two subscribers for two reasons. An event that fails
again after it was redriven returns to its letter, so failures are counted and never multiply.
"""

import contextlib
import dataclasses
import enum
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from pipeline.cloudevents import CloudEvent, to_json
from pipeline.errors import TemporaryError

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    destination  TEXT NOT NULL,
    type         TEXT NOT NULL,
    subject      TEXT NOT NULL,
    time         TEXT NOT NULL,
    code         INTEGER,
    answer       TEXT NOT NULL,
    arrival      TEXT NOT NULL,
    failures     INTEGER NOT NULL,
    first_failed TEXT NOT NULL,
    last_failed  TEXT NOT NULL,
    state        TEXT NOT NULL,
    redrives     INTEGER NOT NULL,
    changed      TEXT NOT NULL,
    note         TEXT NOT NULL,
    size         INTEGER NOT NULL,
    document     TEXT NOT NULL,
    UNIQUE (source, id, destination)
);
CREATE INDEX IF NOT EXISTS letters_by_age ON letters (last_failed);
CREATE INDEX IF NOT EXISTS letters_by_worth ON letters ((state = 'waiting'), last_failed);
"""

_INSERT = """
INSERT INTO letters (
    source, id, destination, type, subject, time, code, answer, arrival,
    failures, first_failed, last_failed, state, redrives, changed, note, size, document
) VALUES (
    :source, :id, :destination, :type, :subject, :time, :code, :answer, :arrival,
    :failures, :first_failed, :last_failed, :state, :redrives, :changed, :note, :size, :document
)
ON CONFLICT (source, id, destination)
"""

_KEEP = f"""
{_INSERT} DO UPDATE SET
    failures = failures + 1, last_failed = :last_failed, state = 'waiting', changed = :changed, note = '',
    code = :code, answer = :answer, arrival = :arrival
WHERE excluded.arrival != arrival OR (arrival = '' AND state != 'waiting')
RETURNING number, failures
"""

_TAKE = f"{_INSERT} DO NOTHING RETURNING number"

_KEPT_BEFORE = """
SELECT number, failures FROM letters WHERE source = :source AND id = :id AND destination = :destination
"""


class State(enum.StrEnum):
    """What became of a letter."""

    WAITING = "waiting"
    """For a person, who redrives or drops it."""
    REDRIVEN = "redriven"
    """The Broker took the event again, and it has not come back."""
    DROPPED = "dropped"
    """A person gave it up."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why an event could not be delivered, as the Broker says it."""

    destination: str
    """The subscriber's address, or "" where the Broker does not say."""
    code: int | None
    """The HTTP status."""
    answer: str
    """How the subscriber's answer begins."""
    arrival: str
    """When the event had come to the Broker: tells a second failure from one that is reported twice."""


@dataclasses.dataclass(frozen=True)
class Letter:
    """One dead letter, without the event's data. Times are UTC, as ISO 8601."""

    number: int
    source: str
    id: str
    destination: str
    type: str
    subject: str
    time: str
    code: int | None
    answer: str
    arrival: str
    failures: int
    first_failed: str
    last_failed: str
    state: str
    redrives: int
    changed: str
    note: str
    """Why it was dropped, or why the Broker did not take it at the last redrive."""


_COLUMNS = ", ".join(field.name for field in dataclasses.fields(Letter))


class Letters:
    """The store. May be used from many threads; every method may raise `sqlite3.Error`."""

    def __init__(self, file: Path | None, most: int, most_bytes: int, age_seconds: float) -> None:
        """In *file*, else in memory; at most *most* letters of *most_bytes*, none older than *age_seconds*."""
        self._most = most
        self._most_bytes = most_bytes
        self._age = timedelta(seconds=age_seconds)
        self._lock = threading.Lock()
        self._sealed = False
        self._db = sqlite3.connect(file or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA temp_store = MEMORY")  # the container's file system is read-only
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # outlives the process; a power cut may take the last second
        self._db.executescript(_SCHEMA)
        # Counted along, for at 10,000 letters counting anew takes longer than keeping one.
        self._count, self._size = self._db.execute("SELECT COUNT(*), IFNULL(SUM(size), 0) FROM letters").fetchone()

    def keep(self, event: CloudEvent, failure: Failure, now: datetime) -> tuple[int, int]:
        """Keep *event*, as it first came to the Broker; the letter's number, and how often it has failed.

        What is delivered here twice (the same failure, by its time of arrival at the Broker) counts once. Raises
        `TemporaryError` when sealed.
        """
        document = to_json(event).decode()
        row = {
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
            "size": len(document.encode()),
            "document": document,
        }
        with self._open():
            kept = self._db.execute(_KEEP, row).fetchone()
            if kept is None:
                number, failures = self._db.execute(_KEPT_BEFORE, row).fetchone()
                return number, failures
            number, failures = kept
            if failures == 1:
                self._count, self._size = self._count + 1, self._size + row["size"]
            self._make_room(now, number)
        return number, failures

    def take(self, handed: Sequence[tuple[Letter, str]], now: datetime) -> None:
        """Take letters, with their events' documents, as another store had them, under numbers of our own.

        One that is here already stays as it is. Raises `TemporaryError` when sealed.
        """
        with self._open():
            for letter, document in handed:
                row = {**dataclasses.asdict(letter), "size": len(document.encode()), "document": document}
                taken = self._db.execute(_TAKE, row).fetchone()
                if taken is not None:
                    self._count, self._size = self._count + 1, self._size + row["size"]
                    self._make_room(now, taken[0])

    def find(
        self,
        *,
        state: str = "",
        type_: str = "",
        destination: str = "",
        before: int | None = None,
        limit: int = -1,
    ) -> list[Letter]:
        """The letters of that *state*, *type_* and *destination* ("" is any), newest number first, below *before*."""
        wanted = {"state": state, "type": type_, "destination": destination}
        chosen = {column: value for column, value in wanted.items() if value}
        conditions = [f"{column} = :{column}" for column in chosen] + ["number < :before"] * (before is not None)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._select(f"{where} ORDER BY number DESC LIMIT :limit", {**chosen, "before": before, "limit": limit})

    def numbered(self, numbers: Sequence[int]) -> list[Letter]:
        """The letters of these *numbers*, as far as there are any."""
        return [letter for number in numbers for letter in self._select("WHERE number = :number", {"number": number})]

    def document(self, number: int) -> str | None:
        """The event of a letter, as structured JSON."""
        with self._lock:
            row = self._db.execute("SELECT document FROM letters WHERE number = ?", (number,)).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[str, int]:
        """How many letters there are in each state."""
        with self._lock:
            rows = self._db.execute("SELECT state, COUNT(*) FROM letters GROUP BY state").fetchall()
        return {state.value: 0 for state in State} | dict(rows)

    def redriven(self, letter: Letter, now: datetime) -> None:
        """The Broker took the event of *letter* again. If it has failed again by now, the letter goes on waiting."""
        self._change(
            "redrives = redrives + 1, changed = :now, note = '',"
            " state = CASE WHEN failures = :failures THEN 'redriven' ELSE state END",
            letter,
            {"failures": letter.failures, "now": _text(now)},
        )

    def drop(self, letter: Letter, reason: str, now: datetime) -> None:
        """*letter* is given up, for *reason*."""
        self._change("state = 'dropped', changed = :now, note = :note", letter, {"note": reason, "now": _text(now)})

    def note(self, letter: Letter, note: str) -> None:
        """Say of *letter* why it could not be redriven."""
        self._change("note = :note", letter, {"note": note})

    def seal(self) -> None:
        """Keep no letter from now on: what is here is all that can be handed over."""
        with self._lock:
            self._sealed = True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        """One transaction of a store that is not sealed."""
        with self._lock:
            if self._sealed:
                raise TemporaryError("this pod is ending; the next one takes the letter")
            with self._db:
                yield

    def _select(self, clause: str, values: dict[str, Any]) -> list[Letter]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM letters {clause}", values).fetchall()  # noqa: S608 - clauses are written above
        return [Letter(*row) for row in rows]

    def _change(self, change: str, letter: Letter, values: dict[str, Any]) -> None:
        changing = f"UPDATE letters SET {change} WHERE number = :number"  # noqa: S608 - changes are written above
        with self._lock, self._db:
            self._db.execute(changing, {**values, "number": letter.number})

    def _make_room(self, now: datetime, newest: int) -> None:
        """Delete what is too old, then, while there is too much, settled letters before waiting ones, oldest first."""
        self._delete("last_failed < ?", (_text(now - self._age),), why="too old")
        while (self._count > self._most or self._size > self._most_bytes) and self._count > 1:
            (number,) = self._db.execute(
                "SELECT number FROM letters WHERE number != ? ORDER BY (state = 'waiting'), last_failed LIMIT 1",
                (newest,),
            ).fetchone()
            self._delete("number = ?", (number,), why="no room")

    def _delete(self, condition: str, values: tuple[Any, ...], why: str) -> None:
        deleting = f"DELETE FROM letters WHERE {condition} RETURNING size, number, state, id, source, destination"  # noqa: S608 - conditions are written above
        deleted = self._db.execute(deleting, values).fetchall()
        for size, number, state, event_id, source, destination in deleted:
            self._count, self._size = self._count - 1, self._size - size
            if state == State.WAITING:
                its = {"id": event_id, "source": source, "destination": destination}
                log.warning("dead letter lost to its bounds", letter=number, why=why, **its)


def _text(moment: datetime) -> str:
    """A UTC time so that text sorts as time does."""
    return moment.isoformat(timespec="milliseconds")
