"""The poller: reads vCenter's event history and delivers it to the sink, up to a checkpoint.

A tick, or the start of the process, begins a poll or extends the one that runs. A poll reads everything since the
checkpoint, then follows the history until FOLLOW_SECONDS after the last tick. So the latency does not depend on the
period of the ticks, and polling ends without ticks. A tick that begins a poll is answered once everything is delivered
and saved. A tick that extends one is answered at once.

| module | content |
|---|---|
| `poll`, `first_login` | the loop that reads, and the login while no poll runs |
| `checkpoint` | the record of the position |
| `progress`, `metrics`, `settings` | the state that outlives a poll, and its description to the outside |

The package `delivery` sends the events and saves the position.
"""

import threading
import time

import structlog

from delivery.checkpoint_writer import Destination
from delivery.checkpointed_sink import CheckpointedSink
from delivery.stores import Store, open_store
from functions.poller.checkpoint import VCenterCheckpoint
from functions.poller.first_login import FirstLogin
from functions.poller.metrics import PollerMetrics
from functions.poller.poll import READER_SECONDS, Poll
from functions.poller.progress import PollerProgress
from functions.poller.settings import PollerSettings
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError
from pipeline.settings import Environ, read
from pipeline.status_events import StatusEvents
from vsphere.history import check_selection
from vsphere.session import READER_TIMEOUT_SECONDS, Session

log = structlog.get_logger()

TICK_TIMEOUT_SECONDS = 25.0
"""A tick whose poll is not drained within this time is answered 503. The poll continues."""


def create(environ: Environ) -> "Poller":
    """Return the poller of the settings in *environ*. It polls already, or only logs in if it does not follow.

    Raises `SettingsError`.
    """
    settings = read(PollerSettings, environ)
    check_selection(settings.vcenter)
    poller = Poller(
        settings, Session(settings.vcenter, READER_TIMEOUT_SECONDS), open_store(settings.checkpoint.address)
    )
    if settings.follow_seconds > 0:
        poller.begin()
    else:
        poller.log_in()
    return poller


class Poller:
    """One vCenter's history to one sink, driven by ticks."""

    blueprint: None = None

    def __init__(self, settings: PollerSettings, session: Session, store: Store) -> None:
        self._settings = settings
        self._session = session
        self._progress = PollerProgress()
        destination = Destination(
            settings.sink,
            settings.checkpoint,
            store,
            VCenterCheckpoint(settings.vcenter.url),
            StatusEvents(settings.vcenter.sdk_url),
            at_most_once=settings.replay_window_seconds == 0,
        )
        self._output = CheckpointedSink(destination, self._progress, session.interrupt)
        self._lock = threading.Lock()
        self._poll: Poll | None = None
        self._first_login: FirstLogin | None = None
        self._closing = False
        self.metrics = PollerMetrics(session, self._output, self._progress)

    @property
    def unready(self) -> str:
        """The reason why the poller never logged in to vCenter so far. Empty once it did."""
        if self._session.has_logged_in:
            return ""
        poll, first_login = self._poll, self._first_login
        error = poll.status.error if poll else first_login.error if first_login else None
        return f"not logged in to vCenter yet: {error}" if error else "not logged in to vCenter yet"

    def log_in(self) -> None:
        """Log in before the first poll begins, in the background."""
        self._first_login = FirstLogin(self._session)

    def begin(self) -> tuple[Poll, bool]:
        """Extend the running poll or start one. Returns the poll and True if it was running."""
        with self._lock:
            if self._closing:
                raise TemporaryError("tick: the poller is being closed")
            if self._poll is not None and self._poll.deadline.extend(self._settings.follow_seconds):
                return self._poll, True
            previous = self._poll or self._first_login
            self._poll = Poll(self._settings, self._session, self._output, self._progress, previous)
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
        elif self._first_login is not None:
            self._first_login.join(READER_SECONDS)
        self._session.close()
