"""The engine as a whole: manifests in, processes and events out, and nothing left behind."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import engine as engine_module
from local.engine import ROOT, Engine
from local.manifests import ManifestError
from local.objects import Name
from local.services import ServiceNotReady, free_port
from tests.support.client import get_json, post, send
from tests.support.headers import event_headers
from tests.support.processes import is_running
from tests.support.waiting import wait_until

OBJECTS = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: poller}
spec: {template: {spec: {containers: [{image: vcenter-events, env: [{name: MODE, value: "%s"}]}]}}}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: display}
spec: {template: {spec: {containers: [{image: vcenter-events}]}}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec:
  delivery:
    retry: 2
    deadLetterSink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: display}, uri: /dead-letters}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: display}
spec:
  broker: default
  filter: {attributes: {type: wanted}}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: display}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: nobody}
spec:
  broker: default
  filter: {attributes: {type: lost}}
  delivery: {retry: 0}
  subscriber: {uri: "http://127.0.0.1:9/"}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: poller}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, name: poller}
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}}
  ceOverrides: {extensions: {site: north}}
---
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: tick}
spec:
  schedule: "* * * * * *"
  data: tock
  sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: poller}}
"""
RUN = """
import sys, pathlib
from local.__main__ import main
sys.exit(main(sys.argv[2:], root=pathlib.Path(sys.argv[1])))
"""


@pytest.fixture
def objects(manifest: Callable[..., Path]) -> Path:
    return manifest(OBJECTS % "")


@pytest.fixture
def command(project: Path, objects: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -m local` with the throw-away project."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", RUN, str(project), "--state", str(tmp_path / "state"), *options, str(objects)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_run_from_manifests_to_delivered_events(objects: Path, project: Path, tmp_path: Path) -> None:
    port = free_port()
    with Engine([objects], tmp_path / "state", {"display": port}, project) as engine:
        engine.start()
        broker = engine.broker_url("default", "default")
        environ = get_json(engine.url("poller"))["environ"]
        for event_type in ("wanted", "unwanted", "lost"):
            assert post(broker, event_headers(event_type, event_type))[0] == 202
        logs = tmp_path / "state" / "logs"

        wait_until(lambda: "got wanted wanted" in (logs / "display.log").read_text())
        # The Trigger's own delivery spec has no dead-letter sink: the Broker's is used.
        wait_until(lambda: "got lost lost" in (logs / "display.log").read_text())
        wait_until(lambda: "got dev.knative.sources.ping" in (logs / "poller.log").read_text())

        wait_until(lambda: engine.status().brokers[Name("default", "default")].dead_lettered == 1)
        assert engine.url("display") == f"http://127.0.0.1:{port}"
        assert environ["K_SINK"] == broker
        assert environ["K_CE_OVERRIDES"] == '{"extensions": {"site": "north"}}'
        assert str(engine.status()) == (
            "default/default: 3 received, 1 delivered, 1 failed, 1 dead-lettered, 0 pending | 2 of 2 services up"
        )
        assert "unwanted" not in (logs / "display.log").read_text()


def test_stop_ends_a_stubborn_process_within_five_seconds(
    manifest: Callable[..., Path], project: Path, tmp_path: Path
) -> None:
    engine = Engine([manifest(OBJECTS % "stubborn")], tmp_path / "state", root=project)
    engine.start()
    pids = [get_json(engine.url(name))["pid"] for name in engine.services()]

    started = time.monotonic()
    engine.stop()

    assert time.monotonic() - started < 5
    assert not any(is_running(pid) for pid in pids)
    engine.stop()


def test_settings_error_of_a_service_ends_the_start(
    manifest: Callable[..., Path], project: Path, tmp_path: Path
) -> None:
    rejection = pytest.raises(ServiceNotReady, match=r"service poller ended with exit code 2(.|\n)*COLOUR is not set")
    with Engine([manifest(OBJECTS % "invalid")], tmp_path / "state", root=project) as engine, rejection:
        engine.start()

    assert not any(engine.status().services.values())


def test_service_that_never_becomes_ready_ends_the_start(
    manifest: Callable[..., Path], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "READY_SECONDS", 0.5)
    rejection = pytest.raises(ServiceNotReady, match="service poller runs but is not ready")
    with Engine([manifest(OBJECTS % "unready")], tmp_path / "state", root=project) as engine, rejection:
        engine.start()


def test_engine_that_was_not_started_stops(objects: Path, project: Path, tmp_path: Path) -> None:
    Engine([objects], tmp_path / "state", root=project).stop()


def test_port_for_an_unknown_service_is_rejected(objects: Path, project: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="a port is given for page, which is not a Service here"):
        Engine([objects], tmp_path / "state", {"page": 8080}, project)


# ── as a command ──


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_prints_addresses_and_ends_with_its_services(
    command: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    port = free_port()
    process = command("--port", f"display={port}", "--logs")
    pids, printed = started(process, port)

    process.send_signal(number)
    _, err = process.communicate(timeout=5)

    assert process.returncode == 0
    assert err == ""
    assert {"poller | listening", "display | listening"} <= set(printed)
    assert not any(is_running(pid) for pid in pids)


def test_killed_engine_leaves_no_service(command: Callable[..., subprocess.Popen[str]]) -> None:
    port = free_port()
    process = command("--port", f"display={port}")
    pids, _ = started(process, port)

    process.kill()
    process.communicate(timeout=5)

    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_command_stopped_before_readiness_leaves_no_service(
    command: Callable[..., subprocess.Popen[str]], objects: Path, tmp_path: Path
) -> None:
    objects.write_text(OBJECTS % "unready")
    port = free_port()
    process = command("--port", f"poller={port}")
    poller_log = tmp_path / "state" / "logs" / "poller.log"
    wait_until(lambda: poller_log.exists() and "listening" in poller_log.read_text())
    pids: list[int] = []

    def is_serving() -> bool:
        try:
            _, body = send("GET", f"http://127.0.0.1:{port}")
        except OSError:
            return False
        pids.append(json.loads(body)["pid"])
        return True

    wait_until(is_serving)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)

    assert process.returncode == 0
    assert not is_running(pids[0])


def started(process: subprocess.Popen[str], port: int) -> tuple[list[int], list[str]]:
    """The processes of both services once their addresses are printed, and all that was printed until then."""
    assert process.stdout is not None
    urls: dict[str, str] = {}
    printed: list[str] = []
    while len(urls) < 2:
        printed.append(process.stdout.readline().rstrip("\n"))
        name, _, url = printed[-1].partition(": ")
        if name in ("poller", "display"):
            urls[name] = url
    assert urls["display"] == f"http://127.0.0.1:{port}"
    return [get_json(url)["pid"] for url in urls.values()], printed


def test_command_rejects_manifests_without_a_traceback(manifest: Callable[..., Path]) -> None:
    path = manifest("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}")

    run = subprocess.run(
        [sys.executable, "-m", "local", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )

    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == (
        "the manifests cannot be run locally:\n"
        f"  - {path}: Deployment a: kind: local does not run Deployment of apps/v1\n"
    )


@pytest.mark.parametrize("port", ["display", "display=0", "=80", "display=x", "display=65536"])
def test_command_rejects_an_invalid_port(port: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "local", "--port", port, "x"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode == 2
    assert "is not NAME=PORT, for example display=8080" in run.stderr
