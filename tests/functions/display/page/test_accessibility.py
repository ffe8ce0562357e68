"""The page for everybody: findings of axe, phones, dark and forced colors, screen readers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.browser import held
from tests.support.manifests import TOKEN
from tests.support.serving import BASIC, SENDING, Served

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page, *rules: str) -> list[str]:
    """Return the findings of axe, by all its rules or these: the rule, and the first element that breaks it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    results = page.evaluate("(rules) => axe.run(document, rules.length ? { runOnly: rules } : {})", rules)
    return [f"{finding['id']}: {finding['nodes'][0]['html'][:200]}" for finding in results["violations"]]


def fill(served: Served) -> None:
    kinds = ["VmPoweredOffEvent", "HostConnectionLostEvent", "VmRenamedEvent", "esx.problem.example.timedout"]
    for number in range(60):
        served.post(
            {
                "FullFormattedMessage": f"Something of length happened to vm-{number}",
                "Vm": {"Name": "vm"},
                "UserName": "anna",
            },
            id=str(number),
            type=f"com.vmware.vsphere.{kinds[number % 4]}.v0",
        )
    served.request("POST", "/", b"no event", {"content-type": "text/plain"})


@pytest.fixture(scope="module")
def filled() -> Any:
    with Served("display") as running:
        fill(running)
        yield running


@contextmanager
def with_all_tabs(dead_letters: int) -> Iterator[Served]:
    """Run a display with all its tabs and this number of dead letters."""
    with (
        Served("deadletter", DEADLETTER_TOKEN=TOKEN) as deadletter,
        Served("display", **SENDING, DISPLAY_DEAD_LETTERS=deadletter.address) as running,
    ):
        fill(running)
        for number in range(dead_letters):
            failure = {"knativeerrordest": f"http://tag-{number % 2}.example/", "knativeerrorcode": "503"}
            deadletter.post({"n": number}, id=str(number), subject="VirtualMachine/vm-60", **failure)
        yield running


@pytest.fixture(scope="module")
def everything() -> Iterator[Served]:
    """A display with all its tabs and two dead letters."""
    with with_all_tabs(dead_letters=2) as running:
        yield running


def closed(page: Page) -> None:
    pass


def events(page: Page) -> None:
    page.fill("#text", "vm")
    expect(page.locator("#clear")).to_be_visible()


def detail(page: Page) -> None:
    page.locator("#rows .message").first.click()
    expect(page.locator("#attributes")).to_contain_text("specversion")


def tab(name: str) -> Callable[[Page], None]:
    def open_tab(page: Page) -> None:
        detail(page)
        page.click(f"#tab-{name}")
        expect(page.locator(f"#panel-{name} > *").last).to_be_visible()

    return open_tab


def trigger_view(page: Page) -> None:
    page.click("#view")


def types(page: Page) -> None:
    if page.locator("#filter-button").is_visible():  # on a phone
        page.click("#filter-button")
    page.click("#types-button")
    page.locator("#type-list .plain").first.click()
    page.locator("#type-list .small").last.click()


def rejected(page: Page) -> None:
    page.click("#show-rejected")
    page.locator("#rejected-list summary").click()


def help_(page: Page) -> None:
    page.click("#help-button")


STATES: dict[str, Callable[[Page], None]] = {
    "events": events,
    "detail": detail,
    "payload": tab("payload"),
    "trigger": tab("trigger"),
    "trigger view": trigger_view,
    "types": types,
    "rejected": rejected,
    "help": help_,
}


def send(page: Page) -> None:
    page.click("#show-send")
    page.fill("#send-event", "{")
    page.click("#send-now")
    expect(page.locator("#send-result li")).to_be_visible()


def dead_letters(page: Page) -> None:
    page.click("#show-dead-letters")
    page.locator("#dead-letter-list summary").first.click()
    expect(page.locator("#dead-letter-list .payload")).to_be_visible()
    page.locator("#dead-letter-list input").last.check()


def drop(page: Page) -> None:
    dead_letters(page)
    page.click("#drop")


def failed(page: Page) -> None:
    dead_letters(page)
    page.click("#redrive")
    expect(page.locator("#dead-letters-result.bad")).to_be_visible()


def no_dead_letters(page: Page) -> None:
    page.click("#show-dead-letters")
    expect(page.locator("#dead-letters-none")).to_be_visible()


WIDE, PHONE = ViewportSize(width=1280, height=480), ViewportSize(width=390, height=800)


def faults(
    browser: Browser, served: Served, arrange: Callable[[Page], None], size: ViewportSize, events: int = 60
) -> list[str]:
    """Return the findings of axe in the state that *arrange* reaches, light and dark."""
    context = browser.new_context(color_scheme="light", viewport=size, extra_http_headers={"Authorization": BASIC})
    page = context.new_page()
    page.goto(served.address)
    held(page, events)
    arrange(page)
    light = findings(page)
    page.emulate_media(color_scheme="dark")
    dark = findings(page, "color-contrast")  # nothing else differs
    context.close()
    return light + dark


def sized(test: Any) -> Any:
    """Run *test* in a wide window and on a phone."""
    return pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])(test)


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_any_state(state: str, browser: Browser, filled: Served) -> None:
    assert faults(browser, filled, STATES[state], WIDE) == []


@pytest.mark.parametrize("arrange", [closed, detail])
def test_axe_finds_nothing_on_a_phone(arrange: Callable[[Page], None], browser: Browser, filled: Served) -> None:
    assert faults(browser, filled, arrange, PHONE) == []


@sized
@pytest.mark.parametrize("arrange", [send, types, rejected, help_, dead_letters, drop, failed])
def test_axe_finds_nothing_in_any_tab(
    arrange: Callable[[Page], None], size: ViewportSize, browser: Browser, everything: Served
) -> None:
    assert faults(browser, everything, arrange, size) == []


@sized
def test_axe_finds_nothing_without_dead_letters(size: ViewportSize, browser: Browser) -> None:
    with with_all_tabs(dead_letters=0) as served:
        assert faults(browser, served, no_dead_letters, size) == []


def test_axe_finds_nothing_on_an_empty_page(browser: Browser, served: Served) -> None:
    def empty(page: Page) -> None:
        expect(page.locator("#empty")).to_be_visible()

    assert faults(browser, served, empty, WIDE, events=0) == []


def test_phone_shows_cards_and_scrolls_only_vertically(browser: Browser, filled: Served) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(filled.address)
    held(page, 60)
    row = page.locator("#rows .row").first
    box, message, type_ = (element.bounding_box() for element in (row, row.locator(".message"), row.locator(".type")))
    assert box is not None and message is not None and type_ is not None  # noqa: PT018 - they are there or not together
    assert box["height"] == 54
    assert type_["y"] >= message["y"] + 15
    assert row.get_by_role("img", name="VM").is_visible()
    for tap in (
        "#rows .message >> nth=0",
        "#tab-trigger",
        "#close",
        "#filter-button",
        "#types-button",
        "#types-button",
        "#filter-button",
        "#show-rejected",
    ):
        page.tap(tap)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_nothing_moves_with_reduced_motion(browser: Browser, filled: Served) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(filled.address)
    held(page, 60)
    moving = page.evaluate(
        """[...document.querySelectorAll("*")].filter((each) => {
            const style = getComputedStyle(each);
            return style.transitionDuration !== "0s" || style.animationName !== "none";
        }).length"""
    )
    assert moving == 0
    context.close()


def test_severity_and_selection_are_visible_in_forced_colors(browser: Browser, filled: Served) -> None:
    context = browser.new_context(forced_colors="active", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(filled.address)
    held(page, 60)
    page.locator("#rows .message").first.click()
    outline = page.locator("#rows .row[aria-selected=true]").evaluate("(row) => getComputedStyle(row).outlineStyle")
    assert outline == "solid"
    assert page.locator("#rows .error .sign").first.inner_text() == "✖"
    context.close()


def test_screen_readers_get_the_connection_and_no_rows(browser: Browser, filled: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(filled.address)
    held(page, 60)
    live = page.evaluate(
        """() => [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]")]
            .map((each) => each.id)"""
    )
    assert live == ["connection", "count", "detail-error", "dead-letters-result", "send-report"]
    assert page.locator("#table").get_attribute("aria-rowcount") == "61"
    first = page.locator("#rows .row").first
    assert first.get_attribute("aria-rowindex") == "2"
    assert "inferred" in first.locator(".severity").inner_text()
    assert page.title().endswith("vCenter events")  # after what needs attention
    context.close()
