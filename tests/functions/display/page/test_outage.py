"""The page while something is wrong: what it says, what stays on top, and what holds still."""

import re
import signal
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit, held
from tests.support.serving import Served

pytestmark = pytest.mark.browser

LOST = "com.vmware.vsphere.HostConnectionLostEvent.v0"
DISCONNECTED = "com.vmware.vsphere.VmDisconnectedEvent.v0"
LOGIN = "com.vmware.vsphere.UserLoginSessionEvent.v0"


def on_host(host: str, message: str, vm: str = "") -> dict[str, Any]:
    """Return the payload of an event on *host*, about it or a VM."""
    return {
        "Host": {"Name": host, "Host": {"Type": "HostSystem", "Value": "host-7"}},
        "ComputeResource": {"Name": "Production"},
        "Vm": {"Name": vm, "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}} if vm else None,
        "FullFormattedMessage": message,
    }


def lose_a_host(served: Served, vms: int = 32) -> None:
    """The VMs are reported first, as vCenter does when it notices them first."""
    for number in range(vms):
        name = f"web-{number:02}"
        served.post(on_host("esx07", f"{name} on esx07 is disconnected", name), id=f"vm{number}", type=DISCONNECTED)
    served.post(on_host("esx07", "Host esx07 in Berlin is not responding"), id="host", type=LOST)


def log_in(served: Served, number: int, prefix: str = "login") -> None:
    for index in range(number):
        served.post({"FullFormattedMessage": f"User {index} logged in"}, id=f"{prefix}{index}", type=LOGIN)


def test_outage_is_one_line_with_its_cause_until_dismissed(visit: Visit) -> None:
    with Served("display", DISPLAY_EVENTS="200") as served:
        page = visit(served.address)
        held(page, 0)
        expect(page.locator("#attention-line")).to_have_text("Nothing needs attention")
        calm = page.locator("link[rel=icon]").get_attribute("href")
        top = page.locator("#scroller").evaluate("(element) => element.getBoundingClientRect().top")
        lose_a_host(served)
        log_in(served, 300)  # far more than there are places
        held(page, 200)
        line = page.locator("#attention-line")
        expect(line.locator(".cause")).to_have_text("Host esx07 in Berlin is not responding")
        expect(line.locator(".also")).to_have_text("32 \N{MULTIPLICATION SIGN} VM disconnected")
        expect(line.locator(".since")).to_contain_text("33 events, last ")
        assert page.title() == "(33) esx07: host connection lost \N{EN DASH} vCenter events"
        assert page.locator("link[rel=icon]").get_attribute("href") != calm
        assert page.locator("#scroller").evaluate("(element) => element.getBoundingClientRect().top") == top
        page.reload()
        held(page, 200)
        expect(line.locator(".cause")).to_have_text("Host esx07 in Berlin is not responding")
        line.get_by_role("button", name="Dismiss").click()
        expect(line).to_have_text("Nothing needs attention")
        assert page.title() == "vCenter events"
        assert page.locator("link[rel=icon]").get_attribute("href") == calm
        served.post(on_host("esx07", "esx07 again"), id="again", type=LOST)
        expect(line.locator(".since")).to_contain_text("34 events")
        line.get_by_role("button", name="Mute").click()
        served.post(on_host("esx07", "esx07 once more"), id="more", type=LOST)
        expect(page.locator("#attention-more")).to_have_text("1 hidden")
        page.click("#attention-more")
        page.get_by_role("button", name="Show:").click()
        page.keyboard.press("Escape")
        line.locator(".cause").click()
        expect(page.locator("#count")).to_contain_text(" of 200 shown")
        expect(page.locator("#detail-message")).to_have_text("Host esx07 in Berlin is not responding")


def test_silence_is_not_called_live(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    served.signal(signal.SIGSTOP)
    expect(page.locator("#connection")).to_have_text(re.compile(r"^no sign of life for [5-9] s$"))
    assert page.locator("body").get_attribute("data-connection") == "silent"
    served.signal(signal.SIGCONT)
    held(page, 0)
    expect(page.locator("#connection")).to_have_text("live")


def test_silent_stream_is_left_and_the_attempt_too(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    page.clock.install()
    page.reload()
    held(page, 0)
    served.signal(signal.SIGSTOP)
    page.clock.run_for(12_000)
    expect(page.locator("#connection")).to_have_text(re.compile(r"^offline since \d\d:\d\d:\d\d, "))
    page.clock.run_for(20_000)
    expect(page.locator("#connection")).to_have_text(re.compile(r"^offline since \d\d:\d\d:\d\d, "))
    served.signal(signal.SIGCONT)
    page.clock.run_for(20_000)
    held(page, 0)


def test_heartbeat_that_stays_away_turns_amber(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    beat = "dev.vcenter-events.poller.heartbeat.v0"
    served.post({"interval": 0.8}, id="1", type=beat)
    expect(page.locator("#health .good").last).to_have_text("poller and Broker")
    expect(page.locator("#health .odd")).to_have_text(re.compile("poller or Broker silent for [2-9] s"))
    served.post({"interval": 60}, id="2", type=beat)
    expect(page.locator("#health .good").last).to_have_text("poller and Broker")
    outage = {"since": "2026-11-25T12:00:00Z", "reason": "connection refused"}
    served.post(outage, id="3", type="dev.vcenter-events.poller.unreachable.v0")
    expect(page.locator("#health .bad")).to_contain_text("vcenter.example unreachable since ")
    assert page.locator("#health .bad").get_attribute("title") == "connection refused"


def aim(page: Page) -> str:
    """Move the pointer to a row in view, wait as a person does, press it, and return its words."""
    row = page.locator("#rows .row .message").nth(5)
    box = row.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 8, steps=3)
    seen: str = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('.row').querySelector('.message').textContent",
        [box["x"] + 30, box["y"] + 8],
    )
    page.wait_for_timeout(200)
    page.mouse.down()
    page.wait_for_timeout(80)
    page.mouse.up()
    return seen


def test_view_holds_while_somebody_aims_and_reads(served: Served, visit: Visit) -> None:
    log_in(served, 60)
    page = visit(served.address)
    held(page, 60)
    chrome = page.locator("#scroller").bounding_box()
    for attempt in range(3):
        log_in(served, 3, f"before{attempt}-")
        seen = aim(page)
        log_in(served, 3, f"after{attempt}-")
        expect(page.locator("#detail-message")).to_have_text(seen)
        assert page.locator("#new").is_visible()
    box = page.locator("#scroller").bounding_box()
    assert chrome is not None
    assert box is not None
    assert (box["x"], box["y"]) == (chrome["x"], chrome["y"])
    assert abs(box["height"] - chrome["height"]) < 1
    assert page.locator("#heading .target").is_visible()
    assert page.locator("#heading .type").is_visible()
    page.mouse.move(5, 5)
    page.keyboard.press("Escape")
    expect(page.locator("#new")).to_be_hidden()
    expect(page.locator("#rows .message").first).to_have_text("User 2 logged in")


def test_time_that_is_none_is_shown_as_it_came(served: Served, visit: Visit) -> None:
    for time_text in ("5", "2026-02-30T10:00:00Z", "2026-11-20 10:00"):
        served.post({"message": "odd"}, id=time_text, time=time_text)
    page = visit(served.address)
    held(page, 3)
    assert page.locator("#rows .time").all_inner_texts() == ["2026-11-20 10:00", "2026-02-30T10:00:00Z", "5"]


def test_clock_ahead_is_counted_and_reported(served: Served, visit: Visit) -> None:
    ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 125))
    served.post({"message": "from the future"}, id="1", type=LOST, time=ahead)
    page = visit(served.address)
    held(page, 1)
    expect(page.locator("#rate")).to_contain_text("1 error")
    expect(page.locator("#health .odd")).to_have_text("a source's clock is 2 min ahead")
