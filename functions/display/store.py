"""Held events in an SQLite file, for a display on a volume: a restart shows what was there before.

The ring in memory stays what is read; the file follows it, and is committed before an event is acknowledged. Pages that
were open during the restart resume where they were, because the file keeps the epoch as well.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from functions.display.history import Counts, Held
from functions.display.row import Summary
from pipeline.errors import SettingsError, TemporaryError

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS about (epoch TEXT NOT NULL, revision INTEGER NOT NULL, counts TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS events (
        seq INTEGER PRIMARY KEY, revision INTEGER NOT NULL, repeats INTEGER NOT NULL, received_ms INTEGER NOT NULL,
        summary TEXT NOT NULL, attributes BLOB NOT NULL, headers BLOB NOT NULL, data BLOB NOT NULL
    );
    PRAGMA user_version = 1;
"""


class SQLiteStore:
    """The file at *path*, which is made if it is not there. Raises `SettingsError` if it cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            # One connection for all threads: the ring calls it under its lock.
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            if self._file.execute("PRAGMA user_version").fetchone()[0] not in (0, 1):
                raise sqlite3.DatabaseError("it was written by a newer version")
            # Survives the end of the process at any point; a power cut may take the last moments.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(_SCHEMA)
            if self._file.execute("SELECT count(*) FROM about").fetchone()[0] == 0:
                self._file.execute("INSERT INTO about VALUES (?, 0, '{}')", (secrets.token_hex(4),))
        except sqlite3.Error as error:
            fault = f"DISPLAY_FILE is {str(path)!r}, which cannot be used: {error}"
            raise SettingsError([f"{fault}; for example DISPLAY_FILE=/data/display.db"]) from error

    def load(self) -> tuple[str, int, Counts, Iterable[Held]]:
        """The epoch, the revision, the counts, and the events in order of revision."""
        epoch, revision, counts = self._file.execute("SELECT epoch, revision, counts FROM about").fetchone()
        rows = self._file.execute("SELECT * FROM events ORDER BY revision")
        return epoch, revision, Counts(**json.loads(counts)), map(_held, rows)

    def save(self, changed: Held | None, gone: list[Held], revision: int, counts: Counts) -> None:
        """Keep *changed*, which is new or came again, and forget *gone*. Raises `TemporaryError`."""
        try:
            with self._file:  # commits, or rolls back
                self._file.execute("BEGIN")
                if changed is not None:
                    self._file.execute(
                        "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _columns(changed)
                    )
                self._file.executemany("DELETE FROM events WHERE seq = ?", [(each.seq,) for each in gone])
                self._file.execute("UPDATE about SET revision = ?, counts = ?", (revision, json.dumps(asdict(counts))))
        except sqlite3.Error as error:
            raise TemporaryError(f"keep the event in DISPLAY_FILE: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def _columns(held: Held) -> tuple[object, ...]:
    return (
        held.seq, held.revision, held.repeats, held.received_ms, json.dumps(held.summary),
        held.attributes, held.headers, held.data,
    )  # fmt: skip


def _held(columns: tuple[int, int, int, int, str, bytes, bytes, bytes]) -> Held:
    seq, revision, repeats, received_ms, summary, attributes, headers, data = columns
    known = json.loads(attributes)
    return Held(
        seq, revision, repeats, received_ms, Summary(*json.loads(summary)), attributes, headers, data,
        key=(known["source"], known["id"]),
    )  # fmt: skip
