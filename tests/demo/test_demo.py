"""The demo as a person runs it: a process of its own, stopped by Ctrl-C."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from demo.vcsim import VCSim
from local.services import free_port
from tests.support.processes import descendants

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.usefixtures("vcsim_program")


@contextlib.contextmanager
def demo(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m demo`, with *environ* added to this process's environment. Killed if a test leaves it running."""
    with subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return the output of the process up to a line that matches *pattern*."""
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if re.search(pattern, line):
            return output
    raise AssertionError(f"it ended without {pattern!r}:\n{output}")


def open_page(address: str) -> http.client.HTTPResponse:
    response = urllib.request.urlopen(address, timeout=15)
    assert isinstance(response, http.client.HTTPResponse)
    return response


def run_and_stop(
    process: subprocess.Popen[str], port: int, end: signal.Signals, wait: Callable[[], object] = lambda: None
) -> None:
    """Wait until the page shows an event of vCenter, end it while the page is open, and see that nothing is left.

    *wait* is called before the end.
    """
    address = f"http://127.0.0.1:{port}"
    read_until(process, address)
    with open_page(address) as page:
        assert b"<html" in page.read()
    with open_page(f"{address}/api/events") as stream:
        assert any(b"com.vmware.vsphere." in line for line in stream)
        children = descendants(process.pid)
        assert len(children) >= 3
        wait()

        start = time.monotonic()
        process.send_signal(end)
        code = process.wait(10)

    assert code == 0
    assert time.monotonic() - start < 5
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_events_are_shown_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """With a receiver of notifications and a reaction of one's own, as the tutorials say."""
    port = free_port()
    receiver = [sys.executable, "-m", "demo.receiver"]

    with subprocess.Popen(receiver, cwd=ROOT, stdout=subprocess.PIPE, text=True) as receiving:
        address = read_until(receiving, "NOTIFY_URLS").strip().partition("NOTIFY_URLS=")[2]
        environ = {"NOTIFY_URLS": address, "DEMO_PORT": str(port), "TMPDIR": str(tmp_path)}
        with demo("config/reactions/350-capacity.yaml", **environ) as process:
            run_and_stop(process, port, signal.SIGINT, lambda: read_until(receiving, "is powered off"))
        receiving.terminate()

    assert list(tmp_path.iterdir()) == []


def test_credentials_of_a_real_vcenter_are_deleted_at_the_end(vcsim: VCSim, tmp_path: Path) -> None:
    port = free_port()

    with demo("--vcenter", DEMO_PORT=str(port), TMPDIR=str(tmp_path), **vcsim.environ) as process:
        run_and_stop(process, port, signal.SIGTERM)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["--vcenter"], {}, ["VC_URL", "VC_USERNAME", "VC_PASSWORD"]),
        ([], {"DEMO_PORT": "http"}, ["DEMO_PORT"]),
    ],
    ids=["no vCenter", "no port"],
)
def test_all_invalid_settings_are_reported_at_once(
    arguments: list[str], environ: Mapping[str, str], named: list[str]
) -> None:
    cleared = dict.fromkeys(("VC_URL", "VC_USERNAME", "VC_PASSWORD", "VC_INSECURE"), "")

    with demo(*arguments, **{**cleared, **environ}) as process:
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 2
    assert [name for name in named if name not in output] == []
    assert "Traceback" not in output


def test_port_in_use_is_reported(vcsim: VCSim) -> None:
    with demo(DEMO_PORT=str(vcsim.port)) as process:
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 2
    assert f"listen on 127.0.0.1:{vcsim.port}: Address already in use. Set DEMO_PORT to another port" in output
