"""A test of many sources at once: time, requests, memory, and CPU at rest of the controller's process."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import predecessor
from tests.support.api_server import ApiServer, free_port
from tests.support.controller import ADAPTER_IMAGE
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

SOURCES = 200
MAX_MEGABYTES = 90
MAX_REQUESTS = 15
"""Requests for each source, from its creation until nothing is left to do."""
REST_SECONDS = 10.0


@contextlib.contextmanager
def controller_process(server: ApiServer, namespace: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the controller's process. Yield its id and its port."""
    port, admission_port = free_port(), free_port()
    (folder / "token").write_text(server.token)
    environ = {
        "PATH": os.environ["PATH"],
        "FUNCTION": "controller",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ADAPTER_IMAGE": ADAPTER_IMAGE,
        "WATCH_NAMESPACES": namespace,
        "RETIRE_PREDECESSOR": "false",
        "ADMISSION_PORT": str(admission_port),
        "ADMISSION_URL": f"https://127.0.0.1:{admission_port}",
    }
    arguments = [server.url, str(server.ca_file), str(folder / "token"), namespace]
    command = [sys.executable, "-m", "tests.support.controller_process", *arguments]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: metric(port, "controller_leader") == 1, 30, "it leads")
            yield process.pid, port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def metric(port: int, name: str) -> float | None:
    """Return the sum of a metric's values, or None while the process does not serve."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            text = response.read().decode()
    except OSError:
        return None
    return sum(
        float(value) for value in re.findall(rf"^vcenter_events_{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    )


def megabytes(process: int, name: str = "VmRSS") -> float:
    """Return the resident memory of a process, now or (`VmHWM`) at most."""
    match = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) / 1024


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.timeout(180)
def test_two_hundred_sources_at_once(kinds: ApiServer, namespace: str, tmp_path: Path) -> None:
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments?limit=500"
    with controller_process(kinds, namespace, tmp_path) as (process, port):
        before = megabytes(process)
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            names = [f"source-{number}" for number in range(SOURCES)]
            list(pool.map(lambda name: kinds.create(predecessor.vsphere_source(name), namespace), names))
        created_seconds = time.monotonic() - started
        wait_until(lambda: len(kinds.request("GET", deployments)["items"]) == SOURCES, 60)
        seconds = time.monotonic() - started
        wait_until(lambda: metric(port, "controller_queue_objects") == 0, 30)
        requests = metric(port, "controller_requests_total") or 0.0
        cpu, rested = cpu_seconds(process), time.monotonic()
        time.sleep(REST_SECONDS)  # the duration of a measurement
        idle = (cpu_seconds(process) - cpu) / (time.monotonic() - rested)
        figures = {
            "seconds to create all sources": round(created_seconds, 1),
            "seconds until all Deployments": round(seconds, 1),
            "requests for each source": round(requests / SOURCES, 1),
            "CPU seconds": round(cpu, 1),
            "MB before": round(before, 1),
            "MB": round(megabytes(process), 1),
            "MB at most": round(megabytes(process, "VmHWM"), 1),
            "CPU at rest in %": round(100 * idle, 2),
        }

    print(figures)  # noqa: T201 - the figures of a measurement
    assert figures["MB at most"] <= MAX_MEGABYTES, figures
    assert figures["requests for each source"] <= MAX_REQUESTS, figures
    assert idle < 0.02, figures
