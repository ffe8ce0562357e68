"""The adapter as a process, between a Horizon server and a sink that misbehave."""

import contextlib
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.horizon import create
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError
from pipeline.status_events import status_type
from tests.support.horizon import HorizonServer, Scripted, event
from tests.support.recorder import OK, Recorder, Request, Response
from tests.support.serving import Served
from tests.support.waiting import is_true_within, wait_until

NOW = round(time.time() * 1000) - 3_600_000
TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/test"})
JSON = {"Content-Type": "application/json"}


@contextlib.contextmanager
def reading(environ: dict[str, str], **more: str) -> Iterator[Served]:
    """An adapter as a process. It is killed at the end if it still runs."""
    with Served("horizon", **{**environ, **more}) as served:
        yield served
        if served.process.poll() is None:
            served.signal(signal.SIGKILL)


def from_horizon(requests: list[Request]) -> list[Request]:
    return [request for request in requests if request.headers["ce-type"].startswith("com.vmware.horizon.")]


def arrived(sink: Recorder) -> list[int]:
    return [int(request.id) for request in from_horizon(sink.accepted)]


def status_events(sink: Recorder, occurrence: str) -> list[dict[str, Any]]:
    event_type = status_type(occurrence, "horizon")
    return [json.loads(request.body) for request in sink.accepted if request.headers["ce-type"] == event_type]


def checkpoint(environ: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path(environ["CHECKPOINT"].removeprefix("file:")).read_text())
    return record


def begin_at(environ: dict[str, str], time_ms: int) -> None:
    Path(environ["CHECKPOINT"].removeprefix("file:")).write_text(json.dumps({"lastEventTime": time_ms}))


def golden() -> list[dict[str, Any]]:
    """Ten events, 98554 to 98563, three of one millisecond out of the order of their ids."""
    times = [0, 1500, 3000, 3000, 3000, 4200, 5000, 6000, 7000, 8000]
    ids = [98554, 98555, 98558, 98556, 98557, 98559, 98560, 98561, 98562, 98563]
    return [event(number, NOW + time_ms) for number, time_ms in zip(ids, times, strict=True)]


# ── reading and sending ──


def test_ten_events_in_three_rounds_arrive_once_each(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    events = golden()
    rounds = [events[:5], events[5:8], events[8:], events[9:]]
    server.script = [Scripted(200, json.dumps(events[::-1]).encode(), JSON) for events in rounds]
    with reading(environ) as served:
        for number in range(2, 5):
            wait_until(lambda: server.calls["audit-events"] >= number - 1)  # noqa: B023 - called at once
            served.post(id="tick", type="t", source="s")
        wait_until(lambda: len(arrived(sink)) == 10)
        wait_until(lambda: not server.script)
    times = [request.headers["ce-time"] for request in from_horizon(sink.accepted)]
    assert times == sorted(times)
    assert arrived(sink) == list(range(98554, 98564))


def test_event_has_the_predecessors_attributes(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    server.add(event(98554, 1_644_955_225_000))
    with reading(environ, K_CE_OVERRIDES='{"extensions":{"site":"berlin"}}'):
        wait_until(lambda: bool(arrived(sink)))
    [request] = sink.accepted
    assert request.attributes == {
        "specversion": "1.0",
        "id": "98554",
        "source": server.url,
        "type": "com.vmware.horizon.vlsi_userloggedin.v0",
        "time": "2022-02-15T20:00:25Z",
        "partitionkey": server.url,
        "site": "berlin",
    }
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["time"] == 1_644_955_225_000


def test_first_start_sends_the_newest_ten_then_what_is_new(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    server.add(*(event(number, NOW + number) for number in range(50)))
    with reading(environ) as served:
        wait_until(lambda: len(arrived(sink)) == 10)
        server.add(event(50, NOW + 50))
        served.post(id="tick", type="t", source="s")
        wait_until(lambda: len(arrived(sink)) == 11)
    assert arrived(sink) == list(range(40, 51))


def test_large_backlog_arrives_in_order(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    server.max_size = 40
    server.add(*(event(number, NOW + number // 3) for number in range(500)))
    begin_at(environ, NOW)
    with reading(environ):
        wait_until(lambda: len(arrived(sink)) == 500, 20)
    assert arrived(sink) == list(range(500))


def test_restart_continues_after_the_checkpoint(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    server.add(*(event(number, NOW + number) for number in range(5)))
    with reading(environ) as served:
        wait_until(lambda: len(arrived(sink)) == 5)
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    assert checkpoint(environ)["lastEventTime"] == NOW + 4
    assert server.calls["logout"] == 1
    server.add(*(event(number, NOW + number) for number in range(5, 40)))
    with reading(environ):
        wait_until(lambda: len(arrived(sink)) == 40)
    assert arrived(sink) == list(range(40))


def test_killed_adapter_loses_nothing_and_keeps_the_order(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    chance = random.Random(13)
    numbers = iter(range(10_000))
    done = threading.Event()

    def audit() -> None:
        while not done.is_set():
            server.add(*(event(next(numbers), NOW + int(time.monotonic() * 1000)) for _ in range(3)))
            time.sleep(0.01)

    auditing = threading.Thread(target=audit)
    auditing.start()
    sink.respond = lambda request: Response(503) if chance.random() < 0.1 else OK
    begin_at(environ, NOW)
    for _ in range(4):
        count = len(sink.requests)
        with reading(environ):
            assert is_true_within(10, lambda: len(sink.requests) > count + 10)  # noqa: B023 - called at once
    done.set()
    auditing.join()
    with reading(environ):
        wait_until(lambda: {item["id"] for item in server.events} <= set(arrived(sink)), 20)
    first_times = list(dict.fromkeys(arrived(sink)))
    assert first_times == [item["id"] for item in server.events]


def test_crash_before_the_first_acknowledgement_loses_nothing(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    server.add(*(event(number, NOW + number) for number in range(10)))
    sink.respond = lambda request: Response(503)
    with reading(environ):
        wait_until(lambda: bool(sink.requests))
        wait_until(lambda: Path(environ["CHECKPOINT"].removeprefix("file:")).exists())
        wait_until(lambda: is_true_within(1, lambda: checkpoint(environ)["lastEventTime"] == NOW))
    server.add(*(event(number, NOW + number) for number in range(10, 60)))
    sink.respond = lambda request: OK
    with reading(environ):
        wait_until(lambda: len(arrived(sink)) == 60)
    assert arrived(sink) == list(range(60))


def test_event_that_the_sink_rejects_is_dead_lettered(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    server.add(*(event(number, NOW + number) for number in range(5)))
    sink.respond = lambda request: Response(400) if request.id == "2" else OK
    with Recorder() as dead_letters, reading(environ, DEAD_LETTER_SINK=dead_letters.url):
        wait_until(lambda: arrived(sink) == [0, 1, 3, 4])
        assert [dead_letter.id for dead_letter in dead_letters.accepted] == ["2"]
        wait_until(lambda: bool(status_events(sink, "undeliverable")))


# ── faults of Horizon ──


def test_expired_tokens_lose_nothing(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    with reading(environ) as served:
        for number in range(6):
            server.add(event(number, NOW + number))
            served.post(id="tick", type="t", source="s")
            wait_until(lambda: len(arrived(sink)) == number + 1)  # noqa: B023 - called at once
            server.expire(refresh_tokens=bool(number % 2))
    assert arrived(sink) == list(range(6))
    assert server.calls["login"] == 3
    assert status_events(sink, "unreachable") == []


def test_outage_is_reported_once_and_its_end(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    server.add(event(1, NOW))
    with reading(environ) as served:
        wait_until(lambda: len(arrived(sink)) == 1)
        server.stop()
        wait_until(lambda: bool(status_events(sink, "unreachable")), 20)
        assert served.request("GET", "/health/readiness")[0] == 200
        server.add(event(2, NOW + 1))
        server.start()
        wait_until(lambda: bool(status_events(sink, "recovered")), 20)
        wait_until(lambda: arrived(sink) == [1, 2])
    assert len(status_events(sink, "unreachable")) == 1
    [report] = [request for request in sink.accepted if request.headers["ce-type"].endswith(".unreachable.v0")]
    assert report.headers["ce-source"] == server.url


@pytest.mark.parametrize(
    "response",
    [
        Scripted(500, b"x"),
        Scripted(200, b"<html>", {"Content-Type": "text/html"}),
        Scripted(200, b'[{"id": 1}', JSON),
        Scripted(409),
        Scripted(302, headers={"Location": "/rest/external/v1/audit-events"}),
        Scripted(200, b"[7]", {**JSON, "HAS_MORE_RECORDS": "TRUE"}),
    ],
    ids=lambda response: f"{response.status} {response.body[:9].decode()}",
)
def test_response_that_cannot_be_used_is_requested_again(
    environ: dict[str, str], server: HorizonServer, sink: Recorder, response: Scripted
) -> None:
    server.add(event(1, NOW))
    begin_at(environ, NOW)
    server.script = [response]
    with reading(environ) as served:
        wait_until(lambda: arrived(sink) == [1])
        assert any("retrying" in line["message"] for line in served.lines)


def test_page_that_is_too_large_is_requested_in_parts(
    environ: dict[str, str], server: HorizonServer, sink: Recorder
) -> None:
    server.add(*(event(number, NOW, message="x" * 100_000) for number in range(170)))
    begin_at(environ, NOW)
    with reading(environ):
        wait_until(lambda: len(arrived(sink)) == 170, 20)
    assert arrived(sink) == list(range(170))


def test_item_without_id_is_reported_once(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    page = json.dumps([{"id": "odd", "time": NOW, "type": "X"}, event(7, NOW)]).encode()
    server.script = [Scripted(200, page, JSON)] * 3
    with reading(environ) as served:
        wait_until(lambda: arrived(sink) == [7])
        wait_until(lambda: not server.script)
        served.post(id="tick", type="t", source="s")
    [report] = status_events(sink, "unreadable")
    assert "'odd' is not a whole number" in report["reason"]


def test_wrong_password_is_the_reason_why_it_is_not_ready(environ: dict[str, str], server: HorizonServer) -> None:
    server.password = "changed"
    with reading(environ) as served:
        wait_until(lambda: "rejects the credentials" in served.request("GET", "/health/readiness")[1])
        assert served.request("GET", "/health/readiness")[0] == 503
        assert served.request("GET", "/health/liveness")[0] == 200
        assert served.post(id="tick", type="t", source="s")[0] == 400
        secret = Path(environ["HORIZON_SECRET_PATH"])
        (secret / "password").write_text("changed")
        served.post(id="tick", type="t", source="s")
        wait_until(lambda: served.request("GET", "/health/readiness") == (200, "ready\n"), 15)
        log = json.dumps(served.lines)
    assert "correct-horse" not in log
    assert "-token-" not in log


def test_every_settings_error_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        create({"HORIZON_SECRET_PATH": str(tmp_path), "HORIZON_INSECURE": "maybe"})
    message = str(raised.value)
    assert all(name in message for name in ("HORIZON_URL", "HORIZON_INSECURE", "HORIZON_SECRET_PATH", "K_SINK"))


def test_metrics_describe_the_delivery(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    server.add(event(1, NOW), event(2, NOW))
    with reading(environ) as served:
        wait_until(lambda: len(arrived(sink)) == 2)
        wait_until(lambda: "horizon_in_flight 0.0" in served.request("GET", "/metrics")[1])
        text = served.request("GET", "/metrics")[1]
    for line in ("horizon_read_total 2.0", "horizon_sent_total 2.0", "horizon_session_up 1.0", "horizon_sink_up 1.0"):
        assert f"vcenter_events_{line}" in text


def test_close_ends_all_threads_and_logs_out(environ: dict[str, str], server: HorizonServer, sink: Recorder) -> None:
    before = set(threading.enumerate())
    server.add(event(1, NOW))
    horizon = create(environ)
    wait_until(lambda: arrived(sink) == [1])
    horizon.handle(TICK)
    horizon.close()
    assert server.calls["logout"] == 1
    wait_until(lambda: set(threading.enumerate()) <= before)
