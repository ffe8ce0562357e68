"""`python -m bench page`: the page while much happens, with real pointer and wheel events in a real Chromium."""

import base64
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from bench.display import CHROMIUM, FLAGS
from bench.measure import Measurement
from tests.support.serving import Served

BATCH = {"content-type": "application/cloudevents-batch+json"}
INFO = "com.vmware.vsphere.UserLoginSessionEvent.v0"
LOST = "com.vmware.vsphere.HostConnectionLostEvent.v0"
DISCONNECTED = "com.vmware.vsphere.VmDisconnectedEvent.v0"


def event(name: str, kind: str = INFO, host: str = "", vm: str = "", message: str = "") -> dict[str, object]:
    """Return the event *name*, in structured mode, about *vm* or *host*."""
    data = {
        "Host": {"Name": host, "Host": {"Type": "HostSystem", "Value": "host-7"}} if host else None,
        "ComputeResource": {"Name": "Production"} if host else None,
        "Vm": {"Name": vm, "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}} if vm else None,
        "FullFormattedMessage": message or f"{name} logged in",
        "Padding": "x" * 600,
    }
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"specversion": "1.0", "id": name, "source": "/bench", "type": kind, "time": now, "data": data}


class Load:
    """Posts events at a steady rate, in batches of at most 20, until it is left."""

    def __init__(self, served: Served, per_second: float) -> None:
        self.sent = 0
        self._served = served
        self._size = max(1, min(20, round(per_second / 50)))
        self._interval = self._size / per_second
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._post)

    def _post(self) -> None:
        connection, begun, batches = self._served.connect(), time.perf_counter(), 0
        while not self._ends.wait(max(0.0, begun + batches * self._interval - time.perf_counter())):
            batch = [event(f"load{self.sent + index}") for index in range(self._size)]
            connection.request("POST", "/", json.dumps(batch), BATCH)
            connection.getresponse().read()
            self.sent += self._size
            batches += 1
        connection.close()

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()


def post(served: Served, *events: dict[str, object]) -> None:
    """Post *events* at once."""
    served.request("POST", "/", json.dumps(events), BATCH)


def opened(browser: Browser, address: str) -> Page:
    """Return a page at *address* that is live."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(address)
    page.wait_for_selector("body[data-connection=live]")
    page.wait_for_timeout(800)
    return page


SEEN = "([x, y]) => document.elementFromPoint(x, y).closest('.row')?.querySelector('.message').textContent"


def clicks(browser: Browser, per_second: float, attempts: int = 15) -> str:
    """Aim at a row for 0.4 s, press it for 80 ms, and see which event opens. In between, the wheel moves."""
    chosen = random.Random(15)
    outcomes = {"right": 0, "another": 0, "nothing": 0}
    with Served("display") as served:
        post(served, *(event(f"first{number}") for number in range(200)))
        page = opened(browser, served.address)
        with Load(served, per_second):
            for attempt in range(attempts):
                page.mouse.move(700, 20)
                page.keyboard.press("Escape")
                page.wait_for_timeout(300)
                x, y = 450, chosen.randrange(300, 800)
                page.mouse.move(x, y, steps=5)
                if attempt % 3 == 2:
                    page.mouse.wheel(0, 200)
                    page.wait_for_timeout(150)
                seen = page.evaluate(SEEN, [x, y])
                page.wait_for_timeout(400)
                page.mouse.down()
                page.wait_for_timeout(80)
                page.mouse.up()
                page.wait_for_timeout(150)
                is_open = page.locator("#detail").is_visible()
                got = page.locator("#detail-message").inner_text() if is_open else None
                outcomes["nothing" if got is None else "right" if got == seen else "another"] += 1
                page.mouse.move(700, 20)
                page.keyboard.press("Escape")
                page.keyboard.press("g")
        page.close()
    return ", ".join(f"{number} {name}" for name, number in outcomes.items() if number)


WATCH = """() => {
  window.watched = { frames: 0, longest: 0, shift: 0, begun: performance.now() };
  let before = performance.now();
  (function frame() {
    const now = performance.now();
    watched.frames++;
    watched.longest = Math.max(watched.longest, now - before);
    before = now;
    requestAnimationFrame(frame);
  })();
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) watched.shift += entry.value;
  }).observe({ type: "layout-shift" });
}"""


def flood(browser: Browser, seconds: float = 60) -> Iterator[Measurement]:
    """1,000 events a second."""
    with Served("display") as served:
        page = opened(browser, served.address)
        post(served, event("before"))
        page.wait_for_timeout(1000)
        page.evaluate(WATCH)
        with Load(served, 1000) as load:
            page.wait_for_timeout(seconds * 1000)
            figures = page.evaluate("({ ...watched, took: performance.now() - watched.begun })")
        page.wait_for_timeout(1500)
        state = page.locator("#state").inner_text()
        newest = page.locator("#rows .row .message").first.inner_text()
        page.close()
    frames = figures["frames"] / figures["took"] * 1000
    yield Measurement(
        f"{load.sent / seconds:.0f} events/s for {seconds:.0f} s",
        f"{frames:.0f} frames/s, longest {figures['longest']:.0f} ms, layout shift {figures['shift']:.4f}; "
        f"sent {load.sent + 1:,}, page says {state!r}, newest on top {newest == f'load{load.sent - 1} logged in'}",
        "",
        "55 frames/s, layout shift 0, none lost",
    )


def outage(browser: Browser) -> Iterator[Measurement]:
    """One host lost with 32 VMs, then 30 infos a second. The 10 minutes are played: 18,000 infos at once."""
    with Served("display") as served:
        page = opened(browser, served.address)
        lost = [
            event(f"vm{number}", DISCONNECTED, "esx07", f"web-{number:02}", f"web-{number:02} on esx07 is disconnected")
            for number in range(32)
        ]
        post(served, *lost, event("host", LOST, "esx07", "", "Host esx07 in Berlin is not responding"))
        with Load(served, 30):
            page.wait_for_timeout(8000)
            yield _attention(page, "8 s after a host was lost")
        for start in range(0, 18_000, 500):
            post(served, *(event(f"info{number}") for number in range(start, start + 500)))
        page.wait_for_timeout(3000)
        yield _attention(page, "18,000 infos later, as in 10 minutes at 30 a second")
        page.reload()
        page.wait_for_timeout(3000)
        yield _attention(page, "on a page that is opened then")
        page.close()


def _attention(page: Page, what: str) -> Measurement:
    line = " | ".join(page.locator("#attention-line span:visible, #attention-line .cause").all_inner_texts())
    icon = page.locator("link[rel=icon]").get_attribute("href") or ""
    red = "red" if "c62f26" in base64.b64decode(icon.partition(",")[2]).decode() else "blue"
    return Measurement(what, f"{line}; title {page.title()!r}; icon {red}", "", "one group with its cause")


def cut_off(browser: Browser) -> Iterator[Measurement]:
    """The words of the page after 5, 15 and 60 s without a display that answers."""
    with Served("display") as served:
        page = opened(browser, served.address)
        served.process.send_signal(19)
        yield _words(page, "SIGSTOP")
        served.process.send_signal(18)
        page.close()
    with Served("display", DISPLAY_VIEWERS="1") as served:
        first = opened(browser, served.address)
        page = browser.new_page()
        page.goto(served.address)
        yield _words(page, "no place for a viewer")
        first.close()
        page.close()
    yield from discarded(browser)


def _words(page: Page, what: str) -> Measurement:
    words, begun = [], time.monotonic()
    for seconds in (5, 15, 60):
        page.wait_for_timeout(max(0.0, (begun + seconds - time.monotonic()) * 1000))
        state = page.locator("body").get_attribute("data-connection")
        words.append(f"{seconds} s: {page.locator('#connection').inner_text()!r} ({state})")
    return Measurement(f"cut off by {what}", "; ".join(words), "", "never live")


NAMESPACE = "bench-page"


def discarded(browser: Browser) -> Iterator[Measurement]:
    """The display in a network namespace, whose packets are then discarded."""

    def run(command: str) -> None:
        subprocess.run(command.split(), check=True, capture_output=True)

    try:
        run(f"ip netns add {NAMESPACE}")
        run(f"ip link add bench-a type veth peer name bench-b netns {NAMESPACE}")
        run("ip addr add 10.214.7.1/30 dev bench-a")
        run("ip link set bench-a up")
        for command in ("addr add 10.214.7.2/30 dev bench-b", "link set bench-b up", "link set lo up"):
            run(f"ip -n {NAMESPACE} {command}")
    except (OSError, subprocess.CalledProcessError) as error:
        yield Measurement("cut off by discarded packets", f"not measured: {error}")
        return
    process = subprocess.Popen(
        ["ip", "netns", "exec", NAMESPACE, sys.executable, "launcher.py"],
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "FUNCTION": "display", "HOST": "10.214.7.2", "PORT": "8123"},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        page = opened(browser, "http://10.214.7.2:8123/")
        run("ip route add blackhole 10.214.7.2/32")
        run(f"ip -n {NAMESPACE} route add blackhole 10.214.7.1/32")
        yield _words(page, "discarded packets")
        page.close()
    finally:
        process.kill()
        process.wait()
        for command in ("ip route del blackhole 10.214.7.2/32", "ip link del bench-a", f"ip netns del {NAMESPACE}"):
            subprocess.run(command.split(), check=False, capture_output=True)


def page() -> Iterator[Measurement]:
    """Measure all of this."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for per_second in (2, 20):
            yield Measurement(f"clicks at {per_second} events/s", clicks(browser, per_second), "", "15 right")
        yield from outage(browser)
        yield from cut_off(browser)
        yield from flood(browser)
        browser.close()
