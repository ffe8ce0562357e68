"""The explanation of Triggers, and finding events, in a real Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.page import powered_off, rows
from tests.support.serving import Served

pytestmark = pytest.mark.browser

TRIGGERS = """
kind: Trigger
metadata: {name: tag}
spec: {filter: {attributes: {type: hello}}, subscriber: {ref: {name: tag}}}
---
kind: Trigger
metadata: {name: ticket}
spec:
  filters: [{any: [{exact: {type: goodbye}}, {prefix: {type: good}}]}, {exact: {region: west}}]
  subscriber: {ref: {name: ticket}}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "triggers.yaml").write_text(TRIGGERS)
    with Served("display", DISPLAY_TRIGGERS=str(tmp_path)) as running:
        yield running


def test_event_says_which_triggers_select_it_and_why_not(served: Served, visit: Visit) -> None:
    served.post(powered_off("web-01"), id="1", type="hello", source="/lab")
    reply = {"message": "Tag attached", "UserName": "reaction tag"}
    served.post(reply, id="2", type="dev.vcenter-events.tag.attached.v0", source="/lab", causationid="1")
    page = visit(served.address)
    held(page, 2)

    page.locator("#text").fill("type:hel* OR id:99")
    page.locator("#rows .message").first.click()
    page.click("#tab-trigger")
    lines = page.locator("#triggers > ul > li")
    expect(lines.nth(0)).to_contain_text("tagreplied after")
    expect(lines.nth(1).locator(".why")).to_have_text("type hello is none of goodbye, good… and it has no region")

    page.fill("#trigger", json.dumps({"filter": {"attributes": {"type": "hi"}}}))
    page.click("#test")
    expect(page.locator("#reasons")).to_contain_text("the event has hello")

    page.reload()  # the open event is in the address
    expect(page.locator("#detail-title")).to_have_text("hello")
    page.click("#tab-trigger")
    page.click("#triggers >> text=tag.attached")
    expect(page.locator("#detail-message")).to_have_text("Tag attached")


def test_fields_alternatives_and_wildcards_are_found(served: Served, visit: Visit) -> None:
    for number, (name, user) in enumerate((("web-01", "anna"), ("web-02", "ben"), ("db-01", "anna")), 1):
        served.post(powered_off(name, UserName=user), id=str(number))
    page = visit(served.address)
    held(page, 3)

    for text, targets in {
        "user:anna": ["db-01", "web-01"],
        "target:web* user:ben": ["web-02"],
        "db OR user:ben": ["db-01", "web-02"],
        "-user:anna": ["web-02"],
        "w*-01": ["web-01"],
        "http://none": [],
    }.items():
        page.fill("#text", text)
        expect(rows(page).locator(".target")).to_have_text(targets)
    page.fill("#text", "user:a")
    expect(page.locator("#completions option").first).to_have_attribute("value", "user:anna")

    page.fill("#text", "")
    page.click("#types-button")
    page.select_option("#facet", "user")
    expect(page.locator("#type-list li")).to_have_text(["2annanot", "1bennot"])
    page.click("#type-list >> text=ben")
    expect(rows(page)).to_have_count(1)
    assert "user=ben" in page.url
