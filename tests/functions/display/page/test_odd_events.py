"""Odd and hostile events in a real Chromium."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.headers import headers
from tests.support.page import rows
from tests.support.serving import Served

pytestmark = pytest.mark.browser


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;"


def test_markup_stays_text_everywhere(served: Served, visit: Visit) -> None:
    event = {
        "specversion": "1.0",
        **dict.fromkeys(("id", "source", "type", "subject", "time", "extension"), HOSTILE),
        "datacontenttype": "application/json",
        "data": {"FullFormattedMessage": HOSTILE, "UserName": HOSTILE, HOSTILE: HOSTILE, "__proto__": HOSTILE},
    }
    content = {"content-type": "application/cloudevents+json"}
    assert served.request("POST", "/", json.dumps(event), content)[0] == 202
    served.request("POST", "/", HOSTILE.encode(), {"content-type": "text/plain", "X-Odd": HOSTILE})
    page = visit(served.address)
    page.locator("#rows .message").click()
    expect(page.locator("#attributes")).to_contain_text("extension")
    assert page.locator("#rows .message").inner_text() == HOSTILE
    assert page.locator("#rows .type").inner_text() == HOSTILE
    assert page.locator("#attributes dd").all_inner_texts().count(HOSTILE) == 6
    page.click("#tab-payload")
    assert page.locator("#panel-payload .payload").inner_text().count("<script>") == 5
    page.click("#view")
    page.click("#tab-trigger")
    page.click("#types-button")
    page.click("#type-list .plain")
    page.keyboard.press("Escape")
    expect(page.locator("#chips")).to_contain_text(HOSTILE)
    expect(rows(page)).to_have_count(1)
    page.reload()
    held(page, 1)
    expect(rows(page)).to_have_count(1)
    page.click("#show-rejected")
    page.click("#rejected-list summary")
    expect(page.locator("#rejected-list pre")).to_have_text(HOSTILE)
    assert page.locator("img, main script").count() == 0


ODD: dict[str, tuple[bytes, dict[str, str]]] = {
    "deep XML": (b"<a>" * 300 + b"</a>" * 300, {"datacontenttype": "application/xml"}),
    "deep JSON": (b'{"a":' * 900 + b"1" + b"}" * 900, {}),
    "very deep JSON": (b"[" * 100_000 + b"]" * 100_000, {}),
    "not UTF-8": (b"\xff\xfe\x00", {"datacontenttype": "text/plain"}),
    "array": (b'["array"]', {}),
    "text": (b'"text"', {}),
    "wrong JSON": (b"{wrong", {}),
    "1 MB": (json.dumps({"FullFormattedMessage": "x" * 1_000_000}).encode(), {}),
    "year 9999": (b"{}", {"time": "9999-12-31T23:59:59Z"}),
    "no time": (b"{}", {"time": "soon"}),
    "percent-encoded": (b"{}", {"subject": "a%2Fb%20%F0%9F%98%80"}),
}


def test_odd_event_is_shown_in_every_way(served: Served, visit: Visit) -> None:
    for name, (body, attributes) in ODD.items():
        assert served.post(body, id=name, **attributes)[0] == 202
    page = visit(served.address)
    held(page, len(ODD))
    page.click("#view")
    for name in ODD:
        page.locator("#rows .row", has=page.locator(".id", has_text=re.compile(f"^{name}$"))).locator(
            ".received"
        ).click()
        expect(page.locator("#attributes")).to_contain_text(name)
        page.click("#tab-payload")
        ways = page.locator("#panel-payload [role=group] button")
        expect(ways.last).to_have_text("Hex")
        assert ("Raw" in ways.all_inner_texts()) == (name != "not UTF-8")
        for way in ways.all():
            way.click()
            expect(way).to_have_attribute("aria-pressed", "true")
            expect(page.locator("#panel-payload .payload")).not_to_be_empty()
        page.click("#tab-summary")


def test_event_without_content_type_is_shown(served: Served, visit: Visit) -> None:
    sent = headers(id="1")
    del sent["content-type"]
    assert served.request("POST", "/", b'{"message": "hello"}', sent)[0] == 202
    page = visit(served.address)
    held(page, 1)
    assert page.locator("#rows .message").inner_text() == "hello"
