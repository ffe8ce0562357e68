"""The poller as a process between faulty networks: to vCenter, to the sink and to the API server that has its lease."""

import contextlib
import dataclasses
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from demo.vcsim import VCSim
from tests.support.administrator import Administrator
from tests.support.config_map_server import NAME, ConfigMapServer
from tests.support.delivery_check import check_delivery
from tests.support.faulty_proxy import NONE, Fault, FaultyProxy
from tests.support.recorder import Recorder
from tests.support.serving import Served
from tests.support.waiting import is_true_within, wait_until

EDGES = ("vCenter", "sink", "API server")
PERIOD_SECONDS = 0.2
"""The time between two events."""
SIGNS = ("vcenter_events_poller_session_up 0.0", "vcenter_events_poller_sink_up 0.0")
"""The lines of `/metrics` by which an operator notices a fault."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The effect of one fault on the events that were created shortly before, during and after it."""

    events: int
    lost: int
    repeated: int
    noticed_seconds: float | None
    """From the fault's start to the first sign of it: a warning in the log or a metric. None: there was none."""
    sign: str
    recovered_seconds: float
    """From the fault's end until every event created before its end had arrived."""
    longest_seconds: float
    """The longest time from an event's creation to its first arrival."""


class FaultyPoller:
    """vCenter, sink, API server and a poller that always follows, with a proxy on each edge. A context manager."""

    def __init__(self, vcsim: VCSim, **environ: str) -> None:
        """Add the settings *environ*."""
        self._stack = contextlib.ExitStack()
        self._vcsim = vcsim
        self._environ = environ

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            enter = stack.enter_context
            self.sink = enter(Recorder())
            api_server = enter(ConfigMapServer())
            ports = (self._vcsim.port, self.sink.port, api_server.port)
            self.proxies = {edge: enter(FaultyProxy(port)) for edge, port in zip(EDGES, ports, strict=True)}
            folder = Path(enter(tempfile.TemporaryDirectory(prefix="faulty-")))
            (folder / "kubeconfig").write_text(json.dumps(kubeconfig(self.proxies["API server"].port)))
            self.administrator = enter(Administrator(self._vcsim.port))
            environ = {
                **self._vcsim.environ,
                "VC_URL": f"https://127.0.0.1:{self.proxies['vCenter'].port}/sdk",
                "K_SINK": f"http://127.0.0.1:{self.proxies['sink'].port}",
                "CHECKPOINT": f"configmap:{NAME}",
                "KUBECONFIG": str(folder / "kubeconfig"),
                "FOLLOW_SECONDS": "always",
                **self._environ,
            }
            self.poller = enter(Served("poller", **environ))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, edge: str, fault: Fault, seconds: float, recovery_seconds: float = 60) -> Outcome:
        """Create events all the time, with *fault* on *edge* for *seconds*, and wait until they have arrived.

        It waits at most *recovery_seconds* after the fault's end.
        """
        before = set(self.administrator.event_keys())
        wait_until(lambda: before <= set(self.sink.ids), 20, "the events before the fault have arrived")
        with self._posting():
            time.sleep(1)
            lines = len(self.poller.lines)
            began = time.time()
            self.proxies[edge].fault = fault
            noticed = self._watch(began, lines, seconds)
            self.proxies[edge].fault = NONE
            ended = time.time()
            time.sleep(1)
        created = {key: moment for key, moment in creation_times(self.administrator).items() if key not in before}
        is_true_within(recovery_seconds, lambda: created.keys() <= set(self.sink.ids), 0.05)
        return self._outcome(created, ended, noticed)

    @contextlib.contextmanager
    def _posting(self) -> Iterator[None]:
        """Create an event each `PERIOD_SECONDS`, about the VMs in turn."""
        done = threading.Event()
        vms = itertools.cycle(self.administrator.vms)

        def post() -> None:
            for number in itertools.count():
                self.administrator.post(f"event {number}", next(vms))
                if done.wait(PERIOD_SECONDS):
                    return

        thread = threading.Thread(target=post)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, began: float, lines: int, seconds: float) -> tuple[float | None, str]:
        """Watch for *seconds* after *began*, and return when and by what the fault was noticed first."""
        noticed: tuple[float | None, str] = (None, "")
        while time.time() - began < seconds:
            if noticed[0] is None and (sign := self._sign(lines)):
                noticed = time.time() - began, sign
            time.sleep(0.05)
        return noticed

    def _sign(self, lines: int) -> str:
        """Return the first sign that something is wrong, in the log from *lines* on or in the metrics."""
        for line in self.poller.lines[lines:]:
            if line["level"] in ("warning", "error") or "session ended" in line["message"]:
                return str(line["message"])
        metrics = self.poller.request("GET", "/metrics")[1].splitlines()
        return next((sign for sign in SIGNS if sign in metrics), "")

    def _outcome(self, created: dict[int, float], ended: float, noticed: tuple[float | None, str]) -> Outcome:
        arrived: dict[int, float] = {}
        accepted = [request for request in self.sink.accepted if request.id.isdigit() and int(request.id) in created]
        for request in accepted:
            arrived.setdefault(int(request.id), request.at)
        check = check_delivery(sorted(created), [int(request.id) for request in accepted])
        earlier = [arrived[key] - ended for key, moment in created.items() if moment < ended and key in arrived]
        return Outcome(
            events=check.expected,
            lost=len(check.lost),
            repeated=len(accepted) - len(arrived),
            noticed_seconds=noticed[0],
            sign=noticed[1],
            recovered_seconds=max(0.0, *earlier),
            longest_seconds=max(arrived[key] - moment for key, moment in created.items() if key in arrived),
        )


def creation_times(administrator: Administrator) -> dict[int, float]:
    """Return key → when vCenter created the event, as `time.time()`. The simulator has this host's clock."""
    return {event.key: event.createdTime.timestamp() for event in administrator.events()}


def kubeconfig(port: int) -> dict[str, Any]:
    """Return a kubeconfig of an API server on a port of the loopback interface."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {}}],
    }
