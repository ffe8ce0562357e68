"""Reading a real simulator's history: all of it, in order, and through what goes wrong with it."""

import datetime
import json
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from demo.vcsim import VCSim
from pipeline.settings import read
from tests.golden import records
from tests.support.administrator import Administrator
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.event import JSON, XML, Position, VCenterEvent, to_cloudevent
from vsphere.history import _NS, PAGE_SIZE, EventHistory, Gap
from vsphere.session import Session, _newest_common
from vsphere.settings import VCenterSettings

LONG_AGO = datetime.timedelta(minutes=5)
VARIES = ("Key", "ChainId", "CreatedTime", "SessionId")


def settings(vcsim: VCSim, **more: str) -> VCenterSettings:
    return read(VCenterSettings, vcsim.environ | more)


@pytest.fixture
def vcenter(vcsim: VCSim) -> Iterator[Session]:
    session = Session(settings(vcsim))
    session.connect()
    yield session
    session.close()


def history(vcenter: Session, after: Position | None = None) -> EventHistory:
    since = after.created_time if after else vcenter.server_time() - LONG_AGO
    return EventHistory(vcenter, since, after)


def drain(source: EventHistory) -> tuple[list[VCenterEvent], list[Gap]]:
    events: list[VCenterEvent] = []
    gaps: list[Gap] = []
    while True:
        page = source.read()
        if page.gap:
            gaps.append(page.gap)
        if not page.events:
            return events, gaps
        events += page.events


def test_every_event_is_read_once_in_order(vcenter: Session, administrator: Administrator) -> None:
    for number in range(50):
        administrator.post(f"event {number}")
    events, gaps = drain(history(vcenter))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


@pytest.mark.parametrize("first_page", [1, 2, 3])
def test_event_that_a_collector_has_twice_is_read_once(
    vcenter: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch, first_page: int
) -> None:
    """As vcsim has those that come while it makes the collector: in one page, or the second in the next."""
    for number in range(5):
        administrator.post(f"event {number}")
    source = history(vcenter)
    whole = vcenter.read_next(source._reader, PAGE_SIZE)
    [page] = [parent for parent in whole.iter() if parent.find(f"{_NS}returnval") is not None]
    twice = [each for element in page.findall(f"{_NS}returnval") for each in (element, element)]
    parts = [twice[:first_page], twice[first_page:], []]

    def read_next(*_: Any) -> ElementTree.Element:
        answer = ElementTree.Element("answer")
        answer.extend(parts.pop(0) if parts else [])
        return answer

    monkeypatch.setattr(vcenter, "read_next", read_next)

    events, gaps = drain(source)

    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


def test_reading_starts_after_a_position(vcenter: Session, administrator: Administrator) -> None:
    position = drain(history(vcenter))[0][-1].position
    administrator.post("after it")
    events, gaps = drain(history(vcenter, position))
    assert [event.key for event in events] == [position.key + 1]
    assert gaps == []


def test_wait_ends_when_an_event_comes(vcenter: Session, administrator: Administrator) -> None:
    source = history(vcenter)
    drain(source)
    assert not source.wait(1)
    administrator.post("new")
    started = time.monotonic()
    assert source.wait(30)
    assert time.monotonic() - started < 5
    assert len(source.read().events) == 1


def test_wait_still_ends_with_an_event_after_one_that_ran_out(vcenter: Session, administrator: Administrator) -> None:
    source = history(vcenter)
    drain(source)
    assert not source.wait(1)
    source.wait(1)  # tells the newest event once more
    drain(source)

    administrator.post("after silence")

    begun = time.monotonic()
    assert source.wait(20)
    assert time.monotonic() - begun < 10
    assert [event.key for event in drain(source)[0]] == [administrator.newest_key]


def test_sessions_that_come_and_go_do_not_keep_a_wait_from_ending(
    vcenter: Session, administrator: Administrator, vcsim: VCSim
) -> None:
    source = history(vcenter)
    drain(source)
    other = Session(settings(vcsim))
    other.connect()
    history(other)
    other.close()
    posting = threading.Timer(1, administrator.post, ["after the others"])
    posting.start()

    begun = time.monotonic()
    while not any(b"after the others" in ElementTree.tostring(event.element) for event in drain(source)[0]):
        assert source.wait(20)
    assert time.monotonic() - begun < 10
    posting.join()


def test_burst_in_silence_is_noticed(vcenter: Session, administrator: Administrator) -> None:
    source = history(vcenter)
    drain(source)
    assert not source.wait(1)
    for number in range(PAGE_SIZE + 10):  # as many as make vcsim prune what the reading collector stands at
        administrator.post(f"event {number}")

    source.wait(1)
    events, _ = drain(source)

    assert events[-1].key == administrator.newest_key


def test_burst_that_prunes_the_readers_page_is_read_on_and_the_gap_is_exact(
    vcenter: Session, administrator: Administrator
) -> None:
    """The simulator keeps about 1,000 events a collector: the predecessor's reader is stuck for ever after this."""
    source = history(vcenter)
    last = drain(source)[0][-1].key
    for number in range(2500):
        administrator.post(f"burst {number}")
    source.wait(1)
    events, [gap] = drain(source)
    assert gap.first == last + 1
    assert gap.last == events[0].key - 1
    assert [event.key for event in events] == list(range(events[0].key, last + 2501))
    assert len(events) >= PAGE_SIZE


def test_keys_that_went_back_are_read_from_the_beginning(vcenter: Session, administrator: Administrator) -> None:
    before_restore = Position(1_000_000, vcenter.server_time() - LONG_AGO, "VmPoweredOnEvent")
    events, gaps = drain(history(vcenter, before_restore))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


def test_keys_that_went_back_and_grew_past_the_position_since_are_read_from_the_beginning(
    vcenter: Session, administrator: Administrator
) -> None:
    """The position's key is now another, later event's: greater keys alone would not tell."""
    before_restore = Position(administrator.event_keys()[20], vcenter.server_time() - LONG_AGO, "VmPoweredOnEvent")
    events, gaps = drain(history(vcenter, before_restore))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


def test_session_that_another_administrator_ended_is_told_from_other_faults(
    vcenter: Session, administrator: Administrator
) -> None:
    source = history(vcenter)
    administrator.end_other_sessions()
    with pytest.raises(VCenterUnavailable, match="session has ended"):
        source.read()


def test_stopped_vcenter_is_unavailable(vcenter: Session, vcsim: VCSim) -> None:
    source = history(vcenter)
    vcsim.kill()
    with pytest.raises(VCenterUnavailable, match="ReadNextEvents"):
        source.read()


def test_password_is_in_no_message(vcsim: VCSim) -> None:
    with pytest.raises(VCenterRejected) as raised:
        Session(settings(vcsim, VC_PASSWORD="hunter2")).connect()
    assert "hunter2" not in str(raised.value) + repr(raised.value.__cause__)


def test_changed_password_is_tried_at_once(vcsim: VCSim, tmp_path: Any) -> None:
    (tmp_path / "username").write_text(vcsim.username)
    (tmp_path / "password").write_text("old")
    session = Session(settings(vcsim, VC_USERNAME="", VC_PASSWORD="", VC_SECRET_PATH=str(tmp_path)))
    with pytest.raises(VCenterRejected, match="refuses"):
        session.connect()
    with pytest.raises(VCenterRejected, match="tried again in"):
        session.connect()
    (tmp_path / "password").write_text(vcsim.password + "\n")
    session.connect()
    assert session.connected
    session.close()


def test_untrusted_certificate_is_refused(vcsim: VCSim) -> None:
    with pytest.raises(VCenterRejected, match="VC_CA_BUNDLE"):
        Session(settings(vcsim, VC_INSECURE="false")).connect()


def test_certificate_of_a_given_authority_is_trusted(vcsim: VCSim, tmp_path: Any) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(ssl.get_server_certificate(("127.0.0.1", vcsim.port)))
    session = Session(settings(vcsim, VC_INSECURE="false", VC_CA_BUNDLE=str(bundle)))
    session.connect()
    assert session.connected
    session.close()


@pytest.mark.parametrize(
    ("server", "version"),
    [
        ("9.9.0.0", "vim.version.v9_1_1_0"),
        ("8.0.3.0", "vim.version.v8_0_3_0"),
        ("6.5", "vim.version.version11"),
        ("6.7.3", "vim.version.version15"),
        ("4.0", "vim.version.version5"),
    ],
)
def test_newest_version_that_both_know_is_spoken(server: str, version: str) -> None:
    assert _newest_common(server) == version


def comparable(data: Any) -> Any:
    """What may be compared of an event that was posted: vcsim sets the key and the time itself."""
    return [(name, value) for name, value in data.items() if name not in VARIES]


def test_recorded_events_posted_to_a_vcenter_come_out_as_the_predecessor_sent_them(
    vcenter: Session, administrator: Administrator
) -> None:
    """The whole way: every recorded event is posted, read back and encoded, both ways."""
    recorded = list(zip(records("json"), records("xml"), strict=True))
    source = history(vcenter)
    drain(source)
    for _, as_xml in recorded:
        administrator.post_element(as_xml.body)
    source.wait(5)
    events, _ = drain(source)
    assert len(events) == len(recorded) == 106
    for event, (as_json, as_xml) in zip(events, recorded, strict=True):
        ours = json.loads(to_cloudevent(event, "s", "6.5", JSON).data)
        assert comparable(ours) == comparable(json.loads(as_json.body)), str(as_json)
        without_varying = without_elements(to_cloudevent(event, "s", "6.5", XML).data.decode())
        assert without_varying == without_elements(as_xml.body), str(as_xml)


def without_elements(xml: str) -> str:
    """*xml* without the elements at its head that vcsim sets."""
    return xml[xml.index("</createdTime>") :]
