"""The display's page in a real Chromium, served by the real launcher."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from tests.serving import Served, headers

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM} (apt-get install chromium)"),
]

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", *QUIET]
        )
        yield running
        running.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with Served("display") as running:
        yield running


Visit = Callable[[str], Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address; in the end, no page may have thrown or run what it should not."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(10_000)

    def refuse(dialog: Dialog) -> None:
        faults.append(dialog.message)
        dialog.dismiss()

    def open_page(address: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", refuse)
        page.goto(address)
        return page

    yield open_page
    context.close()
    assert faults == []


def held(page: Page, number: int) -> None:
    """Wait until the page is live and holds *number* events."""
    expect(page.locator(f"body[data-connection=live][data-held='{number}']")).to_be_attached()


def powered_off(name: str = "DC0_H0_VM0") -> dict[str, Any]:
    return {
        "Key": 4711,
        "UserName": "VSPHERE.LOCAL\\Administrator",
        "Vm": {"Name": name, "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
        "FullFormattedMessage": f"{name} on DC0_H0 in DC0 is powered off",
    }


def test_empty_page_tells_how_to_get_the_first_event(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    expect(page.locator("#empty")).to_contain_text("kind: Trigger")
    expect(page.locator("#curl")).to_contain_text(f"curl {served.address} ")
    expect(page.locator("#connection")).to_have_text("live")


def test_event_appears_while_the_page_is_open(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    served.post(powered_off(), id="1", subject="VirtualMachine/vm-60")
    held(page, 1)
    row = page.locator("#rows .row")
    assert row.locator(".message").inner_text() == "DC0_H0_VM0 on DC0_H0 in DC0 is powered off"
    assert row.locator(".type").inner_text() == "VmPoweredOffEvent"
    assert row.locator(".type").get_attribute("title") == "com.vmware.vsphere.VmPoweredOffEvent.v0"
    assert row.locator(".subject").inner_text() == "VirtualMachine/vm-60"
    assert page.locator("#count").inner_text() == "1 event"
    expect(page.locator("#empty")).to_be_hidden()


def test_newest_event_is_on_top_and_a_repeat_is_counted_in_its_row(served: Served, visit: Visit) -> None:
    for name in ("first", "second", "first"):
        served.post(powered_off(name), id=name)
    page = visit(served.address)
    held(page, 2)
    assert [text.split()[0] for text in page.locator("#rows .message").all_inner_texts()] == [
        "second",
        "\N{MULTIPLICATION SIGN}2first",
    ]


def test_row_opens_to_the_whole_event_and_closes_by_keyboard(served: Served, visit: Visit) -> None:
    served.post(powered_off(), id="1", comexampleextension="kept")
    page = visit(served.address)
    page.locator("#rows .row").click()
    expect(page.locator("#attributes")).to_contain_text("comexampleextension")
    assert json.loads(page.locator("#payload").inner_text()) == powered_off()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.keyboard.press("Enter")  # the row has the focus again
    expect(page.locator("#detail")).to_be_visible()


def test_xml_payload_reads_like_json(served: Served, visit: Visit) -> None:
    body = "<vm><name>vm</name></vm><fullFormattedMessage>is off</fullFormattedMessage>"
    served.post(f"<VmPoweredOffEvent>{body}</VmPoweredOffEvent>", id="1", datacontenttype="application/xml")
    page = visit(served.address)
    page.locator("#rows .row").click()
    assert page.locator("#rows .message").inner_text() == "is off"
    expect(page.locator("#payload")).to_contain_text("  <fullFormattedMessage>is off</fullFormattedMessage>")


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;"


def test_markup_stays_text_in_every_attribute_and_in_the_payload(served: Served, visit: Visit) -> None:
    event = {
        "specversion": "1.0",
        **dict.fromkeys(("id", "source", "type", "subject", "time", "extension"), HOSTILE),
        "datacontenttype": "application/json",
        "data": {"FullFormattedMessage": HOSTILE, HOSTILE: HOSTILE, "__proto__": HOSTILE},
    }
    content = {"content-type": "application/cloudevents+json"}
    assert served.request("POST", "/", json.dumps(event), content)[0] == 202
    page = visit(served.address)
    page.locator("#rows .row").click()
    expect(page.locator("#attributes")).to_contain_text("extension")
    assert page.locator("#rows .message").inner_text() == HOSTILE
    assert page.locator("#rows .type").inner_text() == HOSTILE
    assert page.locator("#attributes dd").all_inner_texts().count(HOSTILE) == 6
    assert page.locator("#payload").inner_text().count("<script>") == 4
    assert page.locator("img, #events script, #detail script").count() == 0


def test_thousands_of_events_make_few_elements_and_reading_is_not_disturbed(served: Served, visit: Visit) -> None:
    connection = served.connect()
    for number in range(2000):
        connection.request("POST", "/", json.dumps(powered_off(f"vm-{number}")), headers(id=str(number)))
        connection.getresponse().read()
    connection.close()
    page = visit(served.address)
    held(page, 2000)
    assert page.locator("#rows .row").count() < 100
    page.evaluate("scrollTo(0, 32000)")
    row = page.locator("#rows .row", has_text="vm-999 on")
    expect(row).to_be_attached()
    before = row.bounding_box()
    served.post(powered_off("new"), id="new")
    held(page, 2001)
    assert row.bounding_box() == before


def test_page_that_was_cut_off_gets_what_it_missed_once_and_in_order(served: Served, visit: Visit) -> None:
    with Wire(served.port) as wire:
        served.post(powered_off("a"), id="a")
        page = visit(wire.address)
        held(page, 1)
        wire.cut()
        expect(page.locator("body[data-connection=reconnecting]")).to_be_attached()
        for name in "bcd":
            served.post(powered_off(name), id=name)
        wire.mend()
        held(page, 4)
        assert [text.split()[0] for text in page.locator("#rows .message").all_inner_texts()] == ["d", "c", "b", "a"]
        assert wire.requests[-1].lower().count("last-event-id: ") + wire.requests[-1].count("?after=") == 1


def test_page_starts_afresh_when_the_display_was_restarted(visit: Visit) -> None:
    with Served("display") as first, Served("display") as second, Wire(first.port) as wire:
        first.post(powered_off("old"), id="old")
        page = visit(wire.address)
        held(page, 1)
        second.post(powered_off("new"), id="new")
        wire.cut()
        wire.port = second.port
        wire.mend()
        expect(page.locator("#rows .message")).to_have_text("new on DC0_H0 in DC0 is powered off")
        held(page, 1)


class Wire:
    """A connection to a server's port that can be cut, mended and led elsewhere: a proxy that forwards bytes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._whole = True
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.requests: list[str] = []
        """What clients sent first on each connection."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    if not self._whole:
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", self.port))
                    self._ends += [client, server]
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if is_request:
                    self.requests.append(data.decode("latin-1"))
                other.sendall(data)
        self._end(one)
        self._end(other)

    @staticmethod
    def _end(end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End every connection, and refuse new ones until mended."""
        with self._lock:
            self._whole = False
            for end in self._ends:
                self._end(end)

    def mend(self) -> None:
        """Take connections again."""
        with self._lock:
            self._whole = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._end(self._listener)
        self._listener.close()
        for end in self._ends:
            end.close()
