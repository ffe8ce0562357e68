"""The tab "Dead letters" in a real Chromium, with the real deadletter function."""

import base64
import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit, held
from tests.support.manifests import TOKEN
from tests.support.recorder import Recorder
from tests.support.serving import SENDING, Served

pytestmark = pytest.mark.browser

TAG = "http://tag.vcenter-events.svc.cluster.local/"


def fail(
    deadletter: Served, name: str, code: str = "503", response: str = "", at: str = TAG, **attributes: str
) -> None:
    """Post the dead letter of an event, as a Broker does."""
    failed = {
        "knativeerrordest": at,
        "knativearrivaltime": f"{name} {code} {response}",
        **({"knativeerrorcode": code} if code else {}),
        **({"knativeerrordata": base64.b64encode(response.encode()).decode()} if response else {}),
    }
    sent = {"subject": "VirtualMachine/vm-60", "id": name, **failed, **attributes}
    assert deadletter.post({"FullFormattedMessage": f"{name} is powered off"}, **sent)[0] < 300


def opened(visit: Visit, served: Served) -> Page:
    page = visit(served.address)
    held(page, 0)
    page.click("#show-dead-letters")
    return page


def counts(deadletter: Served) -> dict[str, int]:
    result: dict[str, int] = json.loads(deadletter.request("GET", "/api/dead-letters")[1])["counts"]
    return result


def lines(page: Page) -> Any:
    return page.locator("#dead-letter-list > li:not(.group-heading)")


def test_list_has_event_reason_and_age(deadletter: Served, sending: Served, visit: Visit) -> None:
    page = opened(visit, sending)
    expect(page.locator("#dead-letters-none")).to_have_text(
        "No dead letters: every event was delivered, or is being retried."
    )
    fail(deadletter, "a", "400", "there is no such tag")
    fail(deadletter, "b", "")
    fail(deadletter, "b", "500", at=TAG)
    page.click("#show-events")
    page.click("#show-dead-letters")
    expect(lines(page).locator(".reason")).to_have_text(["500 from tag", "400 from tag: there is no such tag"])
    expect(lines(page).locator(".what").first).to_have_text("VmPoweredOffEvent VirtualMachine/vm-60")
    expect(lines(page).locator(".often")).to_have_text(["2 times", "once"])
    expect(lines(page).locator(".age").first).to_have_text(re.compile(r"\d s$|\d ms$"))
    expect(page.locator("#dead-letters-count")).to_have_text("2")
    page.click("#show-events")
    page.click("#utc")
    page.click("#show-dead-letters")
    expect(lines(page).locator(".time").first).to_have_text("2026-11-20 15:45:13Z")


def test_dead_letter_opens_to_its_event(deadletter: Served, sending: Served, visit: Visit) -> None:
    fail(deadletter, "a", "400", "<b>no</b> such tag", comexampleextension="kept")
    page = opened(visit, sending)
    lines(page).locator("summary").click()
    expect(lines(page).locator("dl").first).to_contain_text("Message<b>no</b> such tag")
    expect(lines(page).locator(".attributes")).to_contain_text("comexampleextensionkept")
    expect(lines(page).locator(".payload")).to_have_text("FullFormattedMessagea is powered off")
    fail(deadletter, "b")
    page.click("#show-dead-letters")
    expect(lines(page)).to_have_count(2)
    expect(lines(page).last.locator(".payload")).to_be_visible()  # what is read stays open


def test_new_dead_letter_does_not_take_the_focus(deadletter: Served, sending: Served, visit: Visit) -> None:
    fail(deadletter, "a")
    page = opened(visit, sending)
    lines(page).locator("input").focus()
    page.keyboard.press("Space")
    fail(deadletter, "b")
    expect(lines(page)).to_have_count(2)  # it is looked for again and again
    expect(lines(page).last.locator("input")).to_be_focused()
    expect(page.locator("#redrive")).to_have_text("Redrive 1")


def test_new_dead_letters_are_counted_on_the_tab(deadletter: Served, sending: Served, visit: Visit) -> None:
    page = visit(sending.address)
    held(page, 0)
    fail(deadletter, "a")
    expect(page.locator("#dead-letters-count")).to_have_text("1")


def test_page_without_permission_explains_how_to_redrive(deadletter: Served, visit: Visit) -> None:
    fail(deadletter, "a")
    with Served("display", DISPLAY_DEAD_LETTERS=deadletter.address) as served:
        page = opened(visit, served)
        expect(lines(page)).to_have_count(1)
        for acting in ("#dead-letters input", "#redrive", "#drop", "#redrive-all"):
            assert page.locator(f"{acting}:visible").count() == 0
        lines(page).locator("summary").click()
        expect(lines(page).locator(".payload")).to_be_visible()
        assert lines(page).get_by_role("button", name="Redrive").count() == 0
        page.click("#dead-letters-how summary")
        expect(page.locator("#dead-letters-how")).to_contain_text("DISPLAY_ALLOW_SEND=true")
        expect(page.locator("#dead-letters-curl")).to_contain_text(
            f"curl {deadletter.address}api/dead-letters/redrive --json"
        )


def test_unreachable_deadletter_function_is_reported(visit: Visit) -> None:
    with Served("display", DISPLAY_DEAD_LETTERS="http://127.0.0.1:9/") as served:
        page = opened(visit, served)
        expect(page.locator("#dead-letters-none")).to_contain_text(
            "Not listed: the deadletter function at http://127.0.0.1:9 cannot be reached: "
        )


def test_chosen_ones_are_redriven_by_keyboard_alone(
    deadletter: Served, sending: Served, broker: Recorder, visit: Visit
) -> None:
    for name in "abc":
        fail(deadletter, name)
    page = opened(visit, sending)
    expect(page.locator(".group-heading")).to_contain_text("3 ")  # of one subscriber and reason
    expect(page.locator("#redrive")).to_be_disabled()
    lines(page).locator("input").nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # to the dead letter itself
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#redrive")).to_have_text("Redrive 2")
    page.locator("#redrive").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dead-letters-result")).to_have_text("2 redriven")
    expect(lines(page)).to_have_count(1)
    expect(page.locator("#dead-letters-waiting")).to_be_focused()
    assert sorted(body["FullFormattedMessage"][0] for body in broker.bodies) == ["b", "c"]
    page.click("#dead-letters-redriven")
    expect(lines(page)).to_have_count(2)


def test_open_one_is_redriven(deadletter: Served, sending: Served, broker: Recorder, visit: Visit) -> None:
    fail(deadletter, "a")
    fail(deadletter, "b")
    page = opened(visit, sending)
    lines(page).last.locator("summary").click()
    lines(page).last.get_by_role("button", name="Redrive").click()
    expect(page.locator("#dead-letters-result")).to_have_text("1 redriven")
    assert [body["FullFormattedMessage"] for body in broker.bodies] == ["a is powered off"]
    assert counts(deadletter) == {"waiting": 1, "redriven": 1, "dropped": 0, "unstored": 0}


def test_all_are_redriven_after_a_confirmation(
    deadletter: Served, sending: Served, broker: Recorder, visit: Visit
) -> None:
    for name in "abcdefg":
        fail(deadletter, name)
    fail(deadletter, "a", at="http://notify.example/")  # the same event: sent once
    page = opened(visit, sending)
    page.click("#redrive-all")
    expect(page.locator("#confirm-title")).to_have_text("Redrive 8 events?")
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    assert broker.bodies == []
    broker.statuses = [200, 503]
    page.click("#redrive-all")
    page.click("#confirm-act")
    expect(page.locator("#dead-letters-result")).to_have_text("7 of 8 redriven; 1 rejected: the Broker returned 503")
    assert len(broker.bodies) == 6
    expect(lines(page)).to_have_count(1)
    lines(page).locator("summary").click()
    expect(lines(page)).to_contain_text("Last redrivethe Broker returned 503")
    assert counts(deadletter)["waiting"] == 1


def test_all_of_one_subscriber_are_redriven(
    deadletter: Served, sending: Served, broker: Recorder, visit: Visit
) -> None:
    fail(deadletter, "a")
    fail(deadletter, "b", at="http://notify.example/")
    page = opened(visit, sending)
    page.select_option("#dead-letters-destination", label="notify.example")
    expect(lines(page)).to_have_count(1)
    page.click("#redrive-all")
    expect(page.locator("#confirm-words")).to_contain_text("All that failed at notify.example are sent")
    page.click("#confirm-act")
    expect(page.locator("#dead-letters-result")).to_have_text("1 redriven")
    assert [body["FullFormattedMessage"] for body in broker.bodies] == ["b is powered off"]


def test_progress_is_shown_and_can_be_stopped(
    deadletter: Served, sending: Served, broker: Recorder, visit: Visit
) -> None:
    for number in range(12):
        fail(deadletter, str(number))
    page = opened(visit, sending)
    broker.gate.clear()
    page.click("#redrive-all")
    page.click("#confirm-act")
    expect(page.locator("#dead-letters-result")).to_have_text("Redriving: 0 of 12")
    expect(page.locator("#redrive-all")).to_be_disabled()
    page.click("#dead-letters-stop")
    broker.gate.set()
    expect(page.locator("#dead-letters-result")).to_have_text("5 of 12 redriven; 7 not attempted")
    assert counts(deadletter) == {"waiting": 7, "redriven": 5, "dropped": 0, "unstored": 0}


def test_missing_broker_is_reported_and_nothing_is_lost(visit: Visit) -> None:
    with (
        Served("deadletter", DEADLETTER_TOKEN=TOKEN) as deadletter,
        Served("display", **SENDING, DISPLAY_DEAD_LETTERS=deadletter.address) as served,
    ):
        fail(deadletter, "a")
        page = opened(visit, served)
        page.click("#dead-letters-all")
        page.click("#redrive")
        expect(page.locator("#dead-letters-result")).to_have_text(
            "0 of 1 redriven; then it stopped: redrive: K_SINK is not set, so there is no Broker to send to"
        )
        expect(lines(page)).to_have_count(1)


def test_deadletter_function_that_stops_is_reported(deadletter: Served, sending: Served, visit: Visit) -> None:
    fail(deadletter, "a")
    page = opened(visit, sending)
    page.click("#dead-letters-all")
    deadletter.process.kill()
    deadletter.wait()
    page.click("#redrive")
    expect(page.locator("#dead-letters-result")).to_contain_text(
        "0 of 1 redriven; then it stopped: the deadletter function"
    )
    expect(page.locator("#dead-letters-none")).to_contain_text("Not listed: the deadletter function at ")
    expect(lines(page)).to_have_count(1)  # what was known stays


def test_dropped_ones_keep_a_reason_and_can_be_redriven(
    deadletter: Served, sending: Served, broker: Recorder, visit: Visit
) -> None:
    for name in "abc":
        fail(deadletter, name)
    page = opened(visit, sending)
    lines(page).locator("input").nth(0).check()
    lines(page).locator("input").nth(1).check()
    page.click("#drop")
    expect(page.locator("#confirm-title")).to_have_text("Drop 2 events?")
    expect(page.locator("#confirm-act")).to_be_disabled()
    page.keyboard.type("the VM is gone")
    page.keyboard.press("Enter")
    expect(page.locator("#dead-letters-result")).to_have_text("2 dropped")
    expect(lines(page)).to_have_count(1)
    page.click("#dead-letters-dropped")
    expect(lines(page)).to_have_count(2)
    lines(page).first.locator("summary").click()
    expect(lines(page).first).to_contain_text("Dropped becausethe VM is gone")
    lines(page).first.get_by_role("button", name="Redrive").click()
    expect(page.locator("#dead-letters-result")).to_have_text("1 redriven")
    assert counts(deadletter) == {"waiting": 1, "redriven": 1, "dropped": 1, "unstored": 0}
    assert len(broker.bodies) == 1
