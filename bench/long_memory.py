"""`python -m bench long_memory`: a million events in the display's file, found by the page and by its API."""

import contextlib
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from bench.display import CHROMIUM, FLAGS, Poster, opened, p95, resident_mb
from bench.measure import Measurement
from functions.display import row, search
from functions.display.store import SQLiteStore
from tests.support.serving import Served

EVENTS = 1_000_000
TYPES = ["UserLoginSessionEvent", "VmPoweredOnEvent", "VmPoweredOffEvent", "VmReconfiguredEvent", "TaskEvent"]
SPAN_MS = 10 * 86_400_000
SOURCE = "https://vcenter.lab.example/sdk"

QUERIES = {
    "nothing": "",
    "a frequent word": "q=powered",
    "two words": "q=" + quote("powered web-07"),
    "a word that is nowhere": "q=nowhere",
    "a frequent type": "type=com.vmware.vsphere.VmPoweredOffEvent.v0",
    "one VM and one user": "target=web-07&user=anna",
    "not the most frequent types": "&".join(f"not-type=com.vmware.vsphere.{name}.v0" for name in TYPES[:4]),
    "errors": "severity=error",
    "one id": "id=4711",
    "an hour of last week": "from=2026-11-18T10:00:00Z&to=2026-11-18T11:00:00Z",
    "a word in this hour": "q=web-07&from=2026-11-18T10:00:00Z&to=2026-11-18T11:00:00Z",
    "two frequent values that rarely meet": "user=anna&type=com.vmware.vsphere.TaskEvent.v0&q=esx-03",
}


def fill(file: Path, number: int = EVENTS) -> None:
    """Write *number* events into a display's file, the newest of now."""
    SQLiteStore(file).close()
    chosen, now = random.Random(10), round(time.time() * 1000)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for seq in range(1, number + 1):
            at_ms = now - SPAN_MS + SPAN_MS * seq // number
            _insert(database, seq, at_ms, chosen)
        counts = json.dumps({"received": number})
        database.execute("UPDATE about SET revision = ?, counts = ?", (number, counts))


def _insert(database: sqlite3.Connection, seq: int, at_ms: int, chosen: random.Random) -> None:
    is_error = seq % 500 == 0
    name = "HostConnectionLostEvent" if is_error else chosen.choice(TYPES)
    vm, host = f"web-{chosen.randrange(300):02}", f"esx-{chosen.randrange(40):02}"
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))
    attributes = {
        "specversion": "1.0",
        "id": str(seq),
        "source": SOURCE,
        "time": moment,
        "subject": "VirtualMachine/vm-1",
    }
    attributes["type"] = f"com.vmware.vsphere.{name}.v0"
    values: dict[str, str | int] = dict.fromkeys(row.SUMMARY_NAMES, "") | attributes
    values |= {
        "severity": "error" if is_error else "info",
        "target": vm,
        "targettype": "vm",
        "host": host,
        "size": 1500,
    }
    values |= {
        "user": chosen.choice(["anna", "bert", "backup", ""]),
        "message": f"{vm} on {host} in Berlin is powered off",
    }
    values = {key: values[key] for key in row.SUMMARY_NAMES}
    data = b'{"Padding": "%s"}' % (b"x" * 1500)
    columns = seq, seq, 0, at_ms, 1, at_ms, is_error, json.dumps(values), json.dumps(attributes).encode(), b"{}", data
    database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)
    database.execute("INSERT INTO search (rowid, words, facets) VALUES (?, ?, ?)", (seq, *search.indexed(values)))


def long_memory(number: int = EVENTS) -> Iterator[Measurement]:
    """The file, the search by the API, the page, and POSTs meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "display.db"
        begun = time.perf_counter()
        fill(file, number)
        yield Measurement("file", f"{number:,} events, {file.stat().st_size / 1e6:,.0f} MB", "", "")
        print(f"  filled in {time.perf_counter() - begun:.0f} s", flush=True)
        begun = time.perf_counter()
        with Served("display", DISPLAY_FILE=str(file), DISPLAY_FILE_MEGABYTES="10000") as served:
            yield Measurement("start", f"{time.perf_counter() - begun:.1f} s, {resident_mb(served):.0f} MB", "", "")
            yield from _by_api(served, number)
            yield from _by_page(served)
            poster = Poster(served.port)
            poster.paced("steady", 400, 50)
            yield Measurement("POST at 50/s, p95", f"{p95(poster.took):.1f} ms", "", "20 ms")


def _by_api(served: Served, number: int) -> Iterator[Measurement]:
    connection = served.connect()
    slowest = ("", 0.0)
    for what, query in QUERIES.items():
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            connection.request("GET", f"/api/search?before={number - 10_000}&limit=200&{query}")
            rows = len(json.loads(connection.getresponse().read())["rows"])
            took.append((time.perf_counter() - begun) * 1000)
        slowest = max(slowest, (what, max(took)), key=lambda pair: pair[1])
        print(f"  {what}: {rows} rows in {sorted(took)[2]:.0f} ms", flush=True)
    connection.close()
    yield Measurement("slowest of 12 searches, worst of 5", f"{slowest[1]:.0f} ms ({slowest[0]})", "", "150 ms")


def _by_page(served: Served) -> Iterator[Measurement]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with opened(browser, served.address) as (page, devtools):
            page.wait_for_selector("body[data-held='10000']", state="attached")
            page.reload()
            page.wait_for_selector("body[data-held='10000']", state="attached")
            yield Measurement("first rows after a reload", f"{page.evaluate('window.firstRow'):.0f} ms", "", "300 ms")
            page.wait_for_timeout(1500)
            page.fill("#text", "web-07")
            page.wait_for_function("document.getElementById('table').ariaRowCount > 300")
            page.evaluate("document.getElementById('scroller').scrollTop = 1e9")
            page.wait_for_timeout(1000)
            rows = page.evaluate("Number(document.getElementById('table').ariaRowCount)")
            devtools.send("HeapProfiler.collectGarbage")
            heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6
            yield Measurement("page", f"heap {heap:.1f} MB with {rows} rows of a search", "", "20 MB")
        browser.close()
