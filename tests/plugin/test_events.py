"""`kn vsphere events tail` and `replay` at a real vcsim."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.vcsim import VCSim
from kn_vsphere.program import run
from tests.support.administrator import Administrator
from tests.support.recorder import Recorder, Request, Response
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
POSTED = 120


@pytest.fixture(scope="module")
def vcenter(vcsim_program: Path) -> Iterator[VCSim]:
    """A vCenter with a history."""
    with VCSim(program=vcsim_program) as running, Administrator(running.port) as person:
        for number in range(POSTED):
            person.post(f"message {number}")
        yield running


@pytest.fixture(scope="module")
def person(vcenter: VCSim) -> Iterator[Administrator]:
    """An administrator of the vCenter."""
    with Administrator(vcenter.port) as someone:
        yield someone


@pytest.fixture
def environ(vcenter: VCSim, tmp_path: Path) -> dict[str, str]:
    """The environment of a person who uses *vcenter*."""
    return {**vcenter.environ, "XDG_STATE_HOME": str(tmp_path)}


@contextlib.contextmanager
def started(environ: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run `kn-vsphere events` as a process of its own."""
    command = [sys.executable, "-m", "kn_vsphere", "events", *words]
    variables = {**environ, "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'plugin'}:{ROOT}"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def outcome(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Return exit status, output and errors of `kn-vsphere events`."""
    out, err = io.StringIO(), io.StringIO()
    status = run(["events", *words], environ, (io.StringIO(), out, err))
    return status, out.getvalue(), err.getvalue()


# ── tail ──


def test_tail_follows_until_ctrl_c(environ: dict[str, str], person: Administrator) -> None:
    with started(environ, "tail", "--since", "1h", "--type", "com.vmware.vsphere.GeneralUserEvent.v0") as process:
        assert process.stdout is not None
        earlier = [process.stdout.readline() for _ in range(POSTED)]
        person.post("it goes on")
        later = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)

    assert [line.split()[-1] for line in earlier] == [str(number) for number in range(POSTED)]
    assert later.rstrip().endswith("info     GeneralUser                 it goes on")
    assert (process.returncode, rest, errors) == (130, "", "")


def test_tail_writes_cloudevents_for_pipes(environ: dict[str, str]) -> None:
    with started(environ, "tail", "--since", "1h", "--type", "DatacenterCreatedEvent", "-o", "json") as process:
        assert process.stdout is not None
        event = json.loads(process.stdout.readline())
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        process.wait(20)

    assert event["type"] == "com.vmware.vsphere.DatacenterCreatedEvent.v0"
    assert event["data"]["Datacenter"]["Name"] == "DC0"


def test_tail_continues_after_an_outage(vcsim: VCSim, tmp_path: Path) -> None:
    with started({**vcsim.environ, "HOME": str(tmp_path)}, "tail", "--since", "1h") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        vcsim.kill()
        assert process.stderr.readline().rstrip().endswith("Retrying")
        vcsim.start()
        while "Connected to vCenter again" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_list_reads_the_catalogue_of_a_vcenter(environ: dict[str, str]) -> None:
    status, out, _ = outcome(environ, "list", "--search", "datacenter created", "-o", "name")

    assert (status, out) == (0, "DatacenterCreatedEvent\n")


# ── replay ──


def test_replay_sends_all_events_in_order(environ: dict[str, str], subscriber: Callable[..., Recorder]) -> None:
    sink = subscriber()
    sink.statuses = [503]
    url = f"http://127.0.0.1:{sink.port}/ns/default"
    status, out, err = outcome(environ, "replay", "--since", "1h", "--sink", url)

    ids = [int(request.id) for request in sink.requests if request.status == 202]
    assert (status, out.split()[:3]) == (0, ["Sent", str(len(ids)), "events"])
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) > POSTED
    assert err == f"POST {url} returned 503. Retrying event 1\n"


def test_replay_selects_by_period_and_type(environ: dict[str, str], subscriber: Callable[..., Recorder]) -> None:
    sink = subscriber()
    words = ["--type", "DatacenterCreatedEvent,DvsCreatedEvent", "--encoding", "xml"]
    outcome(environ, "replay", "--since", "1h", "--sink", f"http://127.0.0.1:{sink.port}/", *words)
    status, out, _ = outcome(
        environ, "replay", "--since", "3h", "--until", "2h", "--sink", f"http://127.0.0.1:{sink.port}/"
    )

    assert [request.attributes["type"].split(".")[3] for request in sink.requests] == [
        "DatacenterCreatedEvent",
        "DvsCreatedEvent",
    ]
    assert sink.requests[0].body.startswith(b"<")
    assert (status, out[:13]) == (0, "Sent 0 events")


def test_replay_continues_after_ctrl_c(environ: dict[str, str], subscriber: Callable[..., Recorder]) -> None:
    with contextlib.ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []

        def respond(request: Request) -> Response:
            if request.id == "60":
                processes[0].send_signal(signal.SIGINT)
            return Response()

        sink = subscriber()
        sink.gate.clear()
        sink.respond = respond
        url = f"http://127.0.0.1:{sink.port}/"
        process = stack.enter_context(started(environ, "replay", "--since", "1h", "--sink", url))
        processes.append(process)
        sink.gate.set()
        _, errors = process.communicate(timeout=20)
    interrupted_at = len(sink.requests)
    status, out, _ = outcome(environ, "replay", "--sink", url, "--resume")

    assert process.returncode == 130
    assert interrupted_at == 60
    assert errors.startswith("Stopped after 60 events. Continue with: kn vsphere events replay --vc-address ")
    ids = [int(request.id) for request in sink.requests]
    assert ids == list(range(1, len(ids) + 1))
    assert (status, out.split()[:3]) == (0, ["Sent", str(len(ids)), "events"])
    assert len(ids) > POSTED
    assert outcome(environ, "replay", "--sink", url, "--resume")[0] == 1  # it is done


def test_replay_stops_at_a_rejected_event(environ: dict[str, str], subscriber: Callable[..., Recorder]) -> None:
    sink = subscriber(lambda request: Response(400 if request.id == "3" else 202))
    url = f"http://127.0.0.1:{sink.port}/"
    status, _, err = outcome(environ, "replay", "--since", "1h", "--sink", url)
    skipped, out, _ = outcome(environ, "replay", "--sink", url, "--resume", "--skip-rejected")

    assert (status, skipped) == (1, 0)
    assert "Stopped after 2 events. Continue with: " in err
    assert "Error: the sink rejects event 3 (com.vmware.vsphere." in err
    assert "(1 rejected)" in out
    ids = [int(request.id) for request in sink.requests if request.status == 202]
    assert ids == [1, 2, *range(4, len(ids) + 2)]


def test_replay_waits_for_a_sink_that_is_down(environ: dict[str, str], subscriber: Callable[..., Recorder]) -> None:
    sink = subscriber()
    url = f"http://127.0.0.1:{sink.port}/"
    sink.statuses = [0, 0]
    status, out, err = outcome(environ, "replay", "--since", "1h", "--type", "DatacenterCreatedEvent", "--sink", url)

    wait_until(lambda: len(sink.requests) == 3)
    assert (status, out[:13]) == (0, "Sent 1 event ")
    assert err.startswith(f"POST {url}: ")
