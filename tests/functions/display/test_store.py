"""Stored events in a file."""

import sqlite3
from pathlib import Path

import pytest

from functions.display.history import History
from functions.display.store import SQLiteStore
from pipeline.errors import SettingsError, TemporaryError
from tests.support.display import add, changed_rows, ids


def test_restart_keeps_events_and_lets_pages_resume(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    first = History(3, 10_000_000, SQLiteStore(file))
    add(first, "a", "b", "c", "d", "b")
    first.reject()  # viewers have revision 6
    first.close()
    second = History(3, 10_000_000, SQLiteStore(file))
    assert second.epoch == first.epoch
    assert ids(second) == ["c", "d", "b"]
    assert ids(second, since=4) == ["b"]
    assert second.state() == first.state()
    add(second, "e")
    assert ids(second, since=6) == ["e"]
    assert ids(second) == ["d", "b", "e"]
    held = second.get(5)
    assert held is not None
    assert held.event["id"] == "e"
    second.close()


def test_file_with_other_columns_gets_the_present_ones(tmp_path: Path) -> None:
    first = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    add(first, "a")
    rows = changed_rows(first)
    first.close()
    with sqlite3.connect(tmp_path / "display.db") as file:
        file.execute("""UPDATE events SET summary = '{"type": "t"}'""")
        file.execute("""UPDATE about SET counts = '{"received": 1, "unknown": 2}'""")
    file.close()
    second = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    assert changed_rows(second) == rows
    assert second.state()["received"] == 1
    second.close()


def test_event_is_in_the_file_before_it_is_acknowledged(tmp_path: Path) -> None:
    first = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    add(first, "a")
    second = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))  # the first was not closed: it was killed
    assert ids(second) == ["a"]
    first.close()
    second.close()


def test_smaller_ring_takes_the_newest_of_the_file(tmp_path: Path) -> None:
    first = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    add(first, "a", "b", "c")
    first.close()
    second = History(2, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    assert ids(second) == ["b", "c"]
    second.close()


def test_event_that_cannot_be_saved_is_a_temporary_error(tmp_path: Path) -> None:
    ring = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    with sqlite3.connect(tmp_path / "display.db") as other:
        other.execute("DROP TABLE events")
    other.close()
    with pytest.raises(TemporaryError, match="keep the event in DISPLAY_FILE: no such table"):
        add(ring, "a")
    ring.close()


def test_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "display.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(
        SettingsError, match=r"DISPLAY_FILE is .*display\.db.*, which cannot be used: file is not a database"
    ):
        SQLiteStore(tmp_path / "display.db")
