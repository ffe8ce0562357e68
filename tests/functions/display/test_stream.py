"""The messages that a viewer gets."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

from functions.display import compression, row
from functions.display.compression import GzipStream
from functions.display.history import History
from functions.display.stream import stream
from tests.support.display import add, as_objects, history


def parts(ring: History, last_id: str = "", seconds: float = 30) -> list[bytes]:
    """Return all that a viewer gets until nothing is new, or its stream ends."""

    async def collect() -> list[bytes]:
        notification = asyncio.Event()
        collected = []
        async for part in stream(ring, notification, last_id, seconds):
            if part.startswith(b"event: beat"):
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


def numbers(rows: list[Any]) -> range:
    """Return the range of the events' numbers in *rows*, which are consecutive."""
    seqs = [values["seq"] for values in as_objects(rows)]
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    return range(seqs[0], seqs[-1] + 1)


def test_new_viewer_gets_the_newest_first_and_then_the_older() -> None:
    ring = history(capacity=2000)
    add(ring, *map(str, range(1700)))
    messages = [(event, numbers(rows)) for event, _, rows in frames(ring) if event != "reset"]
    assert messages == [
        ("message", range(1001, 1701)), ("older", range(501, 1001)), ("older", range(1, 501)),
    ]  # fmt: skip


def test_viewer_cut_off_early_gets_the_rest_of_the_older() -> None:
    ring = history(capacity=2000)
    add(ring, *map(str, range(1700)))
    _, (_, last_id, _), *_ = frames(ring)
    assert last_id == f"{ring.epoch}.1700.1000"
    add(ring, "new")
    messages = [(event, numbers(rows)) for event, _, rows in frames(ring, last_id)]
    assert messages == [("message", range(1701, 1702)), ("older", range(501, 1001)), ("older", range(1, 501))]


def test_viewer_far_behind_gets_rows_in_parts() -> None:
    ring = history(capacity=2000)
    add(ring, *map(str, range(1200)))
    assert [len(rows) for _, _, rows in frames(ring, f"{ring.epoch}.1")] == [250, 250, 250, 250, 199]


def test_viewer_ahead_of_the_ring_starts_from_the_beginning() -> None:
    """The file was restored from a copy: its epoch is the same, and its count of revisions is behind the page's."""
    ring = history()
    add(ring, "a")
    assert [event for event, _, _ in frames(ring, f"{ring.epoch}.51")] == ["reset", "message"]


def test_silent_stream_has_a_heartbeat_that_pages_see() -> None:
    async def first_beat() -> bytes:
        notification = asyncio.Event()
        async for part in stream(history(), notification, "", 30):
            if part.startswith(b"event: beat\ndata: "):
                return part
            notification.set()
        return b""

    assert int(asyncio.run(first_beat()).split()[-1]) > 1_700_000_000_000


def test_compressed_parts_make_one_gzip_stream() -> None:
    streams = GzipStream(), GzipStream()
    parts = [b"one" * 1000, b"", b"two\n\n"]
    whole = [compression.HEADER + b"".join(map(gzip_stream.part, parts)) + gzip_stream.end() for gzip_stream in streams]
    assert [gzip.decompress(compressed) for compressed in whole] == [b"".join(parts)] * 2
    early = zlib.decompressobj(31)
    assert early.decompress(compression.HEADER + GzipStream().part(b"read at once")) == b"read at once"


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
