"""What the predecessor lost, at full length: the poller as a process, vcsim, a failing sink. The tests are shorter."""

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
from tests.support.recorder import OK, Recorder, Request, Response
from tests.support.serving import Served
from tests.support.waiting import is_true_within


class Run:
    """A simulator, somebody who makes events, and a poller's settings; one failure is tried in it."""

    def __init__(self, vcsim: VCSim, folder: Path) -> None:
        self.vcsim = vcsim
        self.administrator = Administrator(vcsim.port)
        self._machines = self.administrator.machines
        self._folder = folder

    def poller(self, sink: str, **more: str) -> Served:
        """The poller, following always, as a process; a context manager."""
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
        """Post *count* events, about the machines in turn."""
        for number in range(count):
            self.administrator.post(f"event {number}", self._machines[number % len(self._machines)])
            time.sleep(pause_seconds)

    def keys(self) -> set[int]:
        """The keys of all events that vCenter holds."""
        return set(self.administrator.event_keys())


@contextlib.contextmanager
def run() -> Iterator[Run]:
    """A simulator of its own for one failure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, VCSim() as vcsim:
        made = Run(vcsim, Path(folder))
        try:
            yield made
        finally:
            made.administrator.__exit__()


def outcome(expected: set[int], *sinks: Recorder) -> str:
    """How many of *expected* were lost, and how many came twice, over all *sinks*."""
    arrived = [key for sink in sinks for key in sink.ids]
    return f"lost {len(expected - set(arrived))}, twice {len(arrived) - len(set(arrived))}"


def failures() -> Iterator[Measurement]:
    """Every failure of the list, one after the other."""
    yield refused_once()
    yield refused_for_ever_with_a_dead_letter_sink()
    yield refused_for_ever_without()
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


def refused_once() -> Measurement:
    """503 on the 7th of 50."""
    return misbehaving("503 on the 7th of 50, once", lambda number: Response(503) if number == 7 else OK)


def misbehaving(what: str, answer: Callable[[int], Response]) -> Measurement:
    """Post 50 events to a sink whose *answer* depends on the number of the request."""
    with run() as bench, Recorder() as sink, bench.poller(sink.url):
        is_true_within(15, lambda: bench.keys() <= set(sink.ids))
        before = len(sink.requests)
        sink.respond = lambda request: answer(len(sink.requests) - before + 1)
        bench.post(50)
        expected = bench.keys()
        is_true_within(60, lambda: expected <= set(sink.ids))
        return Measurement(what, outcome(expected, sink), "", "lost 0, twice 0")


def refused_for_ever_with_a_dead_letter_sink() -> Measurement:
    """503 for ever for one of 50, which then goes to the dead-letter sink."""
    with run() as bench, Recorder() as letters, Recorder() as sink:
        bench.post(50)
        expected = bench.keys()
        poison = sorted(expected)[-44]
        sink.respond = lambda request: Response(503) if request.id == str(poison) else OK
        with bench.poller(sink.url, DEAD_LETTER_SINK=letters.url):
            is_true_within(60, lambda: poison in letters.ids)
            is_true_within(15, lambda: expected - {poison} <= set(sink.ids))
        said = f"{outcome(expected, sink, letters)}, dead-lettered {len(letters.ids)} after 10 tries"
        return Measurement("503 on the 7th of 50, for ever, dead-letter sink set", said, "", "lost 0, twice 0")


def refused_for_ever_without() -> Measurement:
    """503 for a long time for one of 50, with no dead-letter sink; then the sink takes it."""
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
        said = f"{outcome(expected, sink)}; {others} of {len(expected)} had arrived while it was refused"
        return Measurement("the same with none set, mended after 10 s", said, "", "lost 0, twice 0")


def sink_down(seconds: float = 15) -> Measurement:
    """Nothing listens while 50 events are made."""
    with run() as bench, Recorder() as first, bench.poller(first.url):
        is_true_within(15, lambda: bench.keys() <= set(first.ids))
        first.stop()
        bench.post(50, pause_seconds=seconds / 50)
        expected = bench.keys()
        with Recorder(port=first.port) as second:
            is_true_within(60, lambda: expected <= set(first.ids) | set(second.ids))
            said = outcome(expected, first, second)
        return Measurement(f"sink down for {seconds:.0f} s during 50 events", said, "predecessor: 50 lost", "lost 0")


def sigterm() -> Measurement:
    """SIGTERM in a burst of 900, then a restart."""
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
            said = f"exit {code} after {seconds:.1f} s, then {outcome(expected, sink)}"
        return Measurement("SIGTERM in a burst of 900, and a restart", said, "", "within 10 s, twice 0")


def restarted() -> Measurement:
    """vcsim killed, and started again on the same port: a vCenter made anew, whose keys begin at 1."""
    with run() as bench, Recorder() as sink, bench.poller(sink.url):
        is_true_within(15, lambda: bench.keys() <= set(sink.ids))
        bench.vcsim.kill()
        is_true_within(15, lambda: any(each.headers["ce-type"] == status_events.UNREACHABLE for each in sink.accepted))
        before = len(sink.requests)
        bench.vcsim.start()
        started = time.monotonic()
        with Administrator(bench.vcsim.port) as person:
            person.post("after the restart")
            expected = set(person.event_keys())

            def since() -> set[int]:
                return {int(each.id) for each in sink.accepted[before:] if each.id.isdigit()}

            is_true_within(30, lambda: expected <= since())
            said = (
                f"lost {len(expected - since())} of {len(expected)}, all there {time.monotonic() - started:.1f} s later"
            )
        return Measurement("vcsim killed and started again", said, "predecessor: the process exits", "goes on")


def ended_session() -> Measurement:
    """Another administrator ends the poller's session."""
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
    """5,000 events while the sink holds the reader up, so that the simulator prunes them."""
    with run() as bench, Recorder() as sink:
        gate = threading.Event()
        sink.respond = lambda request: OK if gate.is_set() else Response(503)
        with bench.poller(sink.url, SINK_MAX_IN_FLIGHT="20", SINK_BACKOFF_MAX="200ms"):
            is_true_within(15, lambda: len(sink.requests) > 3)
            bench.post(5000)
            held = bench.keys()
            gate.set()

            def told() -> list[Request]:
                return [each for each in sink.accepted if each.headers["ce-type"] == status_events.GAP]

            is_true_within(60, lambda: held <= set(sink.ids) and bool(told()))
            missing = set(range(1, max(held) + 1)) - set(sink.ids)
            exact = told() and missing == set(range(min(missing), max(missing) + 1))
            notes = told()[0].body.decode() if told() else "none"
        said = f"gap event {notes}; missing {min(missing)} to {max(missing)}, {'exactly' if exact else 'NOT'} that"
        return Measurement("5,000 events while the reader is held up", said, "predecessor: stuck for ever", "exact gap")
