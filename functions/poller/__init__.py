"""The poller: a tick reads vCenter's new events and delivers them; the checkpoint follows what was acknowledged.

A tick, or the process's start, begins a poll or extends the one that runs: a poll drains the history since the
checkpoint, then follows it until FOLLOW_SECONDS after the last tick. So the ticks' period is not the latency, and
without ticks polling ends. The tick that began a poll is answered once everything was delivered and saved; one that
finds a poll, at once.

`poll` reads, `keeper` saves the position and holds the claim, `lease` says how long, `parts` is what they share.
"""

import threading
import time

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from functions import Environ
from functions.poller.checkpoint import open_store
from functions.poller.lease import Lease
from functions.poller.metrics import Metrics
from functions.poller.parts import Parts
from functions.poller.poll import Poll
from functions.poller.settings import PollerSettings
from functions.poller.sink import Counts, Sink
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError
from pipeline.settings import read
from vsphere.event import Position
from vsphere.history import check_selection
from vsphere.session import Session

log = structlog.get_logger()

ANSWER_SECONDS = 25.0
"""A tick whose poll is not drained by then is answered 503; the poll goes on."""


def create(environ: Environ) -> "Poller":
    """The poller of the settings in *environ*, polling already unless it only drains. Raises `SettingsError`."""
    settings = read(PollerSettings, environ)
    check_selection(settings.vcenter)
    counts = Counts()
    at_most_once = settings.replay_window_seconds == 0

    def open_sink() -> Sink[Position]:
        return Sink(settings.sink, at_most_once, counts)

    parts = Parts(settings, Session(settings.vcenter), open_store(settings.checkpoint), open_sink, counts)
    poller = Poller(parts)
    if settings.follow_seconds > 0:
        poller.begin()
    return poller


class Poller:
    """One vCenter's history to one sink, by ticks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._follow_seconds = parts.settings.follow_seconds
        self._lock = threading.Lock()
        self._poll: Poll | None = None
        self._closing = False
        registry = CollectorRegistry()
        registry.register(Metrics(parts))
        self.blueprint: Blueprint | None = Blueprint("poller", __name__)
        self.blueprint.add_url_rule(
            "/metrics", "metrics", lambda: Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        )

    def begin(self) -> tuple[Poll, bool]:
        """Extend the poll that runs, or start one; returns it, and whether it ran already."""
        with self._lock:
            if self._closing:
                raise TemporaryError("tick: the poller is being closed")
            if self._poll is not None and self._poll.lease.extend(self._follow_seconds):
                return self._poll, True
            self._poll = Poll(self._parts, Lease(self._follow_seconds), self._poll)
            return self._poll, False

    def handle(self, event: CloudEvent) -> None:
        """Take a tick, whatever its content. Raises what keeps the poll from its work."""
        started = time.monotonic()
        poll, ran_already = self.begin()
        if ran_already:
            poll.raise_trouble()
            log.info("tick extends the poll", id=event["id"], **poll.summary())
            return
        poll.wait_drained(ANSWER_SECONDS)
        log.info("tick done", id=event["id"], ms=round((time.monotonic() - started) * 1000), **poll.summary())

    def close(self) -> None:
        """End the poll: what was read is delivered, the position saved, the session ended."""
        with self._lock:
            self._closing = True
        if self._poll is not None:
            self._poll.close()
        self._parts.vcenter.close()
