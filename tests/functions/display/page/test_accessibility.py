"""The page for everybody: findings of axe, phones, dark and forced colors, screen readers."""

import json
from collections.abc import Callable, Iterator
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
    kinds = ["VmPoweredOffEvent", "HostConnectionLostEvent", "VmRemovedEvent", "esx.problem.vmfs.heartbeat.timedout"]
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


@pytest.fixture
def everything(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A display with all its tabs; its dead letters are as many as the parameter says."""
    with (
        Served("deadletter", DEADLETTER_TOKEN=TOKEN) as deadletter,
        Served("display", **SENDING, DISPLAY_DEAD_LETTERS=deadletter.address) as running,
    ):
        fill(running)
        for number in range(request.param):
            failed = {"knativeerrordest": f"http://tag-{number % 2}.example/", "knativeerrorcode": "503"}
            deadletter.post({"n": number}, id=str(number), subject="VirtualMachine/vm-60", **failed)
        yield running


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
    browser: Browser, served: Served, states: dict[str, Callable[[Page], None]], size: ViewportSize, events: int = 60
) -> dict[str, list[str]]:
    """Return state → findings of axe, light and dark. A state without findings is left out."""
    context = browser.new_context(color_scheme="light", viewport=size, extra_http_headers={"Authorization": BASIC})
    results = {}
    for name, arrange in states.items():
        page = context.new_page()
        page.goto(served.address)
        held(page, events)
        arrange(page)
        results[name] = findings(page)
        page.emulate_media(color_scheme="dark")
        results[f"{name}, dark"] = findings(page, "color-contrast")  # nothing else differs
        page.close()
    context.close()
    return {name: broken for name, broken in results.items() if broken}


def test_axe_finds_nothing_in_any_state(browser: Browser, filled: Served) -> None:
    assert faults(browser, filled, STATES, WIDE) == {}


def test_axe_finds_nothing_on_a_phone(browser: Browser, filled: Served) -> None:
    assert faults(browser, filled, {"closed": lambda page: None, "detail": detail}, PHONE) == {}


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize(
    ("everything", "states"),
    [(2, (send, types, rejected, help_, dead_letters, drop, failed)), (0, (no_dead_letters,))],
    indirect=["everything"],
    ids=["dead letters", "none"],
)
def test_axe_finds_nothing_in_any_tab(
    browser: Browser, everything: Served, states: tuple[Callable[[Page], None], ...], size: ViewportSize
) -> None:
    arranged = {arrange.__name__: arrange for arrange in states}
    assert faults(browser, everything, arranged, size) == {}


def test_axe_finds_nothing_on_an_empty_page(browser: Browser, served: Served) -> None:
    def empty(page: Page) -> None:
        expect(page.locator("#empty")).to_be_visible()

    assert faults(browser, served, {"empty": empty}, WIDE, events=0) == {}


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
        "#types-button",
        "#types-button",
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
    assert live == ["connection", "count", "dead-letters-result", "send-report", "detail-error"]
    assert page.locator("#table").get_attribute("aria-rowcount") == "61"
    first = page.locator("#rows .row").first
    assert first.get_attribute("aria-rowindex") == "2"
    assert "inferred" in first.locator(".severity").inner_text()
    assert json.loads(page.evaluate("JSON.stringify(document.title)")) == "vCenter events"
    context.close()
