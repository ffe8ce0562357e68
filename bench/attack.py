"""The runtime under attack and under many viewers: `python -m bench.attack [NAME...]`.

The function runs in a process of its own. A POST and a health check are sent every 50 ms meanwhile, and the slowest
answer is reported. Everything is on the loopback and bounded in number and time.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvloop

from bench.measure import Measurement, percentile
from bench.poster import INFO_TYPE, request
from bench.runtime import serving
from runtime.server import raise_file_limit

ROOT = Path(__file__).parent.parent
LAUNCHER = [sys.executable, "launcher.py"]
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Probe:
    """Posts an event and asks for health every 50 ms, each on a connection of its own, and keeps how long that took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.took: list[float] = []
        self.failed = 0
        self._number = 0

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            self._number += 1
            for data, status in (
                (request(INFO_TYPE, 10_000_000 + self._number), b"202"),
                (b"GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
            ):
                begun = time.perf_counter()
                answered = await self._exchange(data)
                self.took.append(time.perf_counter() - begun)
                self.failed += answered[9:12] != status
            await asyncio.sleep(0.05)

    async def _exchange(self, data: bytes) -> bytes:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(data)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return b""
        return head

    def __str__(self) -> str:
        return f"slowest {max(self.took) * 1000:.0f} ms of {len(self.took)}, {self.failed} failed"


async def silent(port: int, number: int, seconds: float, data: bytes = b"") -> None:
    """Hold so many connections that send *data*, half a request or nothing."""
    writers = []
    for _ in range(number):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        if data:
            writer.write(data)
        writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.close()


async def trickling(port: int, number: int, seconds: float, head: bytes) -> None:
    """Hold so many connections that send a byte a second after *head*."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(number)]
    for writer in writers:
        writer.write(head)
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        for writer in writers:
            if not writer.is_closing():
                writer.write(b"x")
    for writer in writers:
        writer.close()


async def huge_headers(port: int, megabytes: int) -> None:
    """Send a request with so many MB of headers, as far as the server reads them."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST)
    line = b"X-Header: " + b"y" * 65_000 + b"\r\n"
    try:
        for _ in range(megabytes * 1_000_000 // len(line)):
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def malformed(port: int, number: int) -> None:
    """Send wrong lengths, smuggled requests, broken chunks and bodies over the limit, *number* of each."""
    for _ in range(number):
        for data in (
            POST + b"Content-Length: -1\r\n\r\nhello",
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST / HTTP/1.1\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 40,
            POST + b"Content-Length: 900000000\r\n\r\nx",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                assert head[9:10] == b"4", head
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            writer.close()


async def truncated(port: int, number: int) -> tuple[int, int]:
    """Send *number* events cut short, and each whole afterwards; how many of each were accepted."""
    accepted = [0, 0]
    for index in range(number):
        whole = request(INFO_TYPE, 20_000_000 + index)
        for kind, data in enumerate((whole[:-50], whole)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            if kind == 0:
                writer.write_eof()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            accepted[kind] += head[9:12] == b"202"
            writer.close()
    return accepted[0], accepted[1]


async def held_whole(port: int, number: int) -> int:
    """Return the number of events of `truncated` that the display holds with their whole payload."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/export.jsonl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    lines = (await reader.read(-1)).partition(b"\r\n\r\n")[2].splitlines()
    writer.close()
    ids = {str(20_000_000 + index) for index in range(number)}
    held = [json.loads(line) for line in lines if line.startswith(b"{")]
    return sum(event["id"] in ids and event["data"].get("Key") == int(event["id"]) for event in held)


def attack() -> Iterator[Measurement]:
    """Attack one display in every way, one after the other, with the probe running."""
    raise_file_limit(8192)
    attacks: list[tuple[str, Callable[[int], Awaitable[object]]]] = [
        ("nothing", lambda port: asyncio.sleep(3)),
        ("1,000 silent connections for 15 s", lambda port: silent(port, 1000, 15)),
        ("1,000 connections with half a header for 15 s", lambda port: silent(port, 1000, 15, POST)),
        ("200 headers of a byte a second", lambda port: trickling(port, 200, 15, POST + b"X-A: ")),
        ("200 bodies of a byte a second", lambda port: trickling(port, 200, 15, POST + b"Content-Length: 100\r\n\r\n")),
        ("200 MB of headers", lambda port: huge_headers(port, 200)),
        ("100 of each malformed request", lambda port: malformed(port, 100)),
    ]
    with serving(LAUNCHER, ROOT, {"FUNCTION": "display"}) as (process, port):
        before = resident_mb(process.pid)
        for name, act in attacks:
            probe = Probe(port)
            uvloop.run(_with(probe, act(port)))
            yield Measurement(f"POST and health during {name}", str(probe), "", "≤ 1 s, 0 failed")
        cut, whole = uvloop.run(truncated(port, 100))
        held = uvloop.run(held_whole(port, 100))
        yield Measurement(
            "100 bodies cut short, each followed by the whole event",
            f"{cut} cut ones accepted, {whole} whole ones accepted, {held} held whole",
            "",
            "0, 100, 100",
        )
        yield Measurement(
            "resident memory before and after", f"{before:.0f} MB, {resident_mb(process.pid):.0f} MB", "", "flat"
        )


async def _with(probe: Probe, act: Awaitable[object]) -> None:
    probing = asyncio.create_task(probe.run())
    await act
    probing.cancel()


async def view(port: int, counts: list[int], index: int, reads: asyncio.Event) -> None:
    """Open a stream and count the rows that come, as long as *reads* is not set; then only hold the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
    if reads.is_set():
        await asyncio.sleep(3600)
    marker, rest = b'"VirtualMachine/vm-60"', b""
    while data := await reader.read(65536):
        rest += data
        counts[index] += rest.count(marker)
        rest = rest[-len(marker) + 1 :]  # a marker may be cut in two


def viewers() -> Iterator[Measurement]:
    """2,000 viewers at 20 events a second, and 200 that read nothing."""
    raise_file_limit(8192)
    with serving(LAUNCHER, ROOT, {"FUNCTION": "display"}) as (process, port):
        yield uvloop.run(_watch(process.pid, port, 2000, 20, 30))
    with serving(LAUNCHER, ROOT, {"FUNCTION": "display"}) as (process, port):
        yield uvloop.run(_stuck(process.pid, port, 200))


async def _watch(pid: int, port: int, number: int, per_second: int, seconds: int) -> Measurement:
    counts = [0] * number
    reading = asyncio.Event()
    tasks = [asyncio.create_task(view(port, counts, index, reading)) for index in range(number)]
    await asyncio.sleep(5)
    took = await _post_paced(port, per_second, seconds)
    deadline = time.monotonic() + 15
    while min(counts) < per_second * seconds and time.monotonic() < deadline:  # noqa: ASYNC110 - a plain list
        await asyncio.sleep(0.2)
    lost = sum(max(0, per_second * seconds - count) for count in counts)
    memory = resident_mb(pid)
    for task in tasks:
        task.cancel()
    return Measurement(
        f"{number:,} viewers at {per_second} events/s for {seconds} s",
        f"lost {lost} of {number * per_second * seconds:,}, POST p95 {percentile(took, 95) * 1000:.1f} ms, "
        f"p99 {percentile(took, 99) * 1000:.1f} ms, {memory:.0f} MB",
        "",
        "lost 0, POST p95 ≤ 20 ms",
    )


async def _stuck(pid: int, port: int, number: int) -> Measurement:
    """Viewers that read nothing, on a display that holds 10,000 events of 2 KB."""
    padding = "x" * 1700
    await asyncio.gather(*(_fill(port, range(start, 10_000, 16), padding) for start in range(16)))
    before = resident_mb(pid)
    deaf = asyncio.Event()
    deaf.set()
    tasks = [asyncio.create_task(view(port, [0] * number, index, deaf)) for index in range(number)]
    await asyncio.sleep(3)
    took = await _post_paced(port, 20, 15)
    after = resident_mb(pid)
    for task in tasks:
        task.cancel()
    return Measurement(
        f"{number} viewers that read nothing, 10,000 events held",
        f"{before:.0f} MB before, {after:.0f} MB with them; POST p95 {percentile(took, 95) * 1000:.1f} ms",
        "",
        "≤ 256 MB",
    )


async def _post_paced(port: int, per_second: int, seconds: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    begun = time.perf_counter()
    for number in range(per_second * seconds):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        sent = time.perf_counter()
        writer.write(request(INFO_TYPE, 30_000_000 + number))
        await reader.readuntil(b"\r\n\r\n")
        took.append(time.perf_counter() - sent)
    writer.close()
    return took


async def _fill(port: int, numbers: range, padding: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        writer.write(request(INFO_TYPE, number, padding))
        await reader.readuntil(b"\r\n\r\n")
    writer.close()


def drain() -> Iterator[Measurement]:
    """SIGTERM while 500 events a second arrive: an event that was answered 202 is in the display's file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "display.db"
        with serving(LAUNCHER, ROOT, {"FUNCTION": "display", "DISPLAY_FILE": str(file)}) as (process, port):
            accepted, statuses, rate = uvloop.run(_terminated(process, port))
            code = process.wait(15)
        with contextlib.closing(sqlite3.connect(file)) as database:
            held = {json.loads(row[0])["id"] for row in database.execute("SELECT attributes FROM events")}
    yield Measurement(
        f"display ended by SIGTERM at {rate:.0f} events/s",
        f"exit {code}; {len(accepted):,} answered 202, of which {len(accepted - held)} lost; "
        f"{len(held - accepted)} held without an answer; " + ", ".join(f"{key}: {n}" for key, n in statuses.items()),
        "",
        "0 lost, 0 held without an answer",
    )


WARM_UP_SECONDS = 0.5
LOAD_SECONDS = 2.0


async def _terminated(process: "subprocess.Popen[bytes]", port: int) -> tuple[set[str], dict[str, int], float]:
    """Post 500 events a second over 50 connections, with SIGTERM after a warm-up and 2 s, and 2 s more.

    Each connection sends at fixed times, so that a slow answer does not lower the rate. Return the ids that were
    answered 202, the number of other outcomes, and the events a second that were answered in the 2 s before SIGTERM.
    """
    accepted: set[str] = set()
    others = {"answered 503": 0, "closed without an answer": 0, "not connected": 0}

    async def post(numbers: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        at = time.monotonic()
        for number in numbers:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            at += 0.1
            writer.write(request(INFO_TYPE, number))
            head = await reader.readuntil(b"\r\n\r\n")
            if head[9:12] == b"202":
                accepted.add(str(number))
            else:
                others[f"answered {head[9:12].decode()}"] += 1
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0))

    async def keep_posting(index: int) -> None:
        await asyncio.sleep(index * 0.002)  # spread over the 100 ms between two events of a connection
        numbers = iter(range(40_000_000 + index * 100_000, 40_000_000 + (index + 1) * 100_000))
        while time.monotonic() < ends:
            try:
                await asyncio.wait_for(post(numbers), ends - time.monotonic())
            except TimeoutError:
                return
            except ConnectionRefusedError:
                others["not connected"] += 1
                await asyncio.sleep(0.1)
            except (OSError, asyncio.IncompleteReadError):
                others["closed without an answer"] += 1

    ends = time.monotonic() + WARM_UP_SECONDS + LOAD_SECONDS + 2
    tasks = [asyncio.create_task(keep_posting(index)) for index in range(50)]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, began = len(accepted), time.monotonic()
    await asyncio.sleep(LOAD_SECONDS)
    rate = (len(accepted) - before) / (time.monotonic() - began)
    process.terminate()
    await asyncio.gather(*tasks)
    return accepted, others, rate


def main() -> int:
    """Measure what the command line names."""
    measurements = {"attack": attack, "viewers": viewers, "drain": drain}
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*measurements, []], metavar="NAME", help=", ".join(measurements))
    for name in parser.parse_args().names or list(measurements):
        for row in measurements[name]():
            print(f"{row.what}: {row.value}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
