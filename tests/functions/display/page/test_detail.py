"""An open event in a real Chromium."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.page import powered_off, rows
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def test_row_opens_to_the_event_and_closes_by_keyboard(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1", comexampleextension="kept")
    page = visit(served.address)
    page.locator("#rows .message").click()
    expect(page.locator("#attributes")).to_contain_text("comexampleextension")
    page.click("#tab-payload")
    page.click("text=Raw")
    assert json.loads(page.locator("#panel-payload .payload").inner_text()) == powered_off()
    page.click("#tab-headers")
    expect(page.locator("#panel-headers")).to_contain_text("content-length")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.keyboard.press("Enter")  # the row has the focus again
    expect(page.locator("#detail")).to_be_visible()


def test_payload_is_shown_as_tree_raw_xml_and_hex(served: Served, visit: Visit) -> None:
    body = "<vm><name>vm</name></vm><fullFormattedMessage>is off</fullFormattedMessage>"
    served.post(f"<VmPoweredOffEvent>{body}</VmPoweredOffEvent>", id="1", datacontenttype="application/xml")
    page = visit(served.address)
    page.locator("#rows .message").click()
    assert page.locator("#rows .message").inner_text() == "is off"
    page.click("#tab-payload")
    shown = page.locator("#panel-payload .payload")
    expect(shown.locator(".name")).to_have_text(["vm", "name", "fullFormattedMessage"])
    page.click("#panel-payload >> text=XML")
    expect(shown).to_contain_text("  <fullFormattedMessage>is off</fullFormattedMessage>")
    page.click("#panel-payload >> text=Raw")
    expect(shown).to_have_text(f"<VmPoweredOffEvent>{body}</VmPoweredOffEvent>")
    page.click("#panel-payload >> text=Hex")
    expect(shown).to_contain_text("000000  3c 56 6d 50 6f 77 65 72 65 64 4f 66 66 45 76 65  <VmPoweredOffEve")


def test_summary_links_to_related_events(served: Served, visit: Visit) -> None:
    served.post(powered_off("a", ChainId=4700), id="1")
    served.post(powered_off("b", ChainId=4700), id="2")
    served.post(powered_off("a", ChainId=1, UserName="other"), id="3")
    page = visit(f"{served.address}?steps=1")
    held(page, 3)
    rows(page).last.locator(".message").click()
    page.click("text=only >> nth=0")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).locator(".target")).to_have_text(["b", "a"])
    assert "chain=4700" in page.url
    page.click("#facts [aria-label='only events about the same object']")
    expect(rows(page)).to_have_count(1)


def test_event_is_copied_as_json_and_as_curl(served: Served, visit: Visit) -> None:
    served.post('{"n": 12345678901234567890, "it\'s": "é"}', id="it's")
    page = visit(served.address)
    page.locator("#rows .message").click()
    page.click("text=Copy as JSON")
    expect(page.locator("#copies")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied)["data"] == {"n": 12345678901234567890, "it's": "é"}
    page.click("text=Copy as curl")
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('curl ')")
    line = page.evaluate("navigator.clipboard.readText()")
    assert line.startswith(f"curl {served.address} -H 'content-type: application/cloudevents+json' --data-raw '")
    assert line.count("it'\\''s") == 2


def test_trigger_for_an_event_is_written_and_tested(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1")
    served.post(powered_off(), id="2")
    served.post(powered_off(), id="3", type="com.vmware.vsphere.VmPoweredOnEvent.v0")
    page = visit(served.address)
    held(page, 3)
    rows(page).last.locator(".message").click()
    page.click("#tab-trigger")
    expect(page.locator("#trigger")).to_have_value(
        re.compile('type: "com.vmware.vsphere.VmPoweredOffEvent.v0"\n      source: "https://vcenter.example/sdk"')
    )
    expect(page.locator("#kn")).to_have_text(
        "kn trigger create on-vmpoweredoffevent --broker default"
        " --filter 'type=com.vmware.vsphere.VmPoweredOffEvent.v0' --filter 'source=https://vcenter.example/sdk'"
        " --sink ksvc:my-function"
    )
    expect(page.locator("#verdict")).to_have_text("This filter matches 2 of 3 held.")
    page.fill("#trigger", "filters: [{suffix: {type: OnEvent.v0}}]")
    page.click("#test")
    expect(page.locator("#verdict")).to_have_text("This filter matches 1 of 3 held.")
    page.fill("#trigger", "filters: [{cesql: x}]")
    page.click("#test")
    expect(page.locator("#verdict")).to_contain_text("the dialect cesql is not supported")
