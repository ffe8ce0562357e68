"""The display's page in a real Chromium, served by the real launcher: what it shows of events."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.golden import records
from tests.support.browser import Visit, held
from tests.support.headers import headers
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def powered_off(name: str = "DC0_H0_VM0", **changed: Any) -> dict[str, Any]:
    return {
        "Key": 4711,
        "ChainId": 4700,
        "UserName": "VSPHERE.LOCAL\\Administrator",
        "Vm": {"Name": name, "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
        "FullFormattedMessage": f"{name} on DC0_H0 in DC0 is powered off",
        **changed,
    }


def rows(page: Page) -> Locator:
    return page.locator("#rows .row")


def told(page: Page) -> list[str]:
    """The first word of each row's description, from the top."""
    return [text.split()[0] for text in page.locator("#rows .message").all_inner_texts()]


# ── the table ──


def test_empty_page_tells_how_to_get_the_first_event(visit: Visit) -> None:
    with Served("display", K_SERVICE="my-display") as served:
        page = visit(served.address)
        held(page, 0)
        expect(page.locator("#empty")).to_contain_text("kind: Trigger")
        expect(page.locator("#empty")).to_contain_text("name: my-display")
        expect(page.locator("#curl")).to_contain_text(f"curl {served.address} ")
        expect(page.locator("#connection")).to_have_text("live")


def test_event_appears_while_the_page_is_open(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    served.post(powered_off(), id="1", subject="VirtualMachine/vm-60")
    held(page, 1)
    row = rows(page)
    assert row.locator(".message").inner_text() == "DC0_H0_VM0 on DC0_H0 in DC0 is powered off"
    assert row.locator(".type").inner_text() == "VmPoweredOffEvent"
    assert "com.vmware.vsphere.VmPoweredOffEvent.v0" in (row.locator(".type").get_attribute("title") or "")
    assert row.locator(".target").inner_text() == "DC0_H0_VM0"
    assert row.get_by_role("img", name="VM").get_attribute("data-field") == "targettype"
    assert (row.locator(".target").get_attribute("title") or "").startswith("VM DC0_H0_VM0\n")
    assert row.locator(".user").inner_text() == "VSPHERE.LOCAL\\Administrator"
    assert row.locator(".severity").get_attribute("title") == "info"
    expect(page.locator("#count")).to_have_text("1 event")
    expect(page.locator("#state")).to_contain_text("1 kept of 1, oldest ")
    expect(page.locator("#state")).to_contain_text(", 0 gaps, 0 rejected")
    expect(page.locator("#empty")).to_be_hidden()


def test_newest_event_is_on_top_and_repeats_are_counted(served: Served, visit: Visit) -> None:
    for name in ("first", "second", "first"):
        served.post(powered_off(name), id=name)
    page = visit(served.address)
    held(page, 2)
    expect(rows(page)).to_have_count(2)
    assert told(page) == ["second", "\N{MULTIPLICATION SIGN}2first"]


def test_xml_and_json_of_the_same_event_read_the_same(served: Served, visit: Visit) -> None:
    pairs = list(zip(records("json")[52:70], records("xml")[52:70], strict=True))
    for number, (as_json, as_xml) in enumerate(pairs):
        assert as_json.class_name == as_xml.class_name
        for kind, record in (("json", as_json), ("xml", as_xml)):
            served.request("POST", "/", record.body.encode(), {**record.headers, "ce-id": f"{number}-{kind}"})
    page = visit(served.address)
    held(page, 2 * len(pairs))
    page.set_viewport_size({"width": 1280, "height": 1400})
    expect(rows(page)).to_have_count(2 * len(pairs))
    texts = [
        [row.locator(f".{name}").inner_text() for name in ("message", "type", "target", "user")]
        + [row.locator(".severity").get_attribute("title") or ""]
        for row in rows(page).all()
    ]
    different = [(one, other) for one, other in zip(texts[::2], texts[1::2], strict=True) if one[1:] != other[1:]]
    assert different == []


def test_severity_is_a_sign_and_a_word_and_may_be_inferred(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1")
    served.post(powered_off(), id="2", type="com.vmware.vsphere.HostConnectionLostEvent.v0")
    served.post(powered_off(), id="3", type="com.vmware.vsphere.esx.problem.storage.degraded.v0")
    page = visit(served.address)
    held(page, 3)
    found = [
        (cell.get_attribute("title"), cell.locator(".sign").inner_text())
        for cell in page.locator("#rows .severity").all()
    ]
    assert found == [("warning, inferred from the type's name", "▲"), ("error", "✖"), ("info", "●")]


def test_events_of_others_read_as_well(served: Served, visit: Visit) -> None:
    event = {
        "kind": "Event",
        "type": "Warning",
        "message": "Back-off restarting failed container",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-1"},
    }
    pod = {"kind": "Pod", "metadata": {"namespace": "default", "name": "web-1"}}
    served.post({"message": "Hello"}, id="1", type="dev.knative.sources.ping")
    served.post([1, 2], id="2", type="com.example.unknown")
    served.post(event, id="3", type="dev.knative.apiserver.resource.add")
    served.post(pod, id="4", type="dev.knative.apiserver.resource.update")
    page = visit(served.address)
    held(page, 4)
    read = [[row.locator(f".{name}").inner_text() for name in ("message", "target")] for row in rows(page).all()]
    assert read == [
        ["Pod default/web-1 update", "Pod/web-1"],
        ["Back-off restarting failed container", "Pod/web-1"],
        ["[1, 2]", ""],
        ["Hello", ""],
    ]
    severities = [cell.get_attribute("title") for cell in page.locator("#rows .severity").all()]
    assert severities == ["info", "warning", "info, inferred from the type's name", "info"]


def test_target_without_a_name_is_its_id(served: Served, visit: Visit) -> None:
    served.post({"message": "Tag attached"}, id="1", subject="VirtualMachine/vm-60")
    page = visit(served.address)
    held(page, 1)
    target = rows(page).locator(".target")
    assert target.inner_text() == "vm-60"
    expect(target.get_by_role("img", name="VM")).to_be_visible()


def test_times_are_local_or_utc(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1", time="2026-11-20T15:45:13.931122Z")
    page = visit(served.address)
    held(page, 1)
    page.click("#utc")
    expect(page.locator("#rows .time")).to_have_text("2026-11-20 15:45:13Z")
    assert "utc=1" in page.url


def test_trigger_view_shows_what_a_trigger_sees(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1", subject="VirtualMachine/vm-60")
    served.post(powered_off(), id="1", subject="VirtualMachine/vm-60")
    page = visit(served.address)
    held(page, 1)
    page.click("#view")
    titles = page.locator("#heading [role=columnheader]").all_inner_texts()
    assert titles[1:] == ["Received", "Lag", "Type", "Source", "Subject", "Id", "Content type", "Size", "Repeats"]
    row = rows(page)
    values = [
        row.locator(f".{name}").inner_text() for name in ("type", "source", "subject", "id", "contenttype", "repeats")
    ]
    assert values == [
        "com.vmware.vsphere.VmPoweredOffEvent.v0", "https://vcenter.example/sdk", "VirtualMachine/vm-60", "1",
        "application/json", "1",
    ]  # fmt: skip
    assert row.locator(".size").inner_text().endswith(" B")
    assert "view=trigger" in page.url


def test_thousands_of_events_need_few_elements_and_do_not_scroll(served: Served, visit: Visit) -> None:
    connection = served.connect()
    batch = [
        {"specversion": "1.0", "id": str(number), "source": "/s", "type": "t", "data": powered_off(f"vm-{number}")}
        for number in range(2000)
    ]
    for start in range(0, 2000, 500):
        content = {"content-type": "application/cloudevents-batch+json"}
        connection.request("POST", "/", json.dumps(batch[start : start + 500]), content)
        assert connection.getresponse().read() == b""
    connection.close()
    page = visit(served.address)
    held(page, 2000)
    assert rows(page).count() < 60
    page.evaluate("document.getElementById('scroller').scrollTop = 28 * 1000")
    row = page.locator("#rows .row", has_text="vm-999 on")
    expect(row).to_be_attached()
    before = row.bounding_box()
    served.post(powered_off("new"), id="new")
    held(page, 2001)
    assert row.bounding_box() == before
    expect(page.locator("#new")).to_have_text("1 new")
    page.click("#new")
    expect(rows(page).first.locator(".message")).to_have_text("new on DC0_H0 in DC0 is powered off")
    expect(page.locator("#new")).to_be_hidden()


# ── one event ──


def test_row_opens_to_the_whole_event_and_closes_by_keyboard(served: Served, visit: Visit) -> None:
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
    served.post(powered_off("a"), id="1")
    served.post(powered_off("b"), id="2")
    served.post(powered_off("a", ChainId=1, UserName="other"), id="3")
    page = visit(served.address)
    held(page, 3)
    rows(page).last.locator(".message").click()
    page.click("text=only >> nth=0")
    expect(rows(page)).to_have_count(2)
    assert told(page) == ["b", "a"]
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


def test_trigger_of_an_event_is_written_and_tested(served: Served, visit: Visit) -> None:
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


# ── what is odd ──

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;"


def test_markup_stays_text_in_every_attribute_and_in_the_payload(served: Served, visit: Visit) -> None:
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


# ── refused ──


def test_refused_request_is_shown_with_its_reason(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    status, reason = served.request("POST", "/", b"not an event", {"content-type": "text/plain", "X-Request-Id": "r-1"})
    assert status == 400
    expect(page.locator("#rejected-count")).to_have_text("1")
    expect(page.locator("#state")).to_contain_text("1 rejected")
    page.click("#show-rejected")
    request = page.locator("#rejected-list li")
    expect(request.locator(".reason")).to_have_text(reason.strip())
    request.locator("summary").click()
    expect(request).to_contain_text("r-1")
    expect(request.locator("pre")).to_have_text("not an event")
    served.request("POST", "/", b"another", {"content-type": "text/plain"})
    expect(request).to_have_count(2)
    expect(request.last.locator("pre")).to_be_visible()  # what is read stays open
