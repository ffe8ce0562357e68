"""No thread of the poller dies unseen: whatever is raised in it is a failed attempt, and the next one works."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Dispatcher
from delivery.sink import KeyedWorkers
from delivery.stores import FileStore
from functions.poller import Poller, create
from pipeline.cloudevents import CloudEvent
from tests.support.administrator import Administrator
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until
from vsphere.history import EventHistory
from vsphere.session import Session

TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/test"})

RAISING = [
    (Session, "connect", 1),
    (Session, "connect", 2),
    (Session, "server_time", 1),
    (Session, "call", 1),
    (Session, "call", 2),
    (Session, "call", 4),
    (EventHistory, "read", 1),
    (EventHistory, "read", 2),
    (EventHistory, "wait", 2),
    (EventHistory, "close", 1),
    (CheckpointedSink, "open", 1),
    (CheckpointedSink, "open", 2),
    (CheckpointedSink, "save", 1),
    (FileStore, "acquire", 1),
    (FileStore, "load", 1),
    (FileStore, "save", 1),
    (FileStore, "save", 2),
    (Dispatcher, "deliver", 1),
    (Dispatcher, "_post", 1),
    (Dispatcher, "_post", 30),
    (Dispatcher, "__aenter__", 1),
    (KeyedWorkers, "run", 1),
]
"""A method of each thread and of each await, and which of its calls raises."""


@contextlib.contextmanager
def following(environ: dict[str, str]) -> Iterator[Poller]:
    with contextlib.closing(create({**environ, "FOLLOW_SECONDS": "always"})) as poller:
        yield poller


def raising_once(unchanged: Callable[..., Any], call: int) -> tuple[Callable[..., Any], list[int]]:
    """Return *unchanged*, except that its call number *call* raises, and the list of its calls."""
    calls: list[int] = []

    def changed(*arguments: Any, **more: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == call:
            raise ZeroDivisionError("injected")
        return unchanged(*arguments, **more)

    return changed, calls


@pytest.mark.parametrize(
    ("owner", "name", "call"), RAISING, ids=[f"{owner.__name__}.{name}-{call}" for owner, name, call in RAISING]
)
def test_an_error_anywhere_stops_nothing(
    owner: Any,
    name: str,
    call: int,
    environ: dict[str, str],
    sink: Recorder,
    administrator: Administrator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed, calls = raising_once(getattr(owner, name), call)
    monkeypatch.setattr(owner, name, changed)
    died: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with following(environ):
        for number in range(20):
            administrator.post(f"event {number}")
        wait_until(lambda: bool(sink.ids), 20)
        wait_until(lambda: len(administrator.content.sessionManager.sessionList) > 1)
        administrator.end_other_sessions()
        administrator.post("after it")
        wait_until(lambda: set(administrator.event_keys()) <= set(sink.ids), 20)
    assert not died
    assert len(calls) >= call


DYING = """
import sys, threading, time
import launcher
class Function:
    blueprint = None
    def __init__(self):
        threading.Timer(0.2, lambda: 1 / 0).start()
    def handle(self, event):
        return None
    def close(self):
        time.sleep(2)
launcher.open_function = lambda name, environ: Function()
sys.exit(launcher.run({"FUNCTION": "webhook", "PORT": "0", "HOST": "127.0.0.1"}))
"""
"""A function whose thread dies, and which needs a while to close."""


def test_thread_that_dies_ends_the_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DYING], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        line = next(line for line in map(json.loads, output) if "address" in line)
        connection = http.client.HTTPConnection(urlsplit(line["address"]).netloc, timeout=5)

        def responses() -> tuple[int, str, bool]:
            connection.request("GET", "/health/readiness")
            response = connection.getresponse()
            status, reason = response.status, response.read().decode()
            connection.request("GET", "/metrics")
            return status, reason, b"unexpected_errors_total 1" in connection.getresponse().read()

        wait_until(lambda: responses()[0] == 503)
        _, reason, is_counted = responses()
        connection.close()
        rest = output.read()
    assert "Thread-" in reason
    assert "ended unexpectedly" in reason
    assert is_counted
    assert process.wait(10) == 1
    assert "ZeroDivisionError" in rest
