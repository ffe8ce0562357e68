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
from pipeline.errors import SettingsError

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS about (epoch TEXT NOT NULL, counts TEXT NOT NULL);
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
                self._file.execute("INSERT INTO about VALUES (?, ?)", (secrets.token_hex(4), "{}"))
        except sqlite3.Error as error:
            fault = f"DISPLAY_FILE is {str(path)!r}, which cannot be used: {error}"
            raise SettingsError([f"{fault}; for example DISPLAY_FILE=/data/display.db"]) from error

    def load(self) -> tuple[str, Counts, Iterable[Held]]:
        """The epoch, the counts, and the events in order of revision."""
        epoch, counts = self._file.execute("SELECT epoch, counts FROM about").fetchone()
        rows = self._file.execute("SELECT * FROM events ORDER BY revision")
        return epoch, Counts(**json.loads(counts)), map(_held, rows)

    def save(self, changed: Held, gone: list[Held], counts: Counts) -> None:
        """Keep *changed*, which is new or came again, and forget *gone*."""
        self._file.execute("BEGIN")
        self._file.execute(
            "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                changed.seq, changed.revision, changed.repeats, changed.received_ms, json.dumps(changed.summary),
                changed.attributes, changed.headers, changed.data,
            ),
        )  # fmt: skip
        self._file.executemany("DELETE FROM events WHERE seq = ?", [(each.seq,) for each in gone])
        self._file.execute("UPDATE about SET counts = ?", (json.dumps(asdict(counts)),))
        self._file.execute("COMMIT")

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def _held(columns: tuple[int, int, int, int, str, bytes, bytes, bytes]) -> Held:
    seq, revision, repeats, received_ms, summary, attributes, headers, data = columns
    known = json.loads(attributes)
    return Held(
        seq, revision, repeats, received_ms, Summary(*json.loads(summary)), attributes, headers, data,
        key=(known["source"], known["id"]),
    )  # fmt: skip
