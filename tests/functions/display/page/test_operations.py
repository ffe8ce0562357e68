"""Operations in a real Chromium: steps, reactions and storms are folded into one row each."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.page import rows
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def post(served: Served, key: int, name: str, vm: str, **changed: Any) -> None:
    """Post the event number *key* of the class *name* about *vm*."""
    payload = {
        "Key": key,
        "UserName": "anna",
        "Vm": {"Name": vm, "Vm": {"Type": "VirtualMachine", "Value": f"vm-{vm}"}},
        "FullFormattedMessage": f"{vm}: {name}",
        **changed.pop("data", {}),
    }
    type_ = name if name.startswith("dev.") else f"com.vmware.vsphere.{name}Event.v0"
    served.post(payload, id=str(key), type=type_, **changed)


def test_steps_reactions_and_storms_are_one_row_each(served: Served, visit: Visit) -> None:
    post(served, 1, "VmBeingCloned", "golden")
    for key, name in enumerate(("VmBeingCreated", "VmUuidAssigned", "VmCreated", "VmCloned"), 2):
        post(served, key, name, "web-01")
    post(served, 6, "dev.vcenter-events.tag.attached.v0", "web-01", causationid="4")
    post(served, 7, "dev.vcenter-events.tag.failed.v0", "web-01", causationid="4", data={"severity": "error"})
    for vm in ("a", "b", "c", "d", "e"):
        post(served, ord(vm), "VmDisconnected", vm, data={"Host": {"Name": "esx-01"}})
    for key, name in ((8, "VmStarting"), (9, "VmStarting"), (10, "VmPoweredOn")):
        post(served, key, name, "web-02" if key == 9 else "web-01")
    page = visit(served.address)
    held(page, 15)

    words = rows(page).locator(".message")
    expect(words).to_have_text(
        [
            "2 stepsweb-01: VmPoweredOn",
            "web-02: VmStarting",  # under way
            "\u00d75e: VmDisconnected",
            "↳ web-01: dev.vcenter-events.tag.failed.v0",  # an error is never folded
            "5 steps, 2 reactionsweb-01: VmCloned",
        ]
    )
    expect(page.locator("#count-steps")).to_have_text("10")

    words.last.click()
    expect(page.locator("#operation-steps button")).to_have_text(
        ["VM being cloned", "VM being created", "VM UUID assigned", "VM created", "VM cloned",
         "↳ tag.attached", "↳ tag.failed"]
    )  # fmt: skip
    page.click("#operation-steps >> text=VM being created")
    expect(page.locator("#detail-title")).to_have_text("Creating VM")  # the event catalogue's title
    page.keyboard.press("Escape")

    page.click("#steps")
    expect(rows(page)).to_have_count(15)
    assert "steps=1" in page.url


def test_second_creation_and_a_step_without_its_result_are_rows(served: Served, visit: Visit) -> None:
    for key, name in enumerate(("VmBeingCreated", "VmCreated", "VmBeingCreated", "VmCreated"), 1):
        post(served, key, name, "web-01")
    page = visit(served.address)
    held(page, 4)

    expect(rows(page).locator(".message")).to_have_text(["2 stepsweb-01: VmCreated"] * 2)
    page.fill("#text", "BeingCreated")
    expect(rows(page)).to_have_count(2)
