"""Failures that lost events in the predecessor: the poller as a process, vcsim, a failing sink.

`tests/functions/poller/test_failures.py` has them with fewer events.
"""

import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Measurement
from demo.vcsim import VCSim
from pipeline import status_events
from tests.support.administrator import Administrator
from tests.support.delivery_check import check_delivery
from tests.support.recorder import OK, Recorder, Response
from tests.support.serving import Served
from tests.support.waiting import is_true_within


class Run:
    """The setting of one failure: a simulator, an administrator who posts events, the poller's settings."""

    def __init__(self, vcsim: VCSim, folder: Path) -> None:
        self.vcsim = vcsim
        self.administrator = Administrator(vcsim.port)
        self._vms = self.administrator.vms
        self._folder = folder

    def poller(self, sink: str, **more: str) -> Served:
        """Start the poller as a process that always follows. Returns a context manager."""
        environ = {
            "VC_URL": self.vcsim.url,
            "VC_INSECURE": "true",
            "VC_USERNAME": self.vcsim.username,
            "VC_PASSWORD": self.vcsim.password,
            "K_SINK": sink,
            "CHECKPOINT": f"file:{self._folder / 'checkpoint.json'}",
            "FOLLOW_SECONDS": "always",
            "LOG_LEVEL": "INFO",
        }
        return Served("poller", **(environ | more))

    def post(self, count: int, pause_seconds: float = 0.0) -> None:
        """Post *count* events, about the VMs in turn."""
        for number in range(count):
            self.administrator.post(f"event {number}", self._vms[number % len(self._vms)])
            time.sleep(pause_seconds)

    def keys(self) -> set[int]:
        """Return the keys of all events that vCenter holds."""
        return set(self.administrator.event_keys())


@contextlib.contextmanager
def run() -> Iterator[Run]:
    """Run a simulator for one failure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, VCSim() as vcsim:
        setting = Run(vcsim, Path(folder))
        try:
            yield setting
        finally:
            setting.administrator.__exit__()


def outcome(expected: set[int], *sinks: Recorder) -> str:
    """Return the number of *expected* events that were lost and that came twice, in all *sinks*."""
    return str(check_delivery(sorted(expected), [key for sink in sinks for key in sink.ids]))


def status_event_bodies(sink: Recorder, event_type: str) -> list[str]:
    """Return the bodies of the accepted events of *event_type*, in order."""
    return [request.body.decode() for request in sink.accepted if request.headers["ce-type"] == event_type]


def failures() -> Iterator[Measurement]:
    """Measure each failure, one after the other."""
    yield rejected_once()
    yield always_rejected_with_dead_letter_sink()
    yield always_rejected_without()
    yield sink_down()
    yield misbehaving("sink that answers after 2 s each, 50 events", lambda number: Response(202, after_seconds=2))
    yield misbehaving(
        "sink that closes every third connection half-way, 50 events",
        lambda number: Response(0) if number % 3 == 0 else OK,
    )
    yield sigterm()
    yield restarted()
    yield ended_session()
    yield pruned()


def rejected_once() -> Measurement:
    """Respond 503 to the 7th of 50."""
    return misbehaving("503 on the 7th of 50, once", lambda number: Response(503) if number == 7 else OK)


def misbehaving(failure: str, respond: Callable[[int], Response]) -> Measurement:
    """Post 50 events to a sink whose response depends on the number of the request."""
    with run() as bench, Recorder() as sink, bench.poller(sink.url):
        is_true_within(15, lambda: bench.keys() <= set(sink.ids))
        before = len(sink.requests)
        sink.respond = lambda request: respond(len(sink.requests) - before + 1)
        bench.post(50)
        expected = bench.keys()
        is_true_within(60, lambda: expected <= set(sink.ids))
        return Measurement(failure, outcome(expected, sink), "", "lost 0, twice 0")


def always_rejected_with_dead_letter_sink() -> Measurement:
    """Respond 503 to one of 50 until it goes to the dead-letter sink."""
    with run() as bench, Recorder() as dead_letters, Recorder() as sink:
        bench.post(50)
        expected = bench.keys()
        poison = sorted(expected)[-44]
        sink.respond = lambda request: Response(503) if request.id == str(poison) else OK
        with bench.poller(sink.url, DEAD_LETTER_SINK=dead_letters.url):
            is_true_within(60, lambda: poison in dead_letters.ids)
            is_true_within(15, lambda: expected - {poison} <= set(sink.ids))
        result = f"{outcome(expected, sink, dead_letters)}, dead-lettered {len(dead_letters.ids)} after 10 attempts"
        return Measurement("503 on the 7th of 50, always, with a dead-letter sink", result, "", "lost 0, twice 0")


def always_rejected_without() -> Measurement:
    """Respond 503 to one of 50 for 10 s, without a dead-letter sink."""
    with run() as bench, Recorder() as sink:
        bench.post(50)
        expected = bench.keys()
        poison = sorted(expected)[-44]
        sink.respond = lambda request: Response(503) if request.id == str(poison) else OK
        with bench.poller(sink.url, SINK_BACKOFF_MAX="1s"):
            time.sleep(10)
            others = len(set(sink.ids))
            sink.respond = lambda request: OK
            is_true_within(30, lambda: expected <= set(sink.ids))
        result = f"{outcome(expected, sink)}, {others} of {len(expected)} had arrived while it was rejected"
        return Measurement("the same without one, repaired after 10 s", result, "", "lost 0, twice 0")


def sink_down(seconds: float = 15) -> Measurement:
    """Stop the sink while 50 events are posted."""
    with run() as bench, Recorder() as first, bench.poller(first.url):
        is_true_within(15, lambda: bench.keys() <= set(first.ids))
        first.stop()
        bench.post(50, pause_seconds=seconds / 50)
        expected = bench.keys()
        with Recorder(port=first.port) as second:
            is_true_within(60, lambda: expected <= set(first.ids) | set(second.ids))
            result = outcome(expected, first, second)
        return Measurement(f"sink down for {seconds:.0f} s during 50 events", result, "predecessor: 50 lost", "lost 0")


def sigterm() -> Measurement:
    """End the poller with SIGTERM in a burst of 900, then restart it."""
    with run() as bench, Recorder() as sink:
        sink.respond = lambda request: Response(202, after_seconds=0.01)
        with bench.poller(sink.url) as served:
            bench.post(900)
            started = time.monotonic()
            served.signal(signal.SIGTERM)
            code = served.wait()
            seconds = time.monotonic() - started
        with bench.poller(sink.url):
            expected = bench.keys()
            is_true_within(30, lambda: expected <= set(sink.ids))
            result = f"exit {code} after {seconds:.1f} s, then {outcome(expected, sink)}"
        return Measurement("SIGTERM in a burst of 900, and a restart", result, "", "within 10 s, twice 0")


def restarted() -> Measurement:
    """Kill vcsim and restart it on the same port, as a vCenter whose keys begin at 1 again."""
    with run() as bench, Recorder() as sink, bench.poller(sink.url):
        is_true_within(15, lambda: bench.keys() <= set(sink.ids))
        bench.vcsim.kill()
        is_true_within(15, lambda: bool(status_event_bodies(sink, status_events.UNREACHABLE)))
        before = len(sink.requests)
        bench.vcsim.start()
        started = time.monotonic()
        with Administrator(bench.vcsim.port) as person:
            person.post("after the restart")
            expected = set(person.event_keys())

            def since() -> list[int]:
                return [int(request.id) for request in sink.accepted[before:] if request.id.isdigit()]

            is_true_within(30, lambda: expected <= set(since()))
            check = check_delivery(sorted(expected), since())
            result = f"{check} of {check.expected}, all there {time.monotonic() - started:.1f} s later"
        return Measurement("vcsim killed and restarted", result, "predecessor: the process exits", "continues")


def ended_session() -> Measurement:
    """End the poller's session as another administrator."""
    with run() as bench, Recorder() as sink, bench.poller(sink.url):
        is_true_within(15, lambda: bench.keys() <= set(sink.ids))
        bench.administrator.end_other_sessions()
        bench.post(20)
        expected = bench.keys()
        is_true_within(30, lambda: expected <= set(sink.ids))
        return Measurement(
            "session terminated by another administrator", outcome(expected, sink), "", "lost 0, twice 0"
        )


def pruned() -> Measurement:
    """Post 5,000 events while the sink fails and the reader waits, so that the simulator prunes them."""
    with run() as bench, Recorder() as sink:
        gate = threading.Event()
        sink.respond = lambda request: OK if gate.is_set() else Response(503)
        with bench.poller(sink.url, SINK_MAX_IN_FLIGHT="20", SINK_BACKOFF_MAX="200ms"):
            is_true_within(15, lambda: len(sink.requests) > 3)
            bench.post(5000)
            held = bench.keys()
            gate.set()
            is_true_within(60, lambda: held <= set(sink.ids) and bool(status_event_bodies(sink, status_events.GAP)))
            missing = set(range(1, max(held) + 1)) - set(sink.ids)
            gaps = status_event_bodies(sink, status_events.GAP)
            exact = gaps and missing == set(range(min(missing), max(missing) + 1))
            gap = gaps[0] if gaps else "none"
        result = f"gap event {gap}, missing {min(missing)} to {max(missing)}, {'exactly' if exact else 'NOT'} that"
        return Measurement("5,000 events while the reader waits", result, "predecessor: stuck", "exact gap")
