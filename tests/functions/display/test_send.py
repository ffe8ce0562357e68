"""Sending and replaying on the display's page, in a real Chromium; and who may not send."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.recorder import Recorder
from tests.support.serving import Served

pytestmark = pytest.mark.browser

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.fixture
def sending(sink: Recorder) -> Iterator[Served]:
    """A display that may send, to `sink` or itself."""
    with Served("display", DISPLAY_ALLOW_SEND="true", K_SINK=sink.url) as served:
        yield served


def send(served: Served, target: str = "display", **headers: str) -> tuple[int, str]:
    return served.request("POST", "/api/send", json.dumps({"target": target, "event": EVENT}), headers)


def test_nothing_can_be_sent_unless_it_is_allowed(served: Served, visit: Visit) -> None:
    assert send(served, Origin=served.address.rstrip("/")) == (
        403,
        "sending is off; DISPLAY_ALLOW_SEND=true allows it\n",
    )
    page = visit(served.address)
    held(page, 0)
    expect(page.locator("#show-send")).to_be_hidden()
    expect(page.locator("#show-dead-letters")).to_be_hidden()


def test_only_the_displays_own_page_may_send(sending: Served) -> None:
    token = json.loads(sending.request("GET", "/api/about")[1])["send"]["token"]
    own = sending.address.rstrip("/")
    refused = (403, "only this display's own page may send\n")
    assert send(sending, **{"X-Send-Token": token}) == refused
    assert send(sending, **{"X-Send-Token": token, "Origin": "https://elsewhere.example"}) == refused
    assert send(sending, **{"X-Send-Token": token, "Sec-Fetch-Site": "cross-site"}) == refused
    assert send(sending, Origin=own) == refused
    assert send(sending, **{"X-Send-Token": "guessed", "Origin": own}) == refused
    assert send(sending, **{"X-Send-Token": token, "Origin": own})[0] == 200


def test_event_goes_to_the_sink_or_the_display_and_nowhere_else(sending: Served) -> None:
    token = json.loads(sending.request("GET", "/api/about")[1])["send"]["token"]
    status, said = send(sending, "http://elsewhere.example", **{"X-Send-Token": token, "Sec-Fetch-Site": "same-origin"})
    assert status == 400
    assert "not one of sink, display" in said


def test_template_is_sent_answered_and_received(sending: Served, visit: Visit) -> None:
    page = visit(sending.address)
    held(page, 0)
    page.click("#show-send")
    page.select_option("#send-template", "HostConnectionLostEvent")
    page.select_option("#send-target", "display")
    page.click("#send-now")
    result = page.locator("#send-result li")
    expect(result.nth(1)).to_contain_text("Answered 202 after ")
    expect(result.last).to_have_text("Received")
    page.click("#show-events")
    expect(page.locator("#rows .error .message")).to_have_text("Host esx-01 in Berlin is not responding")


def test_held_event_is_replayed_to_the_sink(sending: Served, sink: Recorder, visit: Visit) -> None:
    sending.post({"n": 1}, id="again")
    page = visit(sending.address)
    held(page, 1)
    page.locator("#rows .message").click()
    page.click("#copies >> text=Replay")
    expect(page.locator("#send-event")).to_have_value(re.compile('"id": "again"'))
    page.click("#send-now")
    expect(page.locator("#send-result li").nth(1)).to_contain_text("Answered 202 after ")
    assert [(body["id"], body["data"]) for body in sink.bodies] == [("again", {"n": 1})]


def test_what_is_no_event_is_not_sent_and_says_why(sending: Served, visit: Visit) -> None:
    page = visit(sending.address)
    held(page, 0)
    page.click("#show-send")
    page.fill("#send-event", "{")
    page.click("#send-now")
    expect(page.locator("#send-result")).to_contain_text("Not sent: this is not JSON")
    page.fill("#send-event", '{"id": "1"}')
    page.click("#send-now")
    expect(page.locator("#send-result")).to_contain_text("missing attributes: specversion, source, type")
