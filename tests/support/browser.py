"""The display's page in a real Chromium, served by the real launcher."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

from tests.support.requirements import require
from tests.support.serving import BASIC, Served

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]

expect.set_options(timeout=10_000)  # the machine may be busy

Visit = Callable[[str], Page]


@pytest.fixture(scope="module")
def resolver_rules() -> str:
    """Chromium's host rules in place of DNS, as `MAP *.example.com 10.0.0.1`. None: most tests need no names."""
    return ""


@pytest.fixture(scope="module")
def browser(resolver_rules: str) -> Iterator[Browser]:
    """One Chromium for the tests of a module: playwright leaves an event loop running in this thread until it ends."""
    chromium = require("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", f"--host-resolver-rules={resolver_rules}", *QUIET],
        )
        yield running
        running.close()


@pytest.fixture
def served() -> Iterator[Served]:
    """A display of the test's own."""
    with Served("display") as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address. At the end, no page may have an error, an error message in its console, or a dialog."""
    errors: list[str] = []
    context = browser.new_context(
        viewport={"width": 1280, "height": 720},
        permissions=["clipboard-read", "clipboard-write"],
        extra_http_headers={"Authorization": BASIC},
    )
    context.set_default_timeout(10_000)

    def dismiss(dialog: Dialog) -> None:
        errors.append(dialog.message)
        dialog.dismiss()

    def log(message: ConsoleMessage) -> None:
        # The browser logs failed requests. The page handles them.
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def open_page(address: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", log)
        page.on("dialog", dismiss)
        page.goto(address)
        return page

    yield open_page
    context.close()
    assert errors == []


def held(page: Page, number: int, connection: str = "live") -> None:
    """Wait until the page is *connection* and holds *number* events."""
    expect(page.locator(f"body[data-connection={connection}][data-held='{number}']")).to_be_attached()
