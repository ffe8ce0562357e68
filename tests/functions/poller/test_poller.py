"""The poller as a whole, between a real simulator and a real HTTP sink."""

import base64
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.vcsim import VCSim
from functions.poller import Poller, create
from pipeline.cloudevents import CloudEvent
from pipeline.errors import PermanentError, SettingsError, TemporaryError
from tests.support.administrator import Administrator
from tests.support.recorder import OK, Recorder, Response
from tests.support.waiting import wait_until

TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/test"})


@pytest.fixture
def pollers(vcsim: VCSim, sink: Recorder) -> Iterator[Any]:
    """Create pollers, and close them before their collaborators."""
    created: list[Poller] = []

    def make(environ: dict[str, str], **more: str) -> Poller:
        created.append(create({**environ, **more}))
        return created[-1]

    yield make
    for poller in created:
        poller.close()


def saved_key(environ: dict[str, str]) -> int:
    record = Path(environ["CHECKPOINT"].removeprefix("file:")).read_text()
    return int(json.loads(record)["lastEventKey"])


def test_tick_delivers_the_history_and_saves_the_position(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    pollers(environ).handle(TICK)
    keys = administrator.event_keys()
    assert sorted(sink.ids) == keys[: len(sink.ids)]
    assert saved_key(environ) == max(sink.ids)
    first = sink.accepted[0]
    assert first.headers["ce-source"] == environ["VC_URL"]
    assert first.headers["ce-type"].startswith("com.vmware.vsphere.")
    assert json.loads(first.body)["Key"] == int(first.id)


def test_second_tick_delivers_only_what_is_new(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    poller = pollers(environ)
    poller.handle(TICK)
    before = len(sink.ids)
    administrator.post("one more")
    newest = administrator.newest_key
    poller.handle(TICK)
    assert sink.ids[before:] == [newest]


def test_restart_delivers_the_events_posted_meanwhile_once(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    first = pollers(environ)
    first.handle(TICK)
    first.close()
    vms = administrator.vms
    for number in range(100):
        administrator.post(f"while down {number}", vms[number % len(vms)])
    pollers(environ).handle(TICK)
    assert len(sink.ids) == len(set(sink.ids))
    assert sorted(sink.ids) == [key for key in administrator.event_keys() if key <= max(sink.ids)]
    assert sum(b"while down" in request.body for request in sink.accepted) == 100


def test_backlog_arrives_in_order_for_every_entity(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    vms = administrator.vms
    for number in range(900):
        administrator.post(f"backlog {number}", vms[number % len(vms)])
    pollers(environ).handle(TICK)
    by_entity: dict[str, list[int]] = defaultdict(list)
    for request in sink.accepted:
        by_entity[request.headers.get("ce-subject", "")].append(int(request.id))
    assert sum(b"backlog" in request.body for request in sink.accepted) == 900
    assert all(keys == sorted(keys) for keys in by_entity.values())
    assert len(by_entity) > len(vms)


def test_following_poller_needs_no_ticks(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    pollers(environ, FOLLOW_SECONDS="30")
    wait_until(lambda: len(sink.ids) == len(administrator.event_keys()))
    administrator.post("followed")
    newest = administrator.newest_key
    wait_until(lambda: newest in sink.ids, 5)


def test_permanently_rejected_event_is_dead_lettered(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    administrator.post("unwanted")
    rejected = administrator.newest_key
    sink.respond = lambda request: Response(400, body="no such thing\n here") if request.id == str(rejected) else OK
    with Recorder() as dead_letters:
        pollers(environ, DEAD_LETTER_SINK=dead_letters.url).handle(TICK)
        [dead_letter] = dead_letters.accepted
    assert dead_letter.id == str(rejected)
    assert dead_letter.headers["ce-knativeerrordest"] == sink.url
    assert dead_letter.headers["ce-knativeerrorcode"] == "400"
    assert base64.b64decode(dead_letter.headers["ce-knativeerrordata"]) == b"no such thing\n here"
    assert rejected not in sink.ids
    assert saved_key(environ) >= rejected


def test_tick_that_extends_a_poll_is_answered_at_once(pollers: Any, environ: dict[str, str], sink: Recorder) -> None:
    held = threading.Event()
    sink.respond = lambda request: OK if held.is_set() else Response(503)
    poller = pollers(environ)
    tick = threading.Thread(target=poller.handle, args=(TICK,))
    tick.start()
    wait_until(lambda: len(sink.requests) > 3)
    started = time.monotonic()
    poller.handle(TICK)
    assert time.monotonic() - started < 1
    held.set()
    tick.join()


def test_wrong_password_is_reported_and_not_retried_at_once(
    pollers: Any, environ: dict[str, str], sink: Recorder
) -> None:
    poller = pollers(environ, VC_PASSWORD="wrong")
    with pytest.raises(PermanentError, match="rejects user name and password") as raised:
        poller.handle(TICK)
    assert "wrong" not in str(raised.value)
    poller._poll.join()
    with pytest.raises(PermanentError, match="used again in"):
        poller.handle(TICK)
    assert sink.ids == []


def test_unreachable_vcenter_is_reported_and_retried(
    pollers: Any, environ: dict[str, str], sink: Recorder, vcsim: VCSim
) -> None:
    vcsim.kill()
    poller = pollers(environ)
    with pytest.raises(TemporaryError, match="refused"):
        poller.handle(TICK)
    vcsim.start()
    poller.handle(TICK)
    assert sink.ids


def test_certificate_is_verified_by_default(pollers: Any, environ: dict[str, str], sink: Recorder) -> None:
    with pytest.raises(PermanentError, match="VC_CA_BUNDLE"):
        pollers(environ, VC_INSECURE="false").handle(TICK)
    assert sink.requests == []


def test_xml_is_sent_if_configured(pollers: Any, environ: dict[str, str], sink: Recorder) -> None:
    pollers(environ, PAYLOAD_ENCODING="application/xml").handle(TICK)
    assert {request.headers["content-type"] for request in sink.accepted} == {"application/xml"}
    assert sink.accepted[0].body.startswith(b"<")


def test_every_settings_error_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        create({"VC_SECRET_PATH": "/nowhere", "CHECKPOINT": "etcd:x"})
    message = str(raised.value)
    assert all(name in message for name in ("VC_URL", "VC_PASSWORD", "/nowhere", "K_SINK", "CHECKPOINT"))


def test_close_delivers_what_was_read_and_leaves_no_thread(
    pollers: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    before = set(threading.enumerate())
    poller = pollers(environ, FOLLOW_SECONDS="always")
    wait_until(lambda: bool(sink.ids))
    for number in range(200):
        administrator.post(f"event {number}")
    poller.close()
    assert saved_key(environ) == max(sink.ids)
    assert len(sink.ids) == len(set(sink.ids))
    wait_until(lambda: set(threading.enumerate()) <= before)  # those of the recorder end a moment later
