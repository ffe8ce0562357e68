"""Stored events in an SQLite file, for a display on a volume: after a restart it shows the same events.

Reads use the ring in memory. The file follows it, and is committed before an event is acknowledged. Pages that were
open during the restart resume where they were, because the file also keeps the epoch.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from functions.display import row
from functions.display.ring import Counts, StoredEvent
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, TemporaryError

VERSION = 1

_SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS about (epoch TEXT NOT NULL, revision INTEGER NOT NULL, counts TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS events (
        seq INTEGER PRIMARY KEY, revision INTEGER NOT NULL, repeats INTEGER NOT NULL, received_ms INTEGER NOT NULL,
        summary TEXT NOT NULL, attributes BLOB NOT NULL, headers BLOB NOT NULL, data BLOB NOT NULL
    );
    PRAGMA user_version = {VERSION};
"""


class SQLiteStore:
    """The file at *path*, which is created if it does not exist. Raises `SettingsError` if it cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            # One connection for all threads: the history calls it under its lock.
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            if self._file.execute("PRAGMA user_version").fetchone()[0] > VERSION:
                raise sqlite3.DatabaseError("it was written by a newer version")
            # Survives the end of the process at any point. A power cut may take the last moments.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(_SCHEMA)
            if self._file.execute("SELECT count(*) FROM about").fetchone()[0] == 0:
                self._file.execute("INSERT INTO about VALUES (?, 0, '{}')", (secrets.token_hex(4),))
        except sqlite3.Error as error:
            problem = f"DISPLAY_FILE is {str(path)!r}, which cannot be used: {error}"
            raise SettingsError([f"{problem}; for example DISPLAY_FILE=/data/display.db"]) from error

    def load(self) -> tuple[str, int, Counts, Iterable[StoredEvent]]:
        """Return the epoch, the revision, the counts, and the events in order of revision."""
        epoch, revision, counts = self._file.execute("SELECT epoch, revision, counts FROM about").fetchone()
        saved = json.loads(counts)
        rows = self._file.execute("SELECT * FROM events ORDER BY revision")
        return epoch, revision, Counts(*(saved.get(field.name, 0) for field in fields(Counts))), map(_stored, rows)

    def save(self, changed: StoredEvent | None, dropped: list[StoredEvent], revision: int, counts: Counts) -> None:
        """Save *changed*, which is new or repeated, and delete *dropped*. Raises `TemporaryError`."""
        try:
            with self._file:  # commits, or rolls back
                self._file.execute("BEGIN")
                if changed is not None:
                    self._file.execute(
                        "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _columns(changed)
                    )
                self._file.executemany("DELETE FROM events WHERE seq = ?", [(stored.seq,) for stored in dropped])
                self._file.execute("UPDATE about SET revision = ?, counts = ?", (revision, json.dumps(asdict(counts))))
        except sqlite3.Error as error:
            raise TemporaryError(f"keep the event in DISPLAY_FILE: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def _columns(stored: StoredEvent) -> tuple[object, ...]:
    return (
        stored.seq, stored.revision, stored.repeats, stored.received_ms, json.dumps(row.by_name(stored.summary)),
        stored.attributes, stored.headers, stored.data,
    )  # fmt: skip


def _stored(columns: tuple[int, int, int, int, str, bytes, bytes, bytes]) -> StoredEvent:
    seq, revision, repeats, received_ms, saved, attributes, headers, data = columns
    event = CloudEvent(json.loads(attributes), data)
    key = event["source"], event["id"]
    return StoredEvent(seq, revision, repeats, received_ms, _summary(saved, event), attributes, headers, data, key)


def _summary(saved: str, event: CloudEvent) -> row.Summary:
    """Return the saved summary, or a new one if the file was written by a version with other columns."""
    values = json.loads(saved)
    if not isinstance(values, dict) or values.keys() != set(row.SUMMARY_NAMES):
        return row.summary(event)
    return tuple(values[name] for name in row.SUMMARY_NAMES)
