"""Cold start: from the start of a function's process to its first answer to an event, by phases."""

import contextlib
import dataclasses
import json
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.measure import Measurement
from bench.poster import INFO_TYPE, request

RUNS = 9

FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "webhook": {
        "FUNCTION": "webhook", "WEBHOOK_URL": "http://127.0.0.1:9/", "WEBHOOK_IF": "false",
    },
    "notify": {"FUNCTION": "notify", "NOTIFY_URLS": "json://127.0.0.1:9/", "NOTIFY_SEVERITY": "error"},
}  # fmt: skip
"""Neither sends this event: its receiver's time is not the function's."""

HIDE_RICH = "import sys; sys.modules['rich'] = None; "
"""structlog imports rich where a development tool brought it. The image has none."""

LAUNCH = HIDE_RICH + "import runpy; sys.argv = ['launcher.py']; runpy.run_path('launcher.py', run_name='__main__')"

IMPORTS = HIDE_RICH + "import importlib, launcher; importlib.import_module('functions.{function}')"
"""The imports of a process before it reads its settings. `launcher` imports the server."""


@dataclasses.dataclass(frozen=True)
class Start:
    """The times of one start, in seconds since the process was started."""

    serving: float
    """The process listens, and says so in its log."""
    answered: float
    cpu: float
    """CPU time of the process until then, in seconds."""


def cold_start(checkouts: Sequence[tuple[str, Path]]) -> Iterator[Measurement]:
    """Measure each function in each of the *checkouts* (name, folder). The median and the fastest of several runs."""
    for name, environ in FUNCTIONS.items():
        for label, folder in checkouts:
            python = str(folder / ".venv" / "bin" / "python")
            interpreter = fastest([python, "-c", "pass"], folder)
            imported = fastest([python, "-c", IMPORTS.format(function=name)], folder)
            starts = [start([python, "-c", LAUNCH], folder, environ) for _ in range(RUNS)]
            best = min(starts, key=lambda one: one.answered)
            phases = {
                "interpreter": interpreter,
                "imports": imported - interpreter,
                "settings and listening": best.serving - imported,
                "first answer": best.answered - best.serving,
            }
            listed = ", ".join(f"{phase} {max(0.0, seconds) * 1000:.0f}" for phase, seconds in phases.items())
            median = statistics.median(one.answered for one in starts)
            cpu = min(one.cpu for one in starts)
            yield Measurement(
                f"cold start of {name}, {label}",
                f"{best.answered * 1000:.0f} ms ({listed}), median {median * 1000:.0f} ms, CPU {cpu * 1000:.0f} ms",
                f"the interpreter alone: {interpreter * 1000:.0f} ms",
                "≤ 200 ms",
            )


def fastest(command: Sequence[str], folder: Path) -> float:
    """Return the seconds that the fastest run of *command* takes."""
    taken = []
    for _ in range(RUNS):
        began = time.monotonic()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return min(taken)


def start(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Start:
    """Start *command*, post an event as soon as it listens, and stop it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), **environ}
    began = time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=settings, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                if json.loads(line).get("message") == "serving":
                    break
        serving = time.monotonic() - began
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(request(INFO_TYPE, 1))
            response = connection.recv(1024)
        answered = time.monotonic() - began
        used = cpu_seconds(process.pid)
        process.kill()
    assert response.startswith(b"HTTP/1.1 202"), response
    return Start(serving, answered, used)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    nanoseconds = Path(f"/proc/{pid}/schedstat").read_text(encoding="utf-8").split()[0]
    return int(nanoseconds) / 1e9
