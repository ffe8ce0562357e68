"""Stored events in a file."""

import json
import sqlite3
from pathlib import Path

import pytest

from functions.display import row, search
from functions.display.history import History
from functions.display.store import SQLiteStore
from pipeline.errors import SettingsError, TemporaryError
from tests.support.display import add, as_objects, changed_rows, ids, named_event


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
    assert ids(ring) == []  # it was not acknowledged, so the page must not show it either
    assert "no such table" in ring.state()["unsaved"]
    ring.close()


def test_display_that_starts_last_takes_the_file_over(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    first = History(100, 10_000_000, SQLiteStore(file))
    add(first, "a", "b")
    second = History(100, 10_000_000, SQLiteStore(file))
    with pytest.raises(TemporaryError, match="another display has taken over DISPLAY_FILE"):
        add(first, "c")
    assert first.changes(0, 10) is None  # its pages reconnect to the other
    add(second, "c", "d")
    assert ids(second) == ["a", "b", "c", "d"]
    second.close()
    third = History(100, 10_000_000, SQLiteStore(file))
    assert ids(third) == ["a", "b", "c", "d"]
    third.close()


@pytest.mark.parametrize("damage", ["UPDATE events SET attributes = 'no json'", "UPDATE about SET counts = '[3'"])
def test_damaged_file_is_moved_aside(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "display.db"
    first = History(100, 10_000_000, SQLiteStore(file))
    add(first, "a")
    first.close()
    with sqlite3.connect(file) as other:
        other.execute(damage)
    other.close()
    second = History(100, 10_000_000, SQLiteStore(file))
    assert ids(second) == []
    (broken,) = (path for path in tmp_path.iterdir() if ".broken-" in path.name)
    assert f"is now {broken.name}" in second.state()["damaged"]
    add(second, "b")
    second.close()


def test_page_overwritten_in_the_middle_is_damage_too(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    first = History(100, 10_000_000, SQLiteStore(file))
    add(first, *map(str, range(50)), data=b"x" * 3000)
    first.close()
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 60_000] = b"?" * 60_000
    file.write_bytes(content)
    second = History(100, 10_000_000, SQLiteStore(file))
    add(second, "b")
    assert ids(second) == ["b"]
    second.close()


def test_full_file_loses_the_oldest_and_errors_last(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    first = History(10, 10_000_000, SQLiteStore(file, size_limit=1_000_000))
    error = named_event("lost", b"x" * 2000, type="com.vmware.vsphere.HostConnectionLostEvent.v0")
    summary = row.summary(error)
    infos = [named_event(str(number), b"x" * 2000) for number in range(1000)]
    first.add([(error, summary), *((info, row.summary(info)) for info in infos)], {})
    first.close()
    rows, _ = search.find(file, search.Query(), 1 << 40, 1000)
    names = [values["id"] for values in as_objects([json.loads(text) for text in rows])]
    assert names[0] == "999"
    assert names[-1] == "lost"
    assert 200 < len(names) < 700
    assert len(search.find(file, search.Query(only={"severity": ["error"]}), 1 << 40, 10)[0]) == 1


def test_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    with sqlite3.connect(file) as old:
        old.executescript("""
            CREATE TABLE about (epoch TEXT NOT NULL, revision INTEGER NOT NULL, counts TEXT NOT NULL);
            CREATE TABLE events (
                seq INTEGER PRIMARY KEY, revision INTEGER NOT NULL, repeats INTEGER NOT NULL,
                received_ms INTEGER NOT NULL, summary TEXT NOT NULL, attributes BLOB NOT NULL, headers BLOB NOT NULL,
                data BLOB NOT NULL
            );
            INSERT INTO about VALUES ('0123abcd', 7, '{"received": 1}');
            INSERT INTO events VALUES (3, 7, 0, 1, '{}',
                '{"id": "a", "source": "/s", "type": "t", "specversion": "1.0"}', '{}', '');
            PRAGMA user_version = 1;
        """)
    old.close()
    display = History(10, 10_000_000, SQLiteStore(file))
    assert (display.epoch, ids(display)) == ("0123abcd", ["a"])
    add(display, "b")
    display.close()
    assert len(search.find(file, search.Query(), 1 << 40, 10)[0]) == 2


def test_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "display.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(
        SettingsError, match=r"DISPLAY_FILE is .*display\.db.*, which cannot be used: file is not a database"
    ):
        SQLiteStore(tmp_path / "display.db")
