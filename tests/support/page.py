"""The table of the display's page, and an event to show in it."""

from typing import Any

from playwright.sync_api import Locator, Page


def powered_off(name: str = "DC0_H0_VM0", **changed: Any) -> dict[str, Any]:
    """Return the payload of an event about the VM *name*."""
    return {
        "Key": 4711,
        "ChainId": 0,
        "UserName": "VSPHERE.LOCAL\\Administrator",
        "Vm": {"Name": name, "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
        "FullFormattedMessage": f"{name} on DC0_H0 in DC0 is powered off",
        **changed,
    }


def rows(page: Page) -> Locator:
    """Return the rows of the table that are in view."""
    return page.locator("#rows .row")


def first_words(page: Page) -> list[str]:
    """Return the first word of each row's description, from the top."""
    return [text.split()[0] for text in page.locator("#rows .message").all_inner_texts()]
