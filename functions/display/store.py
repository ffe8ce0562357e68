"""Stored events in an SQLite file, for a display on a volume: after a restart it shows the same events.

The page's events are in memory, and the file follows: it is committed before an event is acknowledged. The file keeps
many more events than memory, and `search` finds them. Pages that were open during the restart resume where they were,
because the file also keeps the epoch.

One display uses a file at a time. A rolling update starts the next one before it stops the last one. So the one that
started last takes the file over: it finds every event that the other acknowledged, and the other acknowledges no more.
"""

import contextlib
import heapq
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import asdict, fields
from operator import attrgetter
from pathlib import Path

import structlog

from functions.display import row, search
from functions.display.history import Saved, StoreTakenOver
from functions.display.ring import Counts, StoredEvent
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, TemporaryError

VERSION = 2

TRIMMED = 200
"""Events removed at once when the file is full, so that few events wait for it."""

_SCHEMA = f"""
    CREATE TABLE about (
        epoch TEXT NOT NULL, revision INTEGER NOT NULL, counts TEXT NOT NULL, owner TEXT NOT NULL, damaged TEXT
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, revision INTEGER NOT NULL, repeats INTEGER NOT NULL, received_ms INTEGER NOT NULL,
        version INTEGER NOT NULL, at_ms INTEGER NOT NULL, important INTEGER NOT NULL,
        summary TEXT NOT NULL, attributes BLOB NOT NULL, headers BLOB NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX by_revision ON events (important, revision);
    CREATE INDEX by_time ON events (at_ms);
    {search.SCHEMA}
    PRAGMA user_version = {VERSION};
"""

log = structlog.get_logger()


class SQLiteStore:
    """The file at *path*, of about *size_limit* bytes, which is created if it does not exist.

    Raises `SettingsError` if it cannot be used. A damaged file is moved aside, and an empty one takes its place.
    """

    def __init__(self, path: Path, size_limit: int = 1_000_000_000) -> None:
        self._path = path
        self._size_limit = size_limit
        self._owner = secrets.token_hex(8)
        try:
            self._file = self._open()
        except _Damaged as damage:
            self._file = self._start_over(str(damage))
        except sqlite3.Error as error:
            problem = f"DISPLAY_FILE is {str(path)!r}, which cannot be used: {error}"
            raise SettingsError([f"{problem}; for example DISPLAY_FILE=/data/display.db"]) from error

    @property
    def path(self) -> Path:
        """The file, for those that read it."""
        return self._path

    def load(self, capacity: int) -> Saved:
        """Return what was saved, with the last *capacity* events, and as many errors and warnings."""
        try:
            return self._load(capacity)
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            self._file.close()
            self._file = self._start_over(str(error) or type(error).__name__)
            return self._load(capacity)

    def save(self, changed: StoredEvent | None, revision: int, counts: Counts) -> None:
        """Save *changed*, which is new or repeated. Raises `TemporaryError`.

        Always raises `StoreTakenOver` once another display has it.
        """
        try:
            with _transaction(self._file):
                values = revision, json.dumps(asdict(counts)), self._owner
                if not self._file.execute("UPDATE about SET revision = ?, counts = ? WHERE owner = ?", values).rowcount:
                    raise StoreTakenOver("another display has taken over DISPLAY_FILE")
                if changed is not None:
                    self._put(changed)
        except sqlite3.Error as error:
            raise TemporaryError(f"keep the event in DISPLAY_FILE: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _open(self) -> sqlite3.Connection:
        # One connection for all threads: the history calls it under its lock.
        file = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=10)
        version = file.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.DatabaseError("it was written by a newer version")
        # Survives the end of the process at any point. A power cut may take the last moments.
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        with _transaction(file):
            version = file.execute("PRAGMA user_version").fetchone()[0]
            earlier = _take_version_1(file) if version == 1 else None
            if version < VERSION:
                for statement in _SCHEMA.split(";\n"):
                    file.execute(statement)
                epoch, revision, counts, events = earlier or (secrets.token_hex(4), 0, "{}", [])
                file.execute("INSERT INTO about VALUES (?, ?, ?, ?, NULL)", (epoch, revision, counts, self._owner))
                for stored in events:
                    _insert(file, stored)
            elif not file.execute("UPDATE about SET owner = ?", (self._owner,)).rowcount:
                raise _Damaged("it lost its epoch")
        return file

    def _start_over(self, damage: str) -> sqlite3.Connection:
        aside = self._path.with_name(f"{self._path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(aside.with_name(aside.name + suffix))
        log.error("display_file_damaged", reason=damage, moved_to=str(aside))
        file = self._open()
        file.execute("UPDATE about SET damaged = ?", (f"the file was damaged ({damage}) and is now {aside.name}",))
        return file

    def _load(self, capacity: int) -> Saved:
        epoch, revision, counts, damaged = self._file.execute(
            "SELECT epoch, revision, counts, damaged FROM about"
        ).fetchone()
        saved = json.loads(counts)
        newest = (
            [_stored(columns) for columns in self._file.execute(f"{_SELECT} {_NEWEST}", (important, capacity))][::-1]
            for important in (0, 1)
        )
        return Saved(
            epoch=epoch,
            revision=revision,
            counts=Counts(*(saved.get(field.name, 0) for field in fields(Counts))),
            last_seq=self._file.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0],
            events=list(heapq.merge(*newest, key=attrgetter("revision"))),
            damaged=damaged,
        )

    def _put(self, changed: StoredEvent) -> None:
        if changed.repeats:
            values = changed.revision, changed.repeats, changed.seq
            if self._file.execute("UPDATE events SET revision = ?, repeats = ? WHERE seq = ?", values).rowcount:
                return
        _insert(self._file, changed)
        if changed.seq % TRIMMED == 0:
            self._trim()

    def _trim(self) -> None:
        """Remove the oldest events of a full file, errors and warnings only if they are half of it."""
        pages, free, size = (
            self._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size <= self._size_limit:
            return
        ordinary, important = (
            self._file.execute("SELECT count(*) FROM events WHERE important = ?", (which,)).fetchone()[0]
            for which in (0, 1)
        )
        oldest = "SELECT seq FROM events WHERE important = ? ORDER BY revision LIMIT ?"
        seqs = self._file.execute(oldest, (important > ordinary, 2 * TRIMMED)).fetchall()
        for table, number in (("events", "seq"), ("search", "rowid")):
            self._file.executemany(f"DELETE FROM {table} WHERE {number} = ?", seqs)  # noqa: S608 - two fixed names


def read_event(path: Path, seq: int) -> StoredEvent | None:
    """Return the event number *seq* of the file at *path*, beside the display that writes it. None if it is gone."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as file:
            columns = file.execute(f"{_SELECT} WHERE seq = ?", (seq,)).fetchone()
            return None if columns is None else _stored(columns)
    except (sqlite3.Error, OverflowError):
        return None


class _Damaged(Exception):
    """The file is a database of the display, but not a usable one."""


_SELECT = "SELECT seq, revision, repeats, received_ms, version, summary, attributes, headers, data FROM events"
_NEWEST = "WHERE important = ? ORDER BY revision DESC LIMIT ?"


@contextlib.contextmanager
def _transaction(file: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end, or roll back."""
    with file:
        file.execute("BEGIN IMMEDIATE")
        yield


def _insert(file: sqlite3.Connection, stored: StoredEvent) -> None:
    values = row.by_name(stored.summary)
    file.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stored.seq, stored.revision, stored.repeats, stored.received_ms, stored.version,
            search.time_of(values, stored.received_ms), stored.is_important, json.dumps(values), stored.attributes,
            stored.headers, stored.data,
        ),
    )  # fmt: skip
    file.execute("INSERT INTO search (rowid, words, facets) VALUES (?, ?, ?)", (stored.seq, *search.indexed(values)))


def _take_version_1(file: sqlite3.Connection) -> tuple[str, int, str, list[StoredEvent]]:
    """Return what a file of version 1 holds, and drop its tables."""
    epoch, revision, counts = file.execute("SELECT epoch, revision, counts FROM about").fetchone()
    columns = "seq, revision, repeats, received_ms, 1, summary, attributes, headers, data"
    events = [_stored(values) for values in file.execute(f"SELECT {columns} FROM events ORDER BY revision")]  # noqa: S608 - fixed names
    file.execute("DROP TABLE events")
    file.execute("DROP TABLE about")
    return epoch, revision, counts, events


def _stored(columns: tuple[int, int, int, int, int, str, bytes, bytes, bytes]) -> StoredEvent:
    seq, revision, repeats, received_ms, version, saved, attributes, headers, data = columns
    event = CloudEvent(json.loads(attributes), data)
    key = event["source"], event["id"]
    summary = saved_summary(saved, event)
    return StoredEvent(seq, revision, repeats, received_ms, summary, attributes, headers, data, key, version)


def saved_summary(saved: str, event: CloudEvent) -> row.Summary:
    """Return the saved summary, or a new one if the file was written by a version with other columns."""
    values = json.loads(saved)
    if not isinstance(values, dict) or values.keys() != set(row.SUMMARY_NAMES):
        return row.summary(event)
    return tuple(values[name] for name in row.SUMMARY_NAMES)
