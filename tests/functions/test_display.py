"""The display without a browser: the ring, the stream, the API."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.http import from_http
from flask import Flask
from flask.testing import FlaskClient

from functions import display
from functions.display import page
from functions.display.history import History, Summary
from tests.golden import Record, records
from tests.serving import headers


def history(events: int = 100, size_bytes: int = 10_000_000) -> History:
    return History(events, size_bytes)


def add(ring: History, *names: str, document: bytes = b"{}") -> None:
    """Take in one event for each name; the name is its id and its message."""
    for name in names:
        ring.add(("/s", name), Summary("2026-11-20T15:45:13Z", "t", "", name), document)


def messages(ring: History, since: int = 0) -> list[str]:
    changes = ring.changes(since, 0)
    assert changes is not None
    return [json.loads(row)["message"] for _, row in changes.rows]


# ── the ring ──


def test_oldest_event_leaves_a_full_ring() -> None:
    ring = history(events=3)
    add(ring, "a", "b", "c", "d")
    assert messages(ring) == ["b", "c", "d"]
    assert ring.document(1) is None
    assert ring.document(2) == (b"{}", 0)


def test_ring_is_bounded_by_size_and_keeps_at_least_one_event() -> None:
    ring = history(size_bytes=10_000)
    add(ring, "a", "b", "c", document=b"x" * 4000)
    assert messages(ring) == ["b", "c"]
    add(ring, "d", document=b"x" * 50_000)
    assert messages(ring) == ["d"]


def test_event_that_comes_again_is_counted_and_not_listed_twice() -> None:
    ring = history()
    add(ring, "a", "b", "a", "a")
    changes = ring.changes(0, 0)
    assert changes is not None
    assert [json.loads(row).get("repeats", 0) for _, row in changes.rows] == [0, 2]
    assert messages(ring, since=2) == ["a"]  # a viewer that had both is told of the repeats
    assert ring.document(1) == (b"{}", 2)


def test_event_that_left_the_ring_is_new_when_it_comes_again() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c", "a")
    assert messages(ring) == ["c", "a"]


def test_waiting_viewer_is_woken_by_an_event() -> None:
    ring = history()
    woken: list[Any] = []
    viewer = threading.Thread(target=lambda: woken.append(ring.changes(0, 30)))
    viewer.start()
    add(ring, "a")
    viewer.join(10)
    assert [revision for revision, _ in woken[0].rows] == [1]


def test_waiting_viewer_is_sent_away_when_the_ring_closes() -> None:
    ring = history()
    woken: list[Any] = []
    viewer = threading.Thread(target=lambda: woken.append(ring.changes(0, 30)))
    viewer.start()
    ring.close()
    viewer.join(10)
    assert woken == [None]


# ── the stream ──


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream with nothing new says so at once."""
    monkeypatch.setattr(page, "HEARTBEAT_SECONDS", 0.0)


def frames(ring: History, last_id: str = "") -> list[tuple[str, str, Any]]:
    """(event, id, data) of all that a viewer gets until nothing is new."""
    found = []
    for part in page.stream(ring, "e1", last_id):
        if part.startswith(b":"):
            break
        fields = dict(line.split(": ", 1) for line in part.decode().strip().splitlines())
        if "data" in fields:
            found.append((fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
    return found


@pytest.mark.usefixtures("_no_pause")
def test_new_viewer_gets_everything_held() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c")
    reset, rows = frames(ring)
    assert reset == ("reset", "", {"capacity": 2, "missed": 0})
    assert (rows[1], [row["message"] for row in rows[2]]) == ("e1.3", ["b", "c"])


@pytest.mark.usefixtures("_no_pause")
def test_viewer_that_comes_back_gets_what_it_missed_only() -> None:
    ring = history()
    add(ring, "a", "b", "c")
    assert [(kind, [row["message"] for row in rows]) for kind, _, rows in frames(ring, "e1.1")] == [
        ("message", ["b", "c"])
    ]


@pytest.mark.usefixtures("_no_pause")
def test_viewer_whom_the_ring_has_left_behind_starts_afresh_and_is_told_how_far() -> None:
    ring = history(events=2)
    add(ring, "a", "b", "c", "d", "e")
    reset, rows = frames(ring, "e1.1")
    assert reset[2] == {"capacity": 2, "missed": 2}
    assert [row["message"] for row in rows[2]] == ["d", "e"]


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize("last_id", ["e0.1", "e1.x", "e1.-1", "nonsense", "e1." + "9" * 30, "e1.²"])
def test_id_of_another_process_or_of_nobody_starts_afresh(last_id: str) -> None:
    ring = history()
    add(ring, "a", "b")
    assert [kind for kind, _, _ in frames(ring, last_id)] == ["reset", "message"]


@pytest.mark.usefixtures("_no_pause")
def test_viewer_far_behind_gets_its_rows_in_parts() -> None:
    ring = history(events=2000)
    add(ring, *map(str, range(1200)))
    assert [len(rows) for kind, _, rows in frames(ring) if kind == "message"] == [500, 500, 200]


def test_stream_ends_itself_before_knative_cuts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.STREAM_SECONDS < 300
    monkeypatch.setattr(page, "STREAM_SECONDS", 0.05)
    assert list(page.stream(history(), "e1", ""))[-1] == b": nothing new\n\n"


def test_row_is_small() -> None:
    ring = history()
    ring.add(
        ("/s", "1"),
        Summary(
            "2026-11-20T15:45:13.931122Z",
            "com.vmware.vsphere.VmPoweredOffEvent.v0",
            "VirtualMachine/vm-66",
            "DC0_C0_RP0_VM0 on DC0_C0_H0 in DC0 is powered off",
        ),
        b"{}",
    )
    changes = ring.changes(0, 0)
    assert changes is not None
    assert len(changes.rows[0][1]) < 250


# ── events and the API ──


@pytest.fixture
def shown() -> Iterator[display.Display]:
    function = display.create({})
    yield function
    function.close()


def client(function: display.Display) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(function.blueprint)
    return app.test_client()


@pytest.mark.parametrize("record", [*records("json")[:4], *records("xml")[:4]], ids=str)
def test_recorded_event_is_shown_in_full(record: Record, shown: display.Display) -> None:
    shown.handle(from_http(record.headers, record.body))
    answer = client(shown).get("/api/events/1").get_json()
    assert {f"ce-{name}": value for name, value in answer["attributes"].items() if name != "datacontenttype"} == {
        name: value for name, value in record.headers.items() if name.startswith("ce-")
    }
    assert "".join(answer["payload"].split())[:20] == "".join(record.body.split())[:20]


@pytest.mark.parametrize(
    ("body", "content_type", "payload"),
    [
        (b"", "application/json", ""),
        (b"[1, 2]", "application/json", "[\n  1,\n  2\n]"),
        (b'"\\ud800"', "application/json", "\ud800"),
        (b"<a><b>", "application/xml", "<a><b>"),
        (b"\xff\x00", "application/octet-stream", f"000000  {'ff 00':<47}  .."),
        (b"[" * 900 + b"]" * 900, "application/json", None),
        (b"no content type", "", "no content type"),
        (b'{"n": 12345678901234567890}', "application/json", '{\n  "n": 12345678901234567890\n}'),
    ],
)
def test_any_payload_is_taken_and_shown(
    body: bytes, content_type: str, payload: str | None, shown: display.Display
) -> None:
    sent = headers(datacontenttype=content_type)
    shown.handle(from_http({name: value for name, value in sent.items() if value}, body))
    answer = client(shown).get("/api/events/1")
    assert answer.status_code == 200
    if payload is not None:
        assert answer.get_json()["payload"] == payload


def test_event_that_is_not_held_is_404_in_words(shown: display.Display) -> None:
    answer = client(shown).get("/api/events/7")
    assert (answer.status_code, answer.text) == (404, "this event is no longer held\n")


@pytest.mark.parametrize("path", ["/", "/assets/display.js", "/api/events/7"])
def test_every_answer_carries_the_strict_policy(path: str, shown: display.Display) -> None:
    with client(shown).get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_page_names_no_address_but_relative_ones(shown: display.Display) -> None:
    browser = client(shown)
    for path in (
        "/",
        "/assets/display.js",
        "/assets/stream.js",
        "/assets/table.js",
        "/assets/detail.js",
        "/assets/display.css",
    ):
        with browser.get(path) as answer:
            text = answer.get_data(as_text=True)
        assert [found for found in ('href="/', 'src="/', "https://", "//cdn", "@import", "url(") if found in text] == []
