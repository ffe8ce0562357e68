"""The demonstration as a person runs it: a process of its own, ended by Ctrl-C."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from demo.vcsim import VCSim
from local.services import free_port
from tests.support.processes import descendants

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.usefixtures("vcsim_program")


@contextlib.contextmanager
def demonstration(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m demo`, with *environ* added to this process's environment; killed if a test leaves it running."""
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
    """What the process prints, up to a line that *pattern* is found in."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if re.search(pattern, line):
            return said
    raise AssertionError(f"it ended without {pattern!r}:\n{said}")


def open_page(address: str) -> http.client.HTTPResponse:
    answer = urllib.request.urlopen(address, timeout=15)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def run_and_end(process: subprocess.Popen[str], port: int, end: signal.Signals) -> None:
    """Wait until the page shows an event of vCenter, end it while the page is open, and see that nothing is left."""
    address = f"http://127.0.0.1:{port}"
    read_until(process, address)
    with open_page(address) as page:
        assert b"<html" in page.read()
    with open_page(f"{address}/api/events") as stream:
        assert any(b"com.vmware.vsphere." in line for line in stream)
        below = descendants(process.pid)
        assert len(below) >= 3

        begun = time.monotonic()
        process.send_signal(end)
        code = process.wait(10)

    assert code == 0
    assert time.monotonic() - begun < 5
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []


def test_the_demonstration_shows_events_and_ctrl_c_ends_it_without_a_trace(tmp_path: Path) -> None:
    port = free_port()

    with demonstration(DEMO_PORT=str(port), TMPDIR=str(tmp_path)) as process:
        run_and_end(process, port, signal.SIGINT)

    assert list(tmp_path.iterdir()) == []


def test_a_real_vcenter_is_shown_and_its_credentials_do_not_outlive_the_run(vcsim: VCSim, tmp_path: Path) -> None:
    port = free_port()

    with demonstration("--vcenter", DEMO_PORT=str(port), TMPDIR=str(tmp_path), **vcsim.environ) as process:
        run_and_end(process, port, signal.SIGTERM)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["--vcenter"], {}, ["VC_URL", "VC_USERNAME", "VC_PASSWORD"]),
        ([], {"DEMO_PORT": "http"}, ["DEMO_PORT"]),
    ],
    ids=["no vCenter", "no port"],
)
def test_unusable_settings_are_named_all_at_once(
    arguments: list[str], environ: Mapping[str, str], named: list[str]
) -> None:
    cleared = dict.fromkeys(("VC_URL", "VC_USERNAME", "VC_PASSWORD", "VC_INSECURE"), "")

    with demonstration(*arguments, **{**cleared, **environ}) as process:
        said, _ = process.communicate(timeout=20)

    assert process.returncode == 2
    assert [each for each in named if each not in said] == []
    assert "Traceback" not in said


def test_a_port_in_use_is_said_plainly(vcsim: VCSim) -> None:
    with demonstration(DEMO_PORT=str(vcsim.port)) as process:
        said, _ = process.communicate(timeout=20)

    assert process.returncode == 2
    assert f"listen on 127.0.0.1:{vcsim.port}: Address already in use; DEMO_PORT takes another" in said
