"""The display without a browser: the ring, and the stream that follows it."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from functions.display import row
from functions.display.history import History
from functions.display.store import SQLiteStore
from functions.display.stream import stream
from functions.display.viewers import Viewers
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, TemporaryError


def history(events: int = 100, size_bytes: int = 10_000_000) -> History:
    return History(events, size_bytes)


def event(name: str, data: bytes = b"", **attributes: str) -> CloudEvent:
    """An event whose id is *name*."""
    known = {"specversion": "1.0", "id": name, "source": "/s", "type": "t", "time": "2026-11-20T15:45:13Z"}
    return CloudEvent(known | attributes, data)


def arrived(cloud_event: CloudEvent) -> tuple[CloudEvent, row.Summary]:
    return cloud_event, row.summary(cloud_event)


def add(ring: History, *names: str, data: bytes = b"") -> None:
    for name in names:
        ring.add([arrived(event(name, data))], {})


def named(rows: list[Any]) -> list[dict[str, Any]]:
    """Rows as objects."""
    return [dict(zip(row.NAMES, each, strict=True)) for each in rows]


def ids(ring: History, since: int = 0) -> list[str]:
    changes = ring.changes(since, 1000)
    assert changes is not None
    return [each["id"] for each in named([json.loads(text) for _, text in changes.rows])]


# ── the ring ──


def test_oldest_event_leaves_a_full_ring() -> None:
    ring = history(events=3)
    add(ring, "a", "b", "c", "d")
    assert ids(ring) == ["b", "c", "d"]
    assert ring.get(1) is None
    assert ring.get(2) is not None


def test_ring_is_bounded_by_size_and_keeps_at_least_one_event() -> None:
    ring = history(size_bytes=12_000)
    add(ring, "a", "b", "c", data=b"x" * 4000)
    assert ids(ring) == ["b", "c"]
    add(ring, "d", data=b"x" * 50_000)
    assert ids(ring) == ["d"]


def test_event_that_comes_again_is_counted_and_not_listed_twice() -> None:
    ring = history()
    add(ring, "a", "b", "a", "a")
    changes = ring.changes(0, 1000)
    assert changes is not None
    assert [each["repeats"] for each in named([json.loads(text) for _, text in changes.rows])] == [0, 2]
    assert ids(ring, since=2) == ["a"]  # a viewer that had both is told of the repeats
    assert (ring.state()["received"], ring.state()["repeats"]) == (2, 2)


def test_event_that_left_the_ring_is_new_when_it_comes_again() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c", "a")
    assert ids(ring) == ["c", "a"]


def test_same_id_from_another_source_is_another_event() -> None:
    ring = history()
    ring.add([arrived(event("1", source="/one"))], {})
    ring.add([arrived(event("1", source="/other"))], {})
    assert ids(ring) == ["1", "1"]


def test_numbers_of_held_and_missing_events() -> None:
    ring = History(2, 10_000_000, clock=lambda: 1_795_000_000)
    add(ring, "a", "b", "c")
    ring.add([arrived(event("d", type=status_events.GAP))], {})
    ring.reject()
    state = ring.state()
    assert state.pop("bytes") in range(2000, 5000)
    assert state == {
        "held": 2, "oldest": 1_795_000_000_000, "received": 4, "repeats": 0, "gaps": 1, "rejected": 1,
    }  # fmt: skip


def test_changes_come_in_pages_that_follow_one_another() -> None:
    ring = history()
    add(ring, "a", "b", "c", "d", "b")
    first = ring.changes(0, 2)
    assert first is not None
    second = ring.changes(first.revision, 2)
    assert second is not None
    assert [revision for revision, _ in first.rows + second.rows] == [1, 3, 4, 5]
    assert (first.complete, second.complete) == (False, True)


# ── the ring in a file ──


def test_restart_shows_what_was_held_and_lets_open_pages_resume(tmp_path: Path) -> None:
    file = tmp_path / "display.db"
    first = History(3, 10_000_000, SQLiteStore(file))
    add(first, "a", "b", "c", "d", "b")
    first.reject()  # viewers were told of revision 6
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


def test_event_is_in_the_file_before_it_is_acknowledged(tmp_path: Path) -> None:
    first = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    add(first, "a")
    second = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))  # the first was not closed: it was killed
    assert ids(second) == ["a"]
    first.close()
    second.close()


def test_smaller_ring_takes_the_newest_of_a_larger_ones_file(tmp_path: Path) -> None:
    first = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    add(first, "a", "b", "c")
    first.close()
    second = History(2, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    assert ids(second) == ["b", "c"]
    second.close()


def test_event_that_cannot_be_kept_is_to_be_sent_again(tmp_path: Path) -> None:
    ring = History(3, 10_000_000, SQLiteStore(tmp_path / "display.db"))
    with sqlite3.connect(tmp_path / "display.db") as other:
        other.execute("DROP TABLE events")
    other.close()
    with pytest.raises(TemporaryError, match="keep the event in DISPLAY_FILE: no such table"):
        add(ring, "a")
    ring.close()


def test_event_during_shutdown_is_rejected_as_temporary() -> None:
    ring = history()
    ring.close()
    with pytest.raises(TemporaryError, match="the display is being stopped"):
        add(ring, "a")


def test_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "display.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(
        SettingsError, match=r"DISPLAY_FILE is .*display\.db.*, which cannot be used: file is not a database"
    ):
        SQLiteStore(tmp_path / "display.db")


# ── the stream ──


def parts(ring: History, last_id: str = "", seconds: float = 30) -> list[bytes]:
    """What a viewer gets until nothing is new, or its stream ends."""

    async def collect() -> list[bytes]:
        notification = asyncio.Event()
        collected = []
        async for part in stream(ring, notification, last_id, seconds):
            if part.startswith(b":"):
                break
            collected.append(part)
            if seconds > 1:
                notification.set()
        return collected

    return asyncio.run(collect())


def frames(ring: History, last_id: str = "") -> list[tuple[str, str, Any]]:
    """(event, id, data) of all that a viewer gets until nothing is new, without the numbers."""
    found = []
    for message in b"".join(parts(ring, last_id)).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines())
        if "data" in fields and fields.get("event") != "state":
            found.append((fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
    return found


def test_new_viewer_gets_everything_held() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c")
    reset, rows = frames(ring)
    assert reset == ("reset", "", {"capacity": 2, "columns": list(row.NAMES), "epoch": ring.epoch})
    assert (rows[1], [each["id"] for each in named(rows[2])]) == (f"{ring.epoch}.3", ["b", "c"])


def test_viewer_that_comes_back_gets_what_it_missed_only() -> None:
    ring = history()
    add(ring, "a", "b", "c")
    assert [(kind, [each["id"] for each in named(rows)]) for kind, _, rows in frames(ring, f"{ring.epoch}.1")] == [
        ("message", ["b", "c"])
    ]


def test_slow_viewer_learns_how_many_events_it_missed() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c", "d", "e")
    missed, rows = frames(ring, f"{ring.epoch}.1")
    assert (missed[0], missed[2]) == ("missed", 2)
    assert [each["id"] for each in named(rows[2])] == ["d", "e"]


@pytest.mark.parametrize("last_id", ["e0.1", "EPOCH.x", "EPOCH.-1", "nonsense", "EPOCH." + "9" * 30, "EPOCH.²"])
def test_id_of_another_process_or_of_nobody_starts_afresh(last_id: str) -> None:
    ring = history()
    add(ring, "a", "b")
    assert [kind for kind, _, _ in frames(ring, last_id.replace("EPOCH", ring.epoch))] == ["reset", "message"]


def test_viewer_far_behind_gets_its_rows_in_parts() -> None:
    ring = history(events=2000)
    add(ring, *map(str, range(1200)))
    assert [len(rows) for kind, _, rows in frames(ring) if kind == "message"] == [250, 250, 250, 250, 200]


def test_refusal_changes_the_numbers_and_no_row() -> None:
    ring = history()
    add(ring, "a")
    ring.reject()
    told = parts(ring, f"{ring.epoch}.1")[1].decode()
    assert told.startswith(f"id: {ring.epoch}.2\nevent: state\n")
    assert '"rejected": 1' in told


def test_stream_says_that_its_time_is_over() -> None:
    assert parts(history(), seconds=0.05)[-1] == b"event: end\ndata: null\n\n"


def test_stream_of_a_display_that_is_stopped_has_no_end_message() -> None:
    ring = history()
    ring.close()
    assert [part for part in parts(ring) if b"event: end" in part] == []


def in_a_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(test(), 10)

    asyncio.run(run())


def test_viewer_is_notified_of_changes_and_the_end() -> None:
    async def watch() -> None:
        ring = history()
        viewers = Viewers(ring, max_viewers=1)
        notification = viewers.enter()
        assert notification is not None
        assert viewers.enter() is None
        for act in (lambda: add(ring, "a"), lambda: add(ring, "b"), ring.reject, ring.close):
            await asyncio.to_thread(act)
            await notification.wait()
            notification.clear()
        viewers.leave(notification)
        assert viewers.enter() is not None

    in_a_loop(watch)


def test_changes_that_come_together_notify_once() -> None:
    async def watch() -> None:
        ring = history()
        viewers = Viewers(ring, max_viewers=1)
        notification = viewers.enter()
        assert notification is not None
        add(ring, *"abcdef")
        await notification.wait()
        notification.clear()
        await asyncio.sleep(0.05)
        assert not notification.is_set()

    in_a_loop(watch)


def test_row_is_small() -> None:
    ring = history()
    data = {"Vm": {"Name": "DC0_C0_RP0_VM0"}, "UserName": "VSPHERE.LOCAL\\Administrator", "ChainId": 4711}
    data["FullFormattedMessage"] = "DC0_C0_RP0_VM0 on DC0_C0_H0 in DC0 is powered off"
    described = event(
        "4711",
        json.dumps(data).encode(),
        type="com.vmware.vsphere.VmPoweredOffEvent.v0",
        source="https://vcenter.example/sdk",
        subject="VirtualMachine/vm-66",
        time="2026-11-20T15:45:13.931122Z",
        datacontenttype="application/json",
    )
    ring.add([arrived(described)], {})
    changes = ring.changes(0, 1000)
    assert changes is not None
    assert len(changes.rows[0][1]) < 320
