"""The tab "Send" in a real Chromium."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.recorder import Recorder
from tests.support.serving import SENDING, Served

pytestmark = pytest.mark.browser

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.fixture
def sending(sink: Recorder) -> Iterator[Served]:
    """A display that may send, to `sink` or itself."""
    with Served("display", **SENDING, K_SINK=sink.url) as served:
        yield served


def send(served: Served, target: str = "display", **headers: str) -> tuple[int, str]:
    return served.request("POST", "/api/send", json.dumps({"target": target, "event": EVENT}), headers)


def test_tab_is_hidden_unless_sending_is_allowed(served: Served, visit: Visit) -> None:
    assert send(served, Origin=served.address.rstrip("/")) == (
        403,
        "sending is off; DISPLAY_ALLOW_SEND=true allows it\n",
    )
    page = visit(served.address)
    held(page, 0)
    expect(page.locator("#show-send")).to_be_hidden()
    expect(page.locator("#show-dead-letters")).to_be_hidden()


def test_template_is_sent_and_received(sending: Served, visit: Visit) -> None:
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


def test_stored_event_is_replayed_to_the_sink(sending: Served, sink: Recorder, visit: Visit) -> None:
    sending.post({"n": 1}, id="again")
    page = visit(sending.address)
    held(page, 1)
    page.locator("#rows .message").click()
    page.click("#copies >> text=Replay")
    expect(page.locator("#send-event")).to_have_value(re.compile('"id": "again"'))
    page.click("#send-now")
    expect(page.locator("#send-result li").nth(1)).to_contain_text("Answered 202 after ")
    assert [(body["id"], body["data"]) for body in sink.bodies] == [("again", {"n": 1})]


def test_invalid_event_is_not_sent(sending: Served, visit: Visit) -> None:
    page = visit(sending.address)
    held(page, 0)
    page.click("#show-send")
    page.fill("#send-event", "{")
    page.click("#send-now")
    expect(page.locator("#send-result")).to_contain_text("Not sent: this is not JSON")
    page.fill("#send-event", '{"id": "1"}')
    page.click("#send-now")
    expect(page.locator("#send-result")).to_contain_text("missing attributes: specversion, source, type")
