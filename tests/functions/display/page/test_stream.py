"""The page in a real Chromium while its connection comes and goes."""

import contextlib
import json
import re
import socket
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Visit, held
from tests.support.serving import Served
from tests.support.wire import Wire

pytestmark = pytest.mark.browser


def happened(name: str) -> dict[str, Any]:
    return {"FullFormattedMessage": f"{name} happened"}


def shown(page: Page) -> list[str]:
    """Return from the top the first word of each row's description, and the words of each divider."""
    words: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("#rows > *")].map((row) =>
            row.querySelector(".message")?.textContent.split(" ")[0] ?? row.textContent)"""
    )
    return words


def test_missed_events_come_once_and_in_order(served: Served, visit: Visit) -> None:
    with Wire(served.port) as wire:
        served.post(happened("a"), id="a")
        page = visit(wire.address)
        held(page, 1)
        wire.cut()
        expect(page.locator("body[data-connection=reconnecting]")).to_be_attached()
        expect(page.locator("#connection")).to_have_text(re.compile(r"^reconnecting in \d s$"))
        for name in "bcd":
            served.post(happened(name), id=name)
        served.post(happened("a"), id="a")
        wire.mend()
        held(page, 4)
        expect(page.locator("#rows .times")).to_have_text("\N{MULTIPLICATION SIGN}2")
        *rows, divider, last = shown(page)
        assert rows == ["d", "c", "b"]
        assert re.fullmatch(r"not connected from \d\d:\d\d to \d\d:\d\d; what came in between is above", divider)
        assert last == "\N{MULTIPLICATION SIGN}2a"
        assert wire.requests[-1].count("?after=") == 1


def test_page_shows_how_many_events_are_no_longer_held(visit: Visit) -> None:
    with Served("display", DISPLAY_EVENTS="3") as served, Wire(served.port) as wire:
        for name in "ab":
            served.post(happened(name), id=name)
        page = visit(wire.address)
        held(page, 2)
        wire.cut()
        expect(page.locator("body[data-connection=reconnecting]")).to_be_attached()
        for name in "cdefg":
            served.post(happened(name), id=name)
        wire.mend()
        held(page, 3)
        assert shown(page) == ["g", "f", "e", "2 events came in between and are no longer held"]
        expect(page.locator("#state")).to_contain_text("3 kept of 7")


def test_page_drops_its_rows_after_a_restart(visit: Visit) -> None:
    with Served("display") as first, Served("display") as second, Wire(first.port) as wire:
        first.post(happened("old"), id="old")
        page = visit(wire.address)
        held(page, 1)
        second.post(happened("new"), id="new")
        wire.cut()
        wire.port = second.port
        wire.mend()
        expect(page.locator("#rows .message")).to_have_text("new happened")
        held(page, 1)
        assert shown(page) == ["new", "the display was restarted: 1 event shown before is no longer held"]


def test_offline_page_shows_since_when(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    page.context.set_offline(True)
    served.process.terminate()
    expect(page.locator("body[data-connection=offline]")).to_be_attached()
    expect(page.locator("#connection")).to_have_text(
        re.compile(r"^offline since \d\d:\d\d:\d\d, (next attempt in \d+ s|connecting)$")
    )


def test_pause_holds_the_view_and_counts_new_events(served: Served, visit: Visit) -> None:
    served.post(happened("a"), id="a")
    page = visit(served.address)
    held(page, 1)
    page.click("#pause")
    expect(page.locator("#connection")).to_have_text("paused")
    for name in "bc":
        served.post(happened(name), id=name)
    held(page, 3, "paused")
    expect(page.locator("#new")).to_have_text("2 new")
    assert shown(page) == ["a"]
    page.fill("#text", "happened")  # looking for something else does not end the pause
    expect(page.locator("#new")).to_have_text("2 new")
    assert shown(page) == ["a"]
    page.click("text=Resume")
    held(page, 3)
    assert shown(page) == ["c", "b", "a"]


def test_hidden_tab_is_current_when_it_is_shown(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    # A tab in the background gets no frames: what they would do waits for this.
    page.evaluate(
        """() => {
            const frames = [];
            const real = window.requestAnimationFrame;
            window.requestAnimationFrame = (act) => frames.push(act);
            window.look = () => { window.requestAnimationFrame = real; frames.forEach((act) => real(act)); };
        }"""
    )
    served.post(happened("first"), id="first")
    batch = [
        {"specversion": "1.0", "id": str(n), "source": "/s", "type": "t", "data": happened(str(n))} for n in range(300)
    ]
    served.request("POST", "/", json.dumps(batch), {"content-type": "application/cloudevents-batch+json"})
    page.wait_for_function(
        "() => document.getElementById('state').textContent.startsWith('301 kept of 301')", polling=50
    )
    assert shown(page) == []
    page.evaluate("look()")
    held(page, 301)
    assert shown(page)[:2] == ["299", "298"]


def test_next_stream_follows_without_a_sign(visit: Visit) -> None:
    with Served("display", DISPLAY_STREAM="1s") as served:
        page = visit(served.address)
        held(page, 0)
        states = page.evaluate_handle(
            """() => {
                const states = [];
                new MutationObserver(() => states.push(document.body.dataset.connection)).observe(
                    document.body, { attributeFilter: ["data-connection"] });
                return states;
            }"""
        )
        for name in "abc":
            with page.expect_request("**/api/events?after=*"):
                pass
            served.post(happened(name), id=name)
        held(page, 3)
        assert shown(page) == ["c", "b", "a"]
        assert set(states.json_value()) <= {"live"}


def test_next_stream_that_does_not_open_is_reported(visit: Visit) -> None:
    with Served("display", DISPLAY_STREAM="1s") as served:
        page = visit(served.address)
        held(page, 0)
        page.route("**/api/events?after=*", lambda route: None)  # it is never answered
        expect(page.locator("body[data-connection=reconnecting]")).to_be_attached()


def test_page_behind_a_prefix_works(served: Served, visit: Visit) -> None:
    """A proxy may mount the display anywhere: here, by taking the prefix off every request."""
    served.post(happened("a"), id="a")
    with Wire(served.port, strip=b"/mounted/here") as wire:
        page = visit(f"{wire.address}mounted/here/")
        held(page, 1)
        page.locator("#rows .message").click()
        expect(page.locator("#attributes")).to_contain_text("vcenter.example")


def test_surplus_viewer_waits_until_another_leaves(visit: Visit) -> None:
    with Served("display", DISPLAY_VIEWERS="3") as served:
        seats = [socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(3)]
        for seat in seats:
            seat.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert seat.recv(15) == b"HTTP/1.1 200 OK"
        page = visit(served.address)
        expect(page.locator("body[data-connection=rejected]")).to_be_attached()
        expect(page.locator("#connection")).to_contain_text(
            "3 viewers are connected; DISPLAY_VIEWERS allows more, next"
        )
        expect(page.locator("#unconnected")).to_contain_text("Nothing is shown yet: 3 viewers are connected")
        expect(page.locator("#count-error")).to_be_hidden()  # no zeros before the first numbers
        for seat in seats:
            seat.close()
        served.post(happened("a"), id="a")  # what is written to a viewer who left shows that they did
        served.post(happened("b"), id="b")
        held(page, 2)


def test_login_is_required_before_anything_is_shown(browser: Browser) -> None:
    with Served("display", DISPLAY_LOGIN="anna:pw") as served, contextlib.closing(browser.new_context()) as context:
        assert served.post(happened("a"), id="a")[0] == 202
        assert served.request("GET", "/")[0] == 401
        page = context.new_page()
        page.goto(served.address.replace("http://", "http://anna:pw@"))
        held(page, 1)
        page.locator("#rows .message").click()
        expect(page.locator("#attributes")).to_contain_text("vcenter.example")
