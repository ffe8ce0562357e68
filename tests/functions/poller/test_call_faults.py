"""An exception in any method of the poller's threads: delivery goes on, or the thread dies with its traceback."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from delivery.acknowledgements import AcknowledgementTracker
from delivery.checkpoint_writer import CheckpointWriter
from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Dispatcher
from delivery.in_flight import InFlight
from delivery.progress import Outage
from delivery.resend import ResendTracker
from delivery.retry import DropLimit, RetryPolicy
from delivery.sink import KeyedWorkers, Sink
from delivery.stores import FileStore
from functions.poller import Poller, create
from functions.poller.poll import FollowDeadline, Poll, PollStatus
from tests.support.administrator import Administrator
from tests.support.faults import CallFault, InjectedError, methods
from tests.support.recorder import Recorder
from tests.support.waiting import is_true_within, wait_until
from vsphere.cursor import Cursor
from vsphere.history import EventHistory, PageSize
from vsphere.session import Session

pytestmark = pytest.mark.faults

OWNERS = [
    Session, EventHistory, Cursor, PageSize, Poll, PollStatus, FollowDeadline, Outage,
    CheckpointedSink, CheckpointWriter, FileStore, InFlight, AcknowledgementTracker, ResendTracker,
    Sink, KeyedWorkers, Dispatcher, RetryPolicy, DropLimit,
]  # fmt: skip
"""The classes whose methods run in the reader, in the sink's loop and in the checkpoint writer."""

QUIET = {"Session._call_apart", "Session._open_stub", "Session.interrupt"}
"""Methods whose failure is nobody's concern: a logout, and an interruption that is repeated."""


@dataclasses.dataclass
class Rig:
    """A poller that is replaced as its platform replaces it: when a thread of it has died."""

    environ: dict[str, str]
    sink: Recorder
    administrator: Administrator
    died: list[Any] = dataclasses.field(default_factory=list)
    deaths: int = 0
    poller: Poller | None = None

    def start(self) -> None:
        self.poller = create({**self.environ, "FOLLOW_SECONDS": "always", "SINK_RESEND": "1s"})

    def close(self) -> None:
        if self.poller is not None:
            self.poller.close()
            self.poller._output._destination.store.release()  # the system does it when a process ends

    def replace_if_dead(self) -> None:
        if self.died:
            self.deaths += 1
            with contextlib.suppress(Exception):
                self.close()
            self.died.clear()
            self.start()

    def deliver(self, message: str) -> None:
        """Have an event delivered, by a new poller if this one dies."""
        self.administrator.post(message)
        key = self.administrator.newest_key
        if not is_true_within(20, lambda: self.died or key in self.sink.ids):
            raise AssertionError(f"{message}: not delivered, and nothing died")
        self.replace_if_dead()
        wait_until(lambda: key in self.sink.ids, 20, message)

    def disturb(self) -> None:
        """Have the sink fail, and the session end."""
        self.sink.statuses = [503, 503]
        self.deliver("disturbed")
        wait_until(lambda: self.administrator.other_sessions, 20, "login")  # of a poller that was just replaced
        self.administrator.end_other_sessions()

    def restart(self) -> None:
        """End the poller and start another. An error there ends the process with its traceback: then once more."""
        for step in (self.close, self.start):
            try:
                step()
            except InjectedError:
                self.deaths += 1
                step()


@pytest.fixture
def rig(
    environ: dict[str, str], sink: Recorder, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    monkeypatch.setattr("functions.poller.poll.RETRY_SECONDS", (0.05,))
    monkeypatch.setattr("delivery.sink.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("delivery.checkpoint_writer.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("delivery.resend.QUIET_SECONDS", 0.05)
    running = Rig(environ, sink, administrator)
    monkeypatch.setattr(threading, "excepthook", running.died.append)
    with contextlib.closing(running):
        running.start()
        running.deliver("first")
        yield running


@pytest.mark.timeout(240)  # some classes have twenty methods
@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_error_in_any_method_loses_nothing(owner: type, rig: Rig) -> None:
    struck = 0
    for _, name in methods(owner):
        place = f"{owner.__name__}.{name}"
        fault, deaths = CallFault(), rig.deaths
        with structlog.testing.capture_logs() as lines, fault.installed(owner, name):
            fault.arm()
            rig.deliver(f"first {place}")
            for disturb in (rig.disturb, rig.restart):
                if not fault.has_struck:
                    disturb()
            rig.deliver(f"last {place}")
            if fault.has_struck and place not in QUIET and rig.deaths == deaths:
                wait_until(lambda lines=lines: any("exc_info" in line for line in lines), 5, place)  # type: ignore[misc]
        struck += fault.has_struck
    keys = set(rig.administrator.event_keys())
    wait_until(lambda: keys <= set(rig.sink.ids))
    assert struck  # not all: other tests have ticks, unreadable events, dead letters and lost leases
