"""The table of events in a real Chromium."""

import json

import pytest
from playwright.sync_api import expect

from tests.golden import records
from tests.support.browser import Visit, held
from tests.support.page import first_words, powered_off, rows
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def test_empty_page_explains_how_to_get_the_first_event(visit: Visit) -> None:
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
    assert row.locator(".type").inner_text() == "VM powered off"
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
    assert first_words(page) == ["second", "\N{MULTIPLICATION SIGN}2first"]


def test_xml_and_json_of_the_same_event_read_the_same(served: Served, visit: Visit) -> None:
    pairs = list(zip(records("json")[52:70], records("xml")[52:70], strict=True))
    for number, (as_json, as_xml) in enumerate(pairs):
        assert as_json.class_name == as_xml.class_name
        for kind, record in (("json", as_json), ("xml", as_xml)):
            served.request("POST", "/", record.body.encode(), {**record.headers, "ce-id": f"{number}-{kind}"})
    page = visit(f"{served.address}?steps=1")
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


def test_severity_is_a_sign_and_words(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1")
    served.post(powered_off(), id="2", type="com.vmware.vsphere.HostConnectionLostEvent.v0")
    served.post(powered_off(), id="3", type="com.vmware.vsphere.esx.problem.storage.degraded.v0")
    page = visit(served.address)
    held(page, 3)
    severities = [
        (cell.get_attribute("title"), cell.locator(".sign").inner_text())
        for cell in page.locator("#rows .severity").all()
    ]
    assert severities == [("warning, inferred from the type's name", "▲"), ("error", "✖"), ("info", "●")]


def test_events_of_other_sources_are_readable(served: Served, visit: Visit) -> None:
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


def test_trigger_view_shows_attributes(served: Served, visit: Visit) -> None:
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


def test_thousands_of_events_make_few_elements(served: Served, visit: Visit) -> None:
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
