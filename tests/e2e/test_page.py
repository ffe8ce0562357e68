"""The display's page in Chromium, at its Service's own address: what happens in vCenter is seen once and in order,
whatever ends the stream: the display, Knative, or what becomes of the pod.
"""

import contextlib
import csv
import io
import itertools
import re
import secrets
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.cluster import SERVICE, TRIGGER, Cluster
from tests.support.administrator import Administrator
from tests.support.browser import Visit
from tests.support.manifests import environment
from tests.support.requirements import give_up

pytestmark = [pytest.mark.cluster, pytest.mark.browser]

EVENTS = 100
FEW = 20
PACE_SECONDS = 0.1
TIMEOUT_SECONDS = 7
"""The `timeoutSeconds` of the displays here. Knative ends every request after it, also one that goes on answering."""
TIMEOUTS = 3
"""So many must pass in a test."""
SECONDS = 60
"""The time limit for the end of a test: a pod starts, a Broker retries."""

WATCH = """
() => {
  const watched = { connections: [], opened: [], painted: {} };
  window.watched = watched;
  window.EventSource = class extends EventSource {
    constructor(address) {
      super(address);
      watched.opened.push(Date.now());
    }
  };
  new MutationObserver(() => {
    const { connection } = document.body.dataset;
    if (watched.connections.at(-1) !== connection) watched.connections.push(connection);
  }).observe(document.body, { attributeFilter: ["data-connection"] });
  const after = new MessageChannel();
  const due = [];
  after.port1.onmessage = () => {
    for (const text of due.splice(0)) watched.painted[text] ??= Date.now();
  };
  new MutationObserver((changes) => {
    const rows = changes.flatMap((change) => [...change.addedNodes]);
    const texts = rows.map((row) => (row.querySelector(".message") ?? row).textContent);
    requestAnimationFrame(() => {
      due.push(...texts);
      after.port2.postMessage(0);
    });
  }).observe(document.getElementById("rows"), { childList: true });
}
"""
"""Notes what the page says of its connection, when it opens streams, and when each row or line was first painted, in ms
since 1970: a message posted in a frame is handled after that frame."""


class Watched(NamedTuple):
    """The history of a page since it was watched. Times are seconds since 1970."""

    connections: list[str]
    """The states of its connection, without repetitions."""
    opened: list[float]
    """When it opened streams."""
    painted: dict[str, float]
    """The message of a row, or the words of a line between rows → when it was painted."""

    @property
    def lengths(self) -> list[float]:
        """The seconds from each stream that it opened to the next."""
        return [after - before for before, after in itertools.pairwise(self.opened)]


def watched(page: Page) -> Watched:
    """Return the history of *page* since `WATCH` was evaluated in it."""
    history = page.evaluate("window.watched")
    painted = {last_words(text): when / 1000 for text, when in history["painted"].items()}
    return Watched(history["connections"], [when / 1000 for when in history["opened"]], painted)


def last_words(message: str) -> str:
    """The posted text, which vCenter prefixes: "User logged event: number 1"."""
    return message.rpartition(": ")[2]


def messages(page: Page) -> tuple[list[str], list[str]]:
    """The messages of all rows, oldest first, and the words of the lines between them."""
    held = int(page.locator("body").get_attribute("data-held") or 0)
    page.set_viewport_size({"width": 1280, "height": 28 * (held + 40)})  # only rows in view exist
    page.wait_for_function("() => document.querySelectorAll('#rows .message').length >= document.body.dataset.held")
    entries = page.evaluate(
        """() => [...document.querySelectorAll("#rows > *")].reverse().map((row) =>
            [row.querySelector(".message")?.textContent, row.textContent])"""
    )
    messages = [last_words(message) for message, _ in entries if message]
    return messages, [text for message, text in entries if not message]


def kept(page: Page, address: str) -> list[str]:
    """The messages of all events that the display holds, oldest first."""
    exported = csv.DictReader(io.StringIO(page.request.get(f"{address}/api/export.csv").text()))
    return [last_words(row["message"]) for row in exported]


def posted(administrator: Administrator, page: Page, marker: str, going_on: Callable[[int], bool]) -> list[str]:
    """Post events while *going_on* of their number is true, and let the page work meanwhile. Returns their names."""
    names: list[str] = []
    while going_on(len(names)):
        names.append(f"{marker} {len(names)}")
        administrator.post(names[-1])
        page.wait_for_timeout(PACE_SECONDS * 1000)
    return names


def shown(page: Page, message: str) -> None:
    """Wait until the page is live and shows the event with *message*."""
    row = page.locator("#rows .message", has_text=re.compile(f"(^|: ){message}$"))
    expect(row).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator("body[data-connection=live]")).to_be_attached(timeout=SECONDS * 1000)


POSTED = {"attributes": {"type": "com.vmware.vsphere.GeneralUserEvent.v0"}}
"""The type that these tests post. Pollers of other namespaces leave other events when they log out."""


def address_of(cluster: Cluster, name: str, namespace: str) -> str:
    """The Service's own address, once it leads there. Skips the test where it leads nowhere from here."""
    service = cluster.get(SERVICE, name, namespace)
    assert service is not None
    address = str(service["status"]["url"])

    def leads_there() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/health/readiness", timeout=30):
                return True
        except urllib.error.HTTPError:  # an ingress may lag behind the Service's status
            return False
        except OSError as error:
            give_up(f"{address} cannot be reached from where the tests run: {error}")

    cluster.until(leads_there, address, SECONDS)
    return address


@pytest.fixture(scope="module")
def resolver_rules(cluster: Cluster, installed: str) -> str:
    """Chromium looks no name up itself: it ends lookups when an interface comes or goes, as pods' do all the time."""
    host = urllib.parse.urlsplit(address_of(cluster, "display", installed)).hostname
    assert host is not None
    return f"MAP *.{host.partition('.')[2]} {socket.gethostbyname(host)}"


def watching(visit: Visit, address: str) -> Page:
    """The page at *address*, live and watched."""
    page = visit(address)
    expect(page.locator("body[data-connection=live]")).to_be_attached()
    page.evaluate(WATCH)
    return page


@pytest.fixture(scope="module")
def caught_up(cluster: Cluster, installed: str) -> None:
    """Earlier events have passed the Broker."""
    export = f"{address_of(cluster, 'display', installed)}/api/export.csv"
    marker = f"before these tests {secrets.token_hex(3)}"
    with cluster.forwarded(installed, "vcsim", 443) as port, Administrator(port) as someone:
        someone.post(marker)

    def passed() -> bool:
        with urllib.request.urlopen(export, timeout=30) as response:
            return marker.encode() in response.read()

    cluster.until(passed, "everything older on the display", SECONDS)


@pytest.fixture(scope="module")
def display(cluster: Cluster, installed: str, caught_up: None) -> Iterator[Callable[..., str]]:
    """Create a display of the test's own from the installed one, with a Trigger. Return its address."""
    with contextlib.ExitStack() as stack:

        def make(name: str, **variables: str) -> str:
            template = (cluster.get(SERVICE, "display", installed) or {})["spec"]["template"]
            [container] = template["spec"]["containers"]
            variables = {**environment(container["env"]), **variables}
            container["env"] = [{"name": variable, "value": value} for variable, value in variables.items()]
            template["spec"]["timeoutSeconds"] = TIMEOUT_SECONDS
            labels = {"networking.knative.dev/visibility": "cluster-local"}
            metadata = {"name": name, "namespace": installed, "labels": labels}
            service = {"apiVersion": SERVICE[0], "kind": SERVICE[1], "metadata": metadata}
            subscriber = {"ref": {"apiVersion": SERVICE[0], "kind": SERVICE[1], "name": name}}
            trigger = {"apiVersion": TRIGGER[0], "kind": TRIGGER[1], "metadata": metadata}
            for kind, manifest in (
                (SERVICE, {**service, "spec": {"template": template}}),
                (TRIGGER, {**trigger, "spec": {"broker": "default", "filter": POSTED, "subscriber": subscriber}}),
            ):
                cluster.apply(manifest)
                stack.callback(cluster.delete, kind, name, installed)
                cluster.wait_ready(kind, name, installed)
            cluster.wait_subscribed(installed)
            return address_of(cluster, name, installed)

        yield make


def test_event_of_vcenter_is_painted(
    cluster: Cluster, installed: str, administrator: Administrator, visit: Visit, report_figure: Callable[[str], None]
) -> None:
    page = watching(visit, address_of(cluster, "display", installed))

    before = posted(administrator, page, "before", lambda count: count < FEW)  # the first ones find everything cold
    shown(page, before[-1])

    names = posted(administrator, page, "painted", lambda count: count < EVENTS)
    shown(page, names[-1])

    created = {getattr(event, "message", ""): event.createdTime.timestamp() for event in administrator.events()}
    painted = watched(page).painted
    assert [name for name in names if name not in painted] == []
    delays = [(painted[name] - created[name]) * 1000 for name in names]
    cuts = statistics.quantiles(delays, n=100)
    report_figure(
        f"{EVENTS} events at {1 / PACE_SECONDS:.0f} a second, vCenter → Broker → painted in Chromium: "
        f"p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms, at most {max(delays):.0f} ms"
    )


ENDS = {
    "display": ("4s", (3, 6), {"live"}),
    "Knative": ("10m", (TIMEOUT_SECONDS - 0.5, TIMEOUT_SECONDS + 4), {"live", "reconnecting"}),
}
"""By the side that ends streams: DISPLAY_STREAM, the seconds from one to the next, and the states of the connection."""


def test_pages_outlive_their_streams(
    display: Callable[..., str], administrator: Administrator, visit: Visit, report_figure: Callable[[str], None]
) -> None:
    addresses = {who: display(f"display-{stream}", DISPLAY_STREAM=stream) for who, (stream, *_) in ENDS.items()}
    pages = {who: watching(visit, address) for who, address in addresses.items()}

    ends = time.monotonic() + (TIMEOUTS + 0.7) * TIMEOUT_SECONDS
    names = posted(administrator, pages["display"], "ended", lambda count: time.monotonic() < ends)

    for who, (_, (shortest, longest), connections) in ENDS.items():
        page = pages[who]
        shown(page, names[-1])
        seen, _ = messages(page)
        saw = watched(page)
        assert sorted(seen) == sorted(names)
        assert seen == kept(page, addresses[who])
        assert len(saw.opened) >= TIMEOUTS
        assert [length for length in saw.lengths if not shortest < length < longest] == []
        assert set(saw.connections) <= connections
        report_figure(
            f"streams ended by {who} every {min(saw.lengths):.1f} to {max(saw.lengths):.1f} s, {len(saw.opened)} times "
            f"while {len(names)} events came: each on the page, once and in order"
        )


def killed(cluster: Cluster, namespace: str, name: str) -> None:
    """End the pod as when its node fails."""
    cluster.delete_pods(namespace, f"serving.knative.dev/service={name}")


def evicted(cluster: Cluster, namespace: str, name: str) -> None:
    """End the pod as when its node is drained: it goes on for as long as a request may."""
    cluster.delete_pods(namespace, f"serving.knative.dev/service={name}", grace_seconds=TIMEOUT_SECONDS)


def rolled_out(cluster: Cluster, namespace: str, name: str) -> None:
    """Replace the revision."""
    annotation = {"example.com/changed": "yes"}
    cluster.patch(SERVICE, name, namespace, {"spec": {"template": {"metadata": {"annotations": annotation}}}})


@pytest.mark.parametrize("replaced", [killed, evicted, rolled_out])
def test_page_says_how_many_events_went_with_the_pod(
    cluster: Cluster,
    installed: str,
    display: Callable[..., str],
    administrator: Administrator,
    visit: Visit,
    report_figure: Callable[[str], None],
    replaced: Callable[[Cluster, str, str], None],
) -> None:
    way = replaced.__name__.replace("_", " ")
    name = f"display-{way.replace(' ', '-')}"
    address = display(name, DISPLAY_STREAM="5s")
    page = watching(visit, address)
    page.set_viewport_size({"width": 1280, "height": 4200})  # the line is below what came since
    names = posted(administrator, page, f"before {way}", lambda count: count < FEW)
    shown(page, names[-1])

    replaced(cluster, installed, name)
    begun = time.time()
    if replaced is killed:  # events that a display has not shown yet die with it, so none are posted now
        left = "() => watched.connections.includes('reconnecting') || document.body.dataset.held === '0'"
        page.wait_for_function(left, timeout=SECONDS * 1000)

    def line() -> str:
        return next((text for text in watched(page).painted if text.endswith("no longer held")), "")

    ends = time.monotonic() + SECONDS
    names += posted(administrator, page, f"while {way}", lambda count: not line() and time.monotonic() < ends)
    names += posted(administrator, page, f"after {way}", lambda count: count < FEW)
    shown(page, names[-1])

    seen, lines = messages(page)
    saw = watched(page)
    lost = len(names) - len(seen)
    assert seen == kept(page, address)
    # Not always the last ones: an event that the ending pod rejected is retried and comes later.
    assert len(set(seen)) == len(seen)
    assert set(names[-FEW:]) <= set(seen) <= set(names)
    assert [name for name in names if name not in saw.painted] == []
    # On a busy machine, the new pod's first stream may be cut, too.
    lines = [last_words(line) for line in lines if not line.startswith("not connected from ")]
    assert lines == [f"{lost} events shown before are no longer held"]
    report_figure(
        f"display {way}: the page says so after {saw.painted[lines[0]] - begun:.1f} s; "
        f"{lost} of {len(names)} events no longer held, each was on the page once"
    )


def test_page_misses_nothing_when_a_display_with_a_file_restarts(
    cluster: Cluster,
    installed: str,
    display: Callable[..., str],
    administrator: Administrator,
    visit: Visit,
    report_figure: Callable[[str], None],
) -> None:
    address = display("display-file", DISPLAY_FILE="/tmp/display.sqlite", DISPLAY_STREAM="10m")
    page = watching(visit, address)
    names = posted(administrator, page, "before the end", lambda count: count < FEW)
    shown(page, names[-1])

    [pod] = cluster.ready_pods(installed, "serving.knative.dev/service=display-file")
    command = ["kubectl", "-n", installed, "exec", pod, "-c", "user-container", "--", "sh", "-c", "kill 1"]
    subprocess.run(command, check=True, capture_output=True)

    def is_back() -> bool:
        return watched(page).connections[-2:] == ["reconnecting", "live"]

    ends = time.monotonic() + SECONDS
    names += posted(administrator, page, "after the end", lambda count: not is_back() and time.monotonic() < ends)
    names += posted(administrator, page, "at last", lambda count: count < FEW)
    shown(page, names[-1])

    seen, lines = messages(page)
    saw = watched(page)
    assert seen == kept(page, address)
    assert sorted(seen) == sorted(names)
    assert [line for line in lines if not line.startswith("not connected from ")] == []
    assert len(saw.opened) > 0
    report_figure(
        f"display with a file restarted: {len(names)} events, none missing, {len(saw.opened)} attempts to reconnect"
    )
