"""The runtime: events a second and CPU per event of functions on loopback, beside a minimal application.

`python -m bench.runtime --before DIR` measures the launcher of another checkout in the same run.
"""

import argparse
import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.cold_start import cold_start
from bench.measure import Measurement
from bench.poster import INFO_TYPE

ROOT = Path(__file__).parent.parent
EVENTS = 6000
CONNECTIONS = 16

FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "display": {"FUNCTION": "display"},
    "notify, below its severity": {
        "FUNCTION": "notify", "NOTIFY_URLS": "json://127.0.0.1:9/", "NOTIFY_SEVERITY": "error",
    },
}  # fmt: skip

MINIMAL = [sys.executable, "-m", "bench.minimal"]
"""An application on the same server that reads the body and answers 202."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """The measurements of one round of posting."""

    events_per_second: float
    cpu_microseconds: float
    """Of the serving process, for each event."""
    p50_ms: float
    p99_ms: float
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.events_per_second:,.0f} events/s, {self.cpu_microseconds:.0f} µs CPU/event, "
            f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms" + (f", {self.failed} failed" if self.failed else "")
        )


def runtime() -> Iterator[Measurement]:
    """Measure each function, with the minimal application as the baseline."""
    yield from measure([("now", ROOT)])
    yield from cold_start([("now", ROOT)])


def measure(checkouts: Sequence[tuple[str, Path]]) -> Iterator[Measurement]:
    """Measure each function in each of the *checkouts* (name, folder)."""
    baseline = measured(MINIMAL, ROOT, {})
    for name, environ in FUNCTIONS.items():
        for label, folder in checkouts:
            python = folder / ".venv" / "bin" / "python"
            figures = measured([str(python), "launcher.py"], folder, environ)
            yield Measurement(f"{name}, {label}", str(figures), str(baseline), "≥ 4,000 events/s, ≤ 200 µs")


def measured(command: Sequence[str], folder: Path, environ: Mapping[str, str], events: int = EVENTS) -> Figures:
    """Start *command*, warm it up, and measure it under load."""
    with serving(command, folder, environ) as (process, port):
        post(port, events // 10)
        before = cpu_seconds(process.pid)
        seconds, p50, p99, failed = post(port, events)
        used = cpu_seconds(process.pid) - before
    return Figures(events / seconds, used / events * 1e6, p50, p99, int(failed))


def post(port: int, events: int, connections: int = CONNECTIONS) -> list[float]:
    """Post *events* from a process of its own. Return its output."""
    command = [sys.executable, "-m", "bench.poster", str(port), str(events), str(connections), INFO_TYPE]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


@contextlib.contextmanager
def serving(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run *command* in *folder* on a free port until the end. Yield (process, port) once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), **environ}
    with subprocess.Popen(command, cwd=folder, env=settings, stdout=subprocess.DEVNULL) as process:
        try:
            wait_ready(port, process)
            yield process, port
        finally:
            process.terminate()


def wait_ready(port: int, process: "subprocess.Popen[bytes]", seconds: float = 20) -> None:
    """Wait until the process answers. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/readiness"):
            return
        time.sleep(0.02)
    raise TimeoutError(f"the process does not answer on port {port}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure this checkout, and others beside it."""
    parser = argparse.ArgumentParser(prog="python -m bench.runtime", description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout with its .venv to measure in the same run")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--cold-start", action="store_true", help="measure the start alone")
    arguments = parser.parse_args()
    checkouts = [("before", arguments.before)] if arguments.before else []
    for _ in range(arguments.runs):
        measured_rows = cold_start if arguments.cold_start else measure
        for row in measured_rows([*checkouts, ("now", ROOT)]):
            print(f"{row.what}: {row.value} (baseline {row.baseline})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
