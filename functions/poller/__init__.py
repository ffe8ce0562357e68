"""The poller: reads vCenter's event history and delivers it to the sink, up to a checkpoint.

A tick, or the start of the process, begins a poll or extends the one that runs. A poll reads everything since the
checkpoint, then follows the history until FOLLOW_SECONDS after the last tick. So the latency does not depend on the
period of the ticks, and polling ends without ticks. A tick that begins a poll is answered once everything is delivered
and saved. A tick that extends one is answered at once.

| module | content |
|---|---|
| `poll` | the loop that reads |
| `checkpointed_sink` | the sink and the writer of its checkpoint, while the lease is held |
| `checkpoint_writer`, `checkpoint` | saving the position |
| `progress`, `metrics`, `settings` | the state that outlives a poll, and its description to the outside |

The package `delivery` sends the events.
"""

import threading
import time

import structlog

from delivery.stores import Store, open_store
from functions.poller.checkpointed_sink import CheckpointedSink
from functions.poller.metrics import PollerMetrics
from functions.poller.poll import Poll
from functions.poller.progress import Progress
from functions.poller.settings import PollerSettings
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError
from pipeline.settings import Environ, read
from vsphere.history import check_selection
from vsphere.session import READER_TIMEOUT_SECONDS, Session

log = structlog.get_logger()

TICK_TIMEOUT_SECONDS = 25.0
"""A tick whose poll is not drained within this time is answered 503. The poll continues."""


def create(environ: Environ) -> "Poller":
    """Return the poller of the settings in *environ*. It polls already unless it does not follow.

    Raises `SettingsError`.
    """
    settings = read(PollerSettings, environ)
    check_selection(settings.vcenter)
    poller = Poller(settings, Session(settings.vcenter, READER_TIMEOUT_SECONDS), open_store(settings.checkpoint))
    if settings.follow_seconds > 0:
        poller.begin()
    return poller


class Poller:
    """One vCenter's history to one sink, driven by ticks."""

    blueprint: None = None

    def __init__(self, settings: PollerSettings, session: Session, store: Store) -> None:
        self._settings = settings
        self._session = session
        self._progress = Progress()
        self._output = CheckpointedSink(settings, store, self._progress, session.interrupt)
        self._lock = threading.Lock()
        self._poll: Poll | None = None
        self._closing = False
        self.metrics = PollerMetrics(session, self._output, self._progress)

    def begin(self) -> tuple[Poll, bool]:
        """Extend the running poll or start one. Returns the poll and True if it was running."""
        with self._lock:
            if self._closing:
                raise TemporaryError("tick: the poller is being closed")
            if self._poll is not None and self._poll.deadline.extend(self._settings.follow_seconds):
                return self._poll, True
            self._poll = Poll(self._settings, self._session, self._output, self._progress, self._poll)
            return self._poll, False

    def handle(self, event: CloudEvent) -> None:
        """Take a tick, whatever its content. Raises the error that keeps the poll from its work."""
        started = time.monotonic()
        poll, was_running = self.begin()
        if was_running:
            poll.status.raise_error()
            log.info("Tick extends the poll", id=event["id"], **poll.summary())
            return
        poll.wait_drained(TICK_TIMEOUT_SECONDS)
        log.info("Tick done", id=event["id"], ms=round((time.monotonic() - started) * 1000), **poll.summary())

    def close(self) -> None:
        """End the poll: events already read are delivered, the checkpoint is saved, the session ends."""
        with self._lock:
            self._closing = True
        if self._poll is not None:
            self._poll.close()
        self._session.close()
