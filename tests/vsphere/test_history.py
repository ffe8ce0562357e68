"""Reading a simulated vCenter's history: complete, in order, and despite every way in which it fails."""

import datetime
import json
import threading
import time
from typing import Any
from xml.etree import ElementTree

import pytest

from demo.vcsim import VCSim
from pipeline import bounds
from tests.golden import records
from tests.support.administrator import Administrator
from tests.support.history import LONG_AGO, drain, open_history, vcenter_settings
from tests.support.waiting import wait_until
from vsphere.cloudevent import JSON, XML, to_cloudevent
from vsphere.errors import VCenterUnavailable
from vsphere.event import Position
from vsphere.history import _NS, PAGE_SIZE, EventHistory, PageSize
from vsphere.session import ResponseTooLarge, Session, _parse

VARIES = ("Key", "ChainId", "CreatedTime", "SessionId")


def test_every_event_is_read_once_in_order(session: Session, administrator: Administrator) -> None:
    for number in range(50):
        administrator.post(f"event {number}")
    events, gaps = drain(open_history(session))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


@pytest.mark.parametrize("first_page", [1, 2, 3])
def test_event_that_a_collector_has_twice_is_read_once(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch, first_page: int
) -> None:
    """vcsim returns events twice that come while it creates the collector: in one page, or the second in the next."""
    for number in range(5):
        administrator.post(f"event {number}")
    history = open_history(session)
    response = session.call(history._reader, "ReadNextEvents", PAGE_SIZE)
    [page] = [parent for parent in response.iter() if parent.find(f"{_NS}returnval") is not None]
    twice = [copy for element in page.findall(f"{_NS}returnval") for copy in (element, element)]
    pages = [twice[:first_page], twice[first_page:], []]

    def call(*_: Any) -> ElementTree.Element:
        response = ElementTree.Element("response")
        response.extend(pages.pop(0) if pages else [])
        return response

    monkeypatch.setattr(session, "call", call)

    events, gaps = drain(history)

    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


def test_reading_starts_after_a_position(session: Session, administrator: Administrator) -> None:
    position = drain(open_history(session))[0][-1].position
    administrator.post("after it")
    events, gaps = drain(open_history(session, position))
    assert [event.key for event in events] == [position.key + 1]
    assert gaps == []


def test_wait_ends_when_an_event_comes(session: Session, administrator: Administrator) -> None:
    history = open_history(session)
    drain(history)
    assert not history.wait(1)
    administrator.post("new")
    started = time.monotonic()
    assert history.wait(30)
    assert time.monotonic() - started < 5
    assert len(history.read().events) == 1


def test_wait_ends_with_an_event_after_one_that_ran_out(session: Session, administrator: Administrator) -> None:
    history = open_history(session)
    drain(history)
    assert not history.wait(1)
    history.wait(1)  # reports the newest event once more
    drain(history)

    administrator.post("after silence")

    begun = time.monotonic()
    assert history.wait(20)
    assert time.monotonic() - begun < 10
    assert [event.key for event in drain(history)[0]] == [administrator.newest_key]


def test_wait_ends_although_other_sessions_end(session: Session, administrator: Administrator, vcsim: VCSim) -> None:
    history = open_history(session)
    drain(history)
    other = Session(vcenter_settings(vcsim))
    other.connect()
    open_history(other)
    other.close()
    posting = threading.Timer(1, administrator.post, ["after the others"])
    posting.start()

    begun = time.monotonic()
    while not any(b"after the others" in ElementTree.tostring(event.element) for event in drain(history)[0]):
        assert history.wait(20)
    assert time.monotonic() - begun < 10
    posting.join()


def test_burst_in_silence_is_noticed(session: Session, administrator: Administrator) -> None:
    history = open_history(session)
    drain(history)
    assert not history.wait(1)
    for number in range(PAGE_SIZE + 10):  # as many as make vcsim prune what the reading collector stands at
        administrator.post(f"event {number}")

    history.wait(1)
    events, _ = drain(history)

    assert events[-1].key == administrator.newest_key


def test_burst_that_prunes_the_readers_page_leaves_an_exact_gap(session: Session, administrator: Administrator) -> None:
    """The simulator keeps about 1,000 events a collector: the predecessor's reader is stuck after this."""
    history = open_history(session)
    last = drain(history)[0][-1].key
    for number in range(2500):
        administrator.post(f"burst {number}")
    history.wait(1)
    events, [gap] = drain(history)
    assert gap.first == last + 1
    assert gap.last == events[0].key - 1
    assert [event.key for event in events] == list(range(events[0].key, last + 2501))
    assert len(events) >= PAGE_SIZE


def test_keys_that_went_back_are_read_from_the_beginning(session: Session, administrator: Administrator) -> None:
    before_restore = Position(1_000_000, session.server_time() - LONG_AGO, "VmPoweredOnEvent")
    events, gaps = drain(open_history(session, before_restore))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


def test_restarted_keys_past_the_position_are_read_again(session: Session, administrator: Administrator) -> None:
    """The position's key is now another, later event's: greater keys alone would not show it."""
    before_restore = Position(administrator.event_keys()[20], session.server_time() - LONG_AGO, "VmPoweredOnEvent")
    events, gaps = drain(open_history(session, before_restore))
    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []


@pytest.mark.parametrize("is_known", [False, True])
def test_watched_collector_begins_as_early_as_the_reader(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Also after a restore: otherwise events of a clock that was set back would make the keys seem to go back again."""
    begins: dict[int, datetime.datetime] = {}
    create = EventHistory._create_collector

    def recording(self: EventHistory, page_size: int) -> Any:
        begins[page_size] = self._begin
        return create(self, page_size)

    monkeypatch.setattr(EventHistory, "_create_collector", recording)
    hour_ago = session.server_time() - datetime.timedelta(hours=1)
    key = administrator.event_keys()[20] if is_known else 1_000_000
    history = EventHistory(session, hour_ago, Position(key, session.server_time(), "VmPoweredOnEvent"))
    assert [event.key for event in drain(history)[0]] == administrator.event_keys()
    assert begins == {1: hour_ago, PAGE_SIZE: hour_ago}
    administrator.post("after it")
    wait_until(lambda: history.wait(1))
    assert len(drain(history)[0]) == 1


def test_recreated_collector_begins_no_later_than_what_was_read(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if vCenter's clock was set back to before the start of the window, as with at-most-once delivery."""
    now = session.server_time()
    history = EventHistory(session, now + datetime.timedelta(hours=1), None)
    administrator.post("read")
    wait_until(lambda: history.wait(1))
    last = drain(history)[0][-1]
    monkeypatch.setattr(session, "server_time", lambda: last.created_time + datetime.timedelta(minutes=1))
    history._recreate_reader()
    assert history._begin <= last.created_time


def test_position_ahead_of_vcenters_clock_is_continued(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = drain(open_history(session))[0][-1].position
    administrator.post("after it")
    hour_ago = session.server_time() - datetime.timedelta(hours=1)
    monkeypatch.setattr(session, "server_time", lambda: hour_ago)
    history = open_history(session, ahead)
    assert history._begin <= hour_ago
    events, gaps = drain(history)
    assert [event.key for event in events] == [ahead.key + 1]
    assert gaps == []


def test_pages_shrink_while_they_break_and_grow_again(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_size = PageSize()
    call, requested = session.call, []

    def breaking(target: Any, method: str, *arguments: Any) -> ElementTree.Element:
        if method == "ReadNextEvents":
            requested.append(arguments[0])
            if arguments[0] > 20:
                raise ConnectionResetError("the line breaks")
        return call(target, method, *arguments)

    monkeypatch.setattr(session, "call", breaking)
    earliest = session.server_time() - LONG_AGO
    for _ in range(3):
        with pytest.raises(VCenterUnavailable):
            EventHistory(session, earliest, None, page_size).read()
    events = EventHistory(session, earliest, None, page_size).read().events
    assert [event.key for event in events] == administrator.event_keys()[:15]
    assert requested == [1000, 250, 62, 15]
    assert page_size.value == 30


def test_clock_set_back_before_the_begin_ends_the_wait(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = open_history(session)
    drain(history)
    hour_ago = session.server_time() - datetime.timedelta(hours=1)
    monkeypatch.setattr(session, "server_time", lambda: hour_ago)
    with pytest.raises(VCenterUnavailable, match="clock was set back"):
        history.wait(1)


def test_session_that_an_administrator_ended_is_recognized(session: Session, administrator: Administrator) -> None:
    history = open_history(session)
    administrator.end_other_sessions()
    with pytest.raises(VCenterUnavailable, match="session has ended"):
        history.read()


def test_stopped_vcenter_is_unavailable(session: Session, vcsim: VCSim) -> None:
    history = open_history(session)
    vcsim.kill()
    with pytest.raises(VCenterUnavailable, match="ReadNextEvents"):
        history.read()


def comparable(data: Any) -> Any:
    """Return the properties of a posted event that vcsim does not set itself."""
    return [(name, value) for name, value in data.items() if name not in VARIES]


def test_recorded_events_come_out_as_the_predecessor_sent_them(session: Session, administrator: Administrator) -> None:
    """Every recorded event is posted, read back and encoded, both ways."""
    recorded = list(zip(records("json"), records("xml"), strict=True))
    history = open_history(session)
    drain(history)
    for _, as_xml in recorded:
        administrator.post_element(as_xml.body)
    history.wait(5)
    events, _ = drain(history)
    assert len(events) == len(recorded) == 106
    for event, (as_json, as_xml) in zip(events, recorded, strict=True):
        ours = json.loads(to_cloudevent(event, "s", "6.5", JSON).data)
        assert comparable(ours) == comparable(json.loads(as_json.body)), str(as_json)
        without_varying = without_elements(to_cloudevent(event, "s", "6.5", XML).data.decode())
        assert without_varying == without_elements(as_xml.body), str(as_xml)


def without_elements(xml: str) -> str:
    """*xml* without the elements at its head that vcsim sets."""
    return xml[xml.index("</createdTime>") :]


def test_page_that_is_too_large_is_read_in_parts(
    session: Session, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        administrator.post(f"{number} " + "x" * 3000)
    monkeypatch.setattr(bounds, "VCENTER_RESPONSE_BYTES", 50_000)
    page_size = PageSize()

    history = EventHistory(session, session.server_time() - LONG_AGO, None, page_size)
    events, gaps = drain(history)

    assert [event.key for event in events] == administrator.event_keys()
    assert gaps == []
    assert page_size.max_value < 20
    history.close()


def test_page_of_too_many_elements_is_too_large() -> None:
    with pytest.raises(ResponseTooLarge, match="more than 100000 elements"):
        _parse(b"<a>" + b"<b/>" * 250_000 + b"</a>")
