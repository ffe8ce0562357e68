"""Finding events on the page in a real Chromium: by text, severity, value, time and keyboard."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from tests.support.browser import Visit, held
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def post(
    served: Served, name: str, kind: str = "VmPoweredOffEvent", vm: str = "vm-a", user: str = "anna", ago: float = 0
) -> None:
    served.post(
        {"FullFormattedMessage": f"{name} happened", "Vm": {"Name": vm}, "UserName": user},
        id=name,
        type=f"com.vmware.vsphere.{kind}.v0",
        time=(datetime.now(UTC) - timedelta(seconds=ago)).isoformat(),
    )


def five(served: Served) -> None:
    """Post five events, `one` the oldest."""
    post(served, "one", ago=700)
    post(served, "two", "HostConnectionLostEvent", vm="", user="", ago=400)
    post(served, "three", "VmPoweredOnEvent", vm="vm-b", ago=3)
    post(served, "four", "VmRenamedEvent", vm="vm-b", user="bert", ago=2)
    post(served, "five", vm="vm-c", user="bert", ago=1)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """A display with five events, for tests that add none."""
    with Served("display") as served:
        five(served)
        yield served


@pytest.fixture
def page(shared: Served, visit: Visit) -> Page:
    """A page that shows the five events."""
    opened = visit(shared.address)
    held(opened, 5)
    return opened


def shows(page: Page, *names: str) -> None:
    """Wait until these events, and no other, are shown, from the top."""
    expect(page.locator("#rows .message")).to_have_text([f"{name} happened" for name in names])


def test_text_finds_words_phrases_and_exclusions(page: Page) -> None:
    for text, names in (
        ("BERT", ["five", "four"]),
        ("vm-b anna", ["three"]),
        ("-anna -two", ["five", "four"]),
        ('"two happened"', ["two"]),
        ("powered.*", []),
        ("PoweredOn", ["three"]),
    ):
        page.fill("#text", text)
        if names:
            shows(page, *names)
            expect(page.locator("#count")).to_have_text(f"{len(names)} of 5 shown")
        else:
            expect(page.locator("#nothing")).to_be_visible()
    page.fill("#text", "")
    shows(page, "five", "four", "three", "two", "one")


def test_severities_are_counted_and_chosen(page: Page) -> None:
    expect(page.locator("#count-error")).to_have_text("1")
    expect(page.locator("#count-warning")).to_have_text("1")
    expect(page.locator("#count-info")).to_have_text("3")
    page.click("#only-error")
    shows(page, "two")
    expect(page.locator("#count-info")).to_have_text("3")  # still says what choosing it would show
    page.click("#only-warning")
    shows(page, "four", "two")
    page.click("#only-error")
    page.click("#only-warning")
    shows(page, "five", "four", "three", "two", "one")


def test_click_on_a_value_filters_by_it(page: Page) -> None:
    page.locator("#rows .user .value", has_text="bert").first.click()
    shows(page, "five", "four")
    page.locator("#rows .target .value", has_text="vm-c").click(modifiers=["Shift"])
    shows(page, "four")
    expect(page.locator("#chips button")).to_have_text(["user: bert", "not target: vm-c"])
    page.locator("#chips button").first.click()
    shows(page, "four", "three", "two", "one")
    page.click("#clear")
    shows(page, "five", "four", "three", "two", "one")


def test_types_are_counted_chosen_and_excluded(page: Page) -> None:
    page.click("#types-button")
    expect(page.locator("#type-list li").first).to_contain_text("2VmPoweredOffEvent")
    page.locator("#type-list li").first.locator("text=not").click()
    shows(page, "four", "three", "two")
    page.locator("#type-list .plain", has_text="VmRenamedEvent").click()
    shows(page, "four")
    page.locator("#type-list .plain", has_text="HostConnectionLostEvent").click()
    shows(page, "four", "two")  # one or the other


def test_counts_of_types_show_the_effect_of_choosing_them(page: Page) -> None:
    expect(page.locator("#types-button")).to_have_text("Types 4")
    page.locator("#rows .user .value", has_text="bert").first.click()
    expect(page.locator("#types-button")).to_have_text("Types 2")
    page.click("#types-button")
    expect(page.locator("#type-list li")).to_have_text(["1VmPoweredOffEventnot", "1VmRenamedEventnot"])
    page.locator("#type-list .plain").first.click(modifiers=["Shift"])
    shows(page, "four")
    expect(page.locator("#type-list .plain").first).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#type-list .small").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#type-list li").first).to_contain_text("1VmPoweredOffEvent")  # as many as would come back
    page.keyboard.press("Escape")
    page.locator("#chips button", has_text="user: bert").click()
    page.fill("#text", "nothing like it")
    page.click("#types-button")
    expect(page.locator("#type-list li")).to_have_text(["0VmPoweredOffEventnot"])  # to take it back


def test_list_of_types_does_not_move_while_it_is_open(served: Served, visit: Visit) -> None:
    five(served)
    page = visit(served.address)
    held(page, 5)
    page.click("#types-button")
    box, opener = page.locator("#types").bounding_box(), page.locator("#types-button").bounding_box()
    assert box is not None and opener is not None  # noqa: PT018 - they are there or not together
    assert (box["x"], round(box["y"] - opener["y"] - opener["height"])) == (opener["x"], 4)
    second = page.locator("#type-list .plain").nth(1)
    kind = second.inner_text()
    second.focus()
    for name in "abc":
        post(served, name, kind)
    post(served, "d", "VmCreatedEvent")
    expect(page.locator("#type-list li").nth(1)).to_have_text(f"4{kind}not")
    expect(page.locator("#type-list li").last).to_have_text("1VmCreatedEventnot")
    expect(second).to_be_focused()


def test_sign_of_a_target_type_filters_by_it(served: Served, visit: Visit) -> None:
    for kind, argument, reference in (
        ("VmPoweredOffEvent", "Vm", {"Vm": {"Type": "VirtualMachine", "Value": "vm-1"}}),
        ("HostAddedEvent", "Host", {}),
        ("AlarmCreatedEvent", "Entity", {"Entity": {"Type": "ClusterComputeResource", "Value": "domain-c8"}}),
    ):
        data = {"FullFormattedMessage": f"{kind} happened", argument: {"Name": "same", **reference}}
        served.post(data, id=kind, type=f"com.vmware.vsphere.{kind}.v0")
    page = visit(served.address)
    held(page, 3)
    signs = page.locator("#rows .target [role=img]")
    assert [sign.get_attribute("aria-label") for sign in signs.all()] == ["cluster", "host", "VM"]
    signs.last.click()
    shows(page, "VmPoweredOffEvent")
    expect(page.locator("#chips button")).to_have_text(["target type: VM"])
    page.click("#clear")
    page.fill("#text", "cluster")
    shows(page, "AlarmCreatedEvent")
    page.locator("#rows .message").click()
    expect(page.locator("#facts")).to_contain_text("Target typecluster")
    page.click("#facts [aria-label='none of the events about objects of this type']")
    page.fill("#text", "")
    shows(page, "HostAddedEvent", "VmPoweredOffEvent")


def test_dragging_over_the_rate_selects_a_span(page: Page) -> None:
    expect(page.locator("#rate")).to_have_text("5 in 15 min: 1 error, 1 warning")
    label = page.locator("#strip").get_attribute("aria-label") or ""
    assert re.match(r"Events from [-\d: ]+ on: 5 in 15 min: 1 error, 1 warning\.", label)
    box = page.locator("#strip").bounding_box()
    assert box is not None

    def drag(begin: float, end: float) -> None:
        page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * end, box["y"] + 20, steps=3)
        page.mouse.up()

    drag(0.4, 0.7)  # 9 to 4.5 minutes ago
    shows(page, "two")
    expect(page.locator("#chips button")).to_contain_text(["time: "])
    expect(page.locator("#rate")).to_contain_text(re.compile("^1 in [45] min"))  # what is selected is enlarged
    page.locator("#strip").click()
    shows(page, "five", "four", "three", "two", "one")
    drag(0.1, 0.7)
    shows(page, "two", "one")
    page.locator("#strip").press("Backspace")
    shows(page, "five", "four", "three", "two", "one")
    page.locator("#strip").press("End")
    expect(page.locator("#strip-tip")).to_contain_text(re.compile(r"^[-\d: ]+ \S [\d:]+: "))
    page.click("#only-error")
    expect(page.locator("#rate")).to_have_text("1 in 15 min: 1 error, 0 warnings")
    page.click("#only-error")


def test_time_span_is_chosen_from_a_list(page: Page) -> None:
    page.select_option("#span", "5")
    shows(page, "five", "four", "three")


def test_address_is_a_link_and_back_undoes(page: Page, visit: Visit) -> None:
    page.fill("#text", "happened")
    page.click("#only-info")
    page.locator("#rows .user .value", has_text="bert").first.click(modifiers=["Shift"])
    page.click("#view")
    page.click("#utc")
    other = visit(page.url)
    held(other, 5)
    expect(other.locator("#rows .row")).to_have_count(2)
    expect(other.locator("#text")).to_have_value("happened")
    expect(other.locator("#rows .id")).to_have_text(["three", "one"])
    expect(other.locator("#rows .received").first).to_contain_text("Z")
    page.go_back()
    expect(page.locator("#utc")).to_have_attribute("aria-pressed", "false")
    page.go_back()
    page.go_back()
    shows(page, "five", "three", "one")


def test_new_events_are_filtered_too(served: Served, visit: Visit) -> None:
    five(served)
    page = visit(served.address)
    page.fill("#text", "bert")
    shows(page, "five", "four")
    post(served, "six", user="anna")
    post(served, "seven", user="bert")
    held(page, 7)
    shows(page, "seven", "five", "four")
    expect(page.locator("#count")).to_have_text("3 of 7 shown")


def downloaded(page: Page, act: Callable[[], None]) -> Download:
    with page.expect_download() as download:
        act()
    return download.value


def test_shown_events_are_exported(page: Page, tmp_path: Path) -> None:
    page.fill("#text", "bert")
    shows(page, "five", "four")

    def choose(kind: str) -> Callable[[], None]:
        def act() -> None:
            page.click("#export-button")
            page.click(f"#export-{kind}")

        return act

    lines = downloaded(page, choose("jsonl"))
    assert lines.suggested_filename.endswith(".jsonl")
    assert [json.loads(line)["id"] for line in Path(lines.path()).read_text().splitlines()] == ["four", "five"]
    table = csv.DictReader(Path(downloaded(page, choose("csv")).path()).read_text().splitlines())
    assert [row["message"] for row in table] == ["four happened", "five happened"]


def test_keyboard_alone_reaches_every_action(served: Served, visit: Visit) -> None:
    five(served)
    page = visit(served.address)
    held(page, 5)
    keys = page.keyboard
    keys.press("/")
    keys.type("bert")
    shows(page, "five", "four")
    keys.press("Escape")
    keys.press("j")
    keys.press("j")
    expect(page.locator("#rows .row:focus .message")).to_have_text("four happened")
    keys.press("k")
    keys.press("Enter")
    expect(page.locator("#detail-message")).to_have_text("five happened")
    keys.press("j")
    expect(page.locator("#detail-message")).to_have_text("four happened")
    expect(page.locator("#attributes")).to_contain_text("four")
    page.locator("#copies button").first.focus()
    keys.press("Enter")
    expect(page.locator("#copies")).to_contain_text("Copied")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["id"] == "four"
    keys.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    keys.press("Space")
    expect(page.locator("#connection")).to_have_text("paused")
    post(served, "six", user="bert")
    expect(page.locator("#new")).to_have_text("1 new")
    shows(page, "five", "four")
    keys.press("g")
    shows(page, "six", "five", "four")
    expect(page.locator("#connection")).to_have_text("live")
    keys.press("v")
    expect(page.locator("#heading")).to_contain_text("Subject")
    keys.press("e")
    expect(page.locator("#nothing")).to_be_visible()
    keys.press("e")
    keys.press("?")
    expect(page.locator("#help")).to_be_visible()
    keys.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.locator("#export-button").focus()
    keys.press("Enter")

    def press() -> None:
        keys.press("Tab")
        keys.press("Enter")

    assert downloaded(page, press).suggested_filename.endswith(".jsonl")
