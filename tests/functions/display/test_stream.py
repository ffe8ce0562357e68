"""The messages that a viewer gets."""

import asyncio
import json
from typing import Any

import pytest

from functions.display import row
from functions.display.history import History
from functions.display.stream import stream
from tests.support.display import add, as_objects, history


def parts(ring: History, last_id: str = "", seconds: float = 30) -> list[bytes]:
    """Return all that a viewer gets until nothing is new, or its stream ends."""

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
    """Return (event, id, data) of all that a viewer gets until nothing is new, without the numbers."""
    messages = []
    for message in b"".join(parts(ring, last_id)).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines())
        if "data" in fields and fields.get("event") != "state":
            messages.append((fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
    return messages


def test_new_viewer_gets_all_stored_events() -> None:
    ring = history(capacity=2)
    add(ring, "a", "b", "c")
    reset, rows = frames(ring)
    assert reset == ("reset", "", {"capacity": 2, "columns": list(row.NAMES), "epoch": ring.epoch})
    assert (rows[1], [values["id"] for values in as_objects(rows[2])]) == (f"{ring.epoch}.3", ["b", "c"])


def test_returning_viewer_gets_only_missed_changes() -> None:
    ring = history()
    add(ring, "a", "b", "c")
    assert [
        (event, [values["id"] for values in as_objects(rows)]) for event, _, rows in frames(ring, f"{ring.epoch}.1")
    ] == [("message", ["b", "c"])]


def test_viewer_left_behind_learns_how_many_changes_it_missed() -> None:
    ring = history(capacity=2)
    add(ring, "a", "b", "c", "d", "e")
    missed, rows = frames(ring, f"{ring.epoch}.1")
    assert (missed[0], missed[2]) == ("missed", 2)
    assert [values["id"] for values in as_objects(rows[2])] == ["d", "e"]


@pytest.mark.parametrize("last_id", ["e0.1", "EPOCH.x", "EPOCH.-1", "nonsense", "EPOCH." + "9" * 30, "EPOCH.²"])
def test_unknown_id_starts_from_the_beginning(last_id: str) -> None:
    ring = history()
    add(ring, "a", "b")
    assert [event for event, _, _ in frames(ring, last_id.replace("EPOCH", ring.epoch))] == ["reset", "message"]


def test_viewer_far_behind_gets_rows_in_parts() -> None:
    ring = history(capacity=2000)
    add(ring, *map(str, range(1200)))
    assert [len(rows) for event, _, rows in frames(ring) if event == "message"] == [250, 250, 250, 250, 200]


def test_rejection_changes_the_numbers_and_no_row() -> None:
    ring = history()
    add(ring, "a")
    ring.reject()
    message = parts(ring, f"{ring.epoch}.1")[1].decode()
    assert message.startswith(f"id: {ring.epoch}.2\nevent: state\n")
    assert '"rejected": 1' in message


def test_stream_ends_with_a_message() -> None:
    assert parts(history(), seconds=0.05)[-1] == b"event: end\ndata: null\n\n"


def test_stream_of_a_stopped_display_has_no_end_message() -> None:
    ring = history()
    ring.close()
    assert [part for part in parts(ring) if b"event: end" in part] == []
