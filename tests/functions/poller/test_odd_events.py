"""An event of vCenter's that is odd in any way: the poller delivers it or names it, and delivers all others."""

import contextlib
import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pytest

from functions.poller import create
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from tests.support.administrator import Administrator
from tests.support.recorder import Recorder
from vsphere.element import NAMESPACED, child
from vsphere.session import Session

TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/test"})


def setting(name: str, text: str) -> Callable[[Element], None]:
    """Return a change that sets the child *name* of an event to *text*."""

    def change(event: Element) -> None:
        element = child(event, name)
        assert element is not None
        element.text = text

    return change


def removing(name: str) -> Callable[[Element], None]:
    def change(event: Element) -> None:
        element = child(event, name)
        assert element is not None
        event.remove(element)

    return change


def nest(event: Element) -> None:
    for _ in range(2000):
        event = SubElement(event, "deeper")


NO_KEY = {
    "no key": removing("key"),
    "key that is text": setting("key", "abc"),
    "key of another script": setting("key", "²"),
    "key of 5,000 digits": setting("key", "9" * 5000),
}
NO_TIME = {
    "no time": removing("createdTime"),
    "time that is text": setting("createdTime", "soon"),
    "time after the end of a day": setting("createdTime", "2026-01-02T24:00:00Z"),
    "time before the first year": setting("createdTime", "0001-01-01T00:00:00+14:00"),
}


def poll_with(change: Callable[[Element], None], key: int, environ: dict[str, str], monkeypatch: Any) -> None:
    """Run one poll of a vCenter that sends the event *key* with *change*."""
    call = Session.call

    def changed(session: Session, *arguments: Any) -> Element:
        response = call(session, *arguments)
        for tag in ("returnval", "Event"):
            for event in response.iter(f"{NAMESPACED}{tag}"):
                if event.findtext(f"{NAMESPACED}key") == str(key):
                    change(event)
        return response

    monkeypatch.setattr(Session, "call", changed)
    with contextlib.closing(create(environ)) as poller:
        poller.handle(TICK)
        poller.handle(TICK)


def odd_key(administrator: Administrator) -> int:
    for number in range(5):
        administrator.post(f"event {number}")
    return administrator.event_keys()[-3]


def reports(sink: Recorder) -> list[Any]:
    unreadable = [request for request in sink.accepted if request.headers["ce-type"] == status_events.UNREADABLE]
    return [json.loads(request.body) for request in unreadable]


@pytest.mark.parametrize("change", NO_KEY.values(), ids=NO_KEY)
def test_event_without_a_usable_key_is_reported_once(
    change: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = odd_key(administrator)
    poll_with(change, key, environ, monkeypatch)
    assert set(administrator.event_keys()[:-4]) - {key} <= set(sink.ids)
    [report] = reports(sink)
    assert report["key"] is None
    assert "event 2" in report["text"]


@pytest.mark.parametrize("change", NO_TIME.values(), ids=NO_TIME)
def test_event_without_a_usable_time_is_delivered(
    change: Any, environ: dict[str, str], sink: Recorder, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = odd_key(administrator)
    poll_with(change, key, environ, monkeypatch)
    assert set(administrator.event_keys()[:-4]) <= set(sink.ids)
    times = {int(request.id): request.headers["ce-time"] for request in sink.accepted}
    assert times[key][:26] == times[key - 1][:26]
    assert reports(sink) == []


def test_event_too_deep_to_encode_is_reported_with_its_text(
    environ: dict[str, str], sink: Recorder, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = odd_key(administrator)
    poll_with(nest, key, environ, monkeypatch)
    assert set(administrator.event_keys()[:-4]) - {key} <= set(sink.ids)
    [report] = reports(sink)
    assert report["key"] == key
    assert "event 2" in report["text"]
