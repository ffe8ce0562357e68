"""A poll: reading vCenter's history and delivering it, from acquiring the lease to releasing it."""

import contextlib
import dataclasses
import datetime
import threading
import time

import structlog

from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Delivery
from delivery.progress import now
from delivery.reports import Reports
from delivery.sink import Sink
from functions.poller.first_login import FirstLogin
from functions.poller.progress import PollerProgress
from functions.poller.settings import PollerSettings
from pipeline.errors import TemporaryError, VCenterEventsError, cut
from pipeline.status_events import StatusEvents
from vsphere.catalog import Catalog
from vsphere.cloudevent import subject, to_cloudevent
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.event import Position, VCenterEvent
from vsphere.history import EventHistory, as_text
from vsphere.session import Session

log = structlog.get_logger()

ENCODE_EVENTS = 50
"""Events encoded and sent at once."""
DRAIN_SECONDS = 0.5
"""Maximum wait for the delivery of what was read, before more is read."""
WAIT_SECONDS = 5
"""Maximum time that the server holds one wait for new events."""
MAX_REPLAY_SECONDS = 100 * 365 * 86_400.0
"""Maximum replay window. A longer one would begin before the first year of the calendar."""
READER_SECONDS = 3.0
"""Maximum time for the reader to end on SIGTERM, of `CLOSE_SECONDS`."""
CLOSE_SECONDS = 8.0
"""Maximum time for delivery on SIGTERM, of the process's 10 s."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Delays between attempts to reach vCenter or the store. The last one repeats."""


class FollowDeadline:
    """The end of a poll. Ticks extend it. Once it has passed it cannot be extended."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._end = time.monotonic() + seconds
        self._passed = False

    def extend(self, seconds: float) -> bool:
        """Move the deadline to *seconds* from now. Returns False if it has passed."""
        with self._lock:
            if not self._passed:
                self._end = time.monotonic() + seconds
            return not self._passed

    def has_passed(self) -> bool:
        """Return True if the deadline has passed, from then on always."""
        with self._lock:
            self._passed = self._passed or time.monotonic() >= self._end
            return self._passed

    def expire(self) -> None:
        """Let the deadline pass now."""
        with self._lock:
            self._passed = True

    def remaining_seconds(self) -> float:
        """Return the seconds until the deadline, 0 or less after it."""
        return self._end - time.monotonic()


class PollStatus:
    """The state of a poll that ticks wait for and report."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.drained = False
        """True once everything that vCenter had is delivered and saved."""
        self.ended = False
        self.error: VCenterEventsError | None = None
        """The reason why the poll cannot do its work at the moment."""

    def set(self, *, drained: bool = False, error: VCenterEventsError | None = None, ended: bool = False) -> None:
        """Change the state and wake every waiting thread."""
        with self._changed:
            self.drained, self.error, self.ended = drained, error, ended
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait at most *seconds* until the poll is drained, fails or ends."""
        with self._changed:
            self._changed.wait_for(lambda: self.drained or self.error or self.ended, seconds)

    def raise_error(self) -> None:
        """Raise the reason why the poll cannot do its work at the moment, if there is one."""
        error = self.error
        if error is not None:
            raise error


def encode(
    event: VCenterEvent, source: str, api_version: str, encoding: str, types: Catalog | None = None
) -> Delivery[Position]:
    """Return the delivery of *event* as a CloudEvent, or of a status event with its text if it cannot be one.

    Either way the position moves on, so that one event never stops the others.
    """
    try:
        return Delivery(to_cloudevent(event, source, api_version, encoding, types), subject(event), event.position)
    except Exception as error:
        log.exception("Event %d cannot be encoded, sending its text", event.key, id=str(event.key))
        reason = f"encode the event: {type(error).__name__}: {cut(str(error))}"
        report = StatusEvents(source).unreadable(event.key, as_text(event.element), reason, now())
        return Delivery(report, report["type"], event.position)


class Poll:
    """A poll in a thread of its own. It ends when its deadline has passed and everything read is delivered."""

    def __init__(
        self,
        settings: PollerSettings,
        session: Session,
        output: CheckpointedSink[Position],
        progress: PollerProgress,
        previous: "Poll | FirstLogin | None" = None,
    ) -> None:
        """Start reading once *previous*, which used the session, has ended."""
        self._settings = settings
        self._session = session
        self._output = output
        self._progress = progress
        status_events = StatusEvents(settings.vcenter.sdk_url)
        self._reports = Reports(status_events, output, progress, settings.heartbeat_seconds)
        self.deadline = FollowDeadline(settings.follow_seconds)
        self.status = PollStatus()
        self._first_login: FirstLogin | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(previous,), name="reader", daemon=True)
        self._thread.start()

    def wait_drained(self, seconds: float) -> None:
        """Wait until everything that vCenter had is delivered and saved.

        Raises the error that prevents it, or `TemporaryError` if it takes longer than *seconds*.
        """
        self.status.wait(seconds)
        self.status.raise_error()
        if not self.status.drained:
            failing = f", the sink fails: {self._output.failing}" if self._output.failing else ""
            raise TemporaryError(
                f"tick: not everything is delivered yet, read={self._progress.read}{failing}. The poll continues"
            )

    def summary(self) -> dict[str, int | None]:
        """Return counts for a log line."""
        progress = self._progress
        return {
            "read": progress.read,
            "sent": progress.counts.sent,
            "checkpoint": progress.saved.key if progress.saved else None,
        }

    def join(self) -> None:
        """Wait until the poll has ended and left the session to the caller."""
        self._thread.join()
        if self._first_login is not None:
            self._first_login.join()

    def close(self) -> None:
        """End the poll now. Events already read are delivered, within at most `CLOSE_SECONDS`."""
        self._stopping.set()
        started = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - started < READER_SECONDS:
            self._session.interrupt()  # repeatedly, since the reader may not have been waiting yet
            self._thread.join(0.2)
        # The reader has done it, unless vCenter does not answer, the sink has no room, or it ended unexpectedly.
        self._output.close(CLOSE_SECONDS - READER_SECONDS)
        if self._first_login is not None:
            self._first_login.join(READER_SECONDS)

    # ── the reader's thread ──

    def _run(self, previous: "Poll | FirstLogin | None") -> None:
        try:
            if previous is not None:
                previous.join()
            self._read_with_retry()
            self.deadline.expire()
            self._output.close(CLOSE_SECONDS)
            log.info("Poll ended", **self.summary())
            if not self._session.has_logged_in and not self._stopping.is_set():  # the process is not ready before
                self._first_login = FirstLogin(self._session)
        finally:  # whatever happened, the next tick begins another poll
            self.deadline.expire()
            self.status.set(drained=self.status.drained, error=self.status.error, ended=True)

    def _read_with_retry(self) -> None:
        """Read until the deadline has passed or the poll is closed, whatever interrupts it."""
        failures = 0
        while not self._stopping.is_set():
            had_session = self._session.connected
            try:
                self._follow(self._connect())
                break
            except Exception as error:
                if self._stopping.is_set():  # `close` interrupted it
                    if not isinstance(error, VCenterEventsError):
                        log.error("Poll ended with an unexpected error", exc_info=error)
                    break
                if self._discard_session(error) and had_session:
                    log.info("vCenter session ended, creating another: %s", error)
                    continue
                failures = 0 if self.status.drained else failures
                self._report(error)
                if self.deadline.has_passed() and not self._output.pending:
                    break
                self._stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _connect(self) -> Sink[Position]:
        """Log in, acquire the lease, and return the sink.

        The login comes first, so that a pod gets ready while the one that it replaces still holds the lease. The sink
        is opened also if the login fails, to report that.
        """
        try:
            self._session.connect()
        except Exception:
            self._output.open()
            raise
        return self._output.open()

    def _follow(self, sink: Sink[Position]) -> None:
        """Read until the deadline has passed and everything is delivered. Raises whatever interrupts it."""
        with contextlib.closing(self._open_history()) as history:
            self._reports.recovered()
            while not self._stopping.is_set():
                self._output.check()
                page = history.read()
                self._reports.heartbeat()
                if page.gap:
                    log.error("Events are missing: vCenter no longer holds them", **dataclasses.asdict(page.gap))
                    self._reports.gap(page.gap.first, page.gap.last)
                for element in page.unreadable:
                    self._reports.unreadable(element.text, element.reason)
                self._send(sink, page.events)
                if page:
                    continue
                remaining = self.deadline.remaining_seconds()
                is_due = not self.status.drained or remaining <= 0
                is_drained = is_due and self._drain(sink)
                if is_drained and self.deadline.has_passed():  # not before, so that a tick meanwhile extends this poll
                    return
                if is_drained:  # not before, so that it delays no event that is there already
                    self._progress.types.refresh(self._session)
                history.wait(round(max(1, min(1 if is_due and not is_drained else WAIT_SECONDS, remaining))))

    def _open_history(self) -> EventHistory:
        """Return the history after the last event read, but not before the start of the replay window."""
        progress = self._progress
        window = min(self._settings.replay_window_seconds, MAX_REPLAY_SECONDS)
        earliest = self._session.server_time() - datetime.timedelta(seconds=window)
        if not window:  # at most once: what happened before this process started is not sent
            earliest = progress.begin = progress.begin or earliest
            if progress.position is not None:  # vCenter's clock may have been set back since
                earliest = min(earliest, progress.position.created_time)
        elif progress.begin is not None and progress.position is None:
            earliest = max(earliest, progress.begin)
        known_at = progress.known_at + self._session.clock_lead if progress.known_at else None
        return EventHistory(self._session, earliest, progress.position, progress.page_size, known_at)

    def _send(self, sink: Sink[Position], events: list[VCenterEvent]) -> None:
        source, version, encoding = self._settings.vcenter.sdk_url, self._session.api_version, self._settings.encoding
        types = self._progress.types.catalog
        # In chunks, so that the first events are sent while the next ones are encoded. A chunk is queued whole or not
        # at all, so that the position is that of the last event queued.
        size = min(ENCODE_EVENTS, sink.max_chunk)
        for start in range(0, len(events), size):
            if self._stopping.is_set():  # the rest is read again at the next start
                return
            chunk = events[start : start + size]
            sink.send([encode(event, source, version, encoding, types) for event in chunk])
            self._progress.read += len(chunk)
            self._progress.position, self._progress.known_at = chunk[-1].position, now()

    def _drain(self, sink: Sink[Position]) -> bool:
        """Wait a moment until everything read is delivered, and save that. Return True if so.

        While one event cannot be delivered, reading goes on: it holds up its own entity only.
        """
        if not sink.in_flight.wait_idle(DRAIN_SECONDS):
            return False
        self._output.save()
        if self.status.error:
            log.info("Poll continues", **self.summary())
        self.status.set(drained=True)
        return True

    # ── errors ──

    def _discard_session(self, error: Exception) -> bool:
        """Close the session if *error* may come from it, and return True if a new session may work at once."""
        if isinstance(error, VCenterEventsError) and not isinstance(error, VCenterUnavailable | VCenterRejected):
            return False
        self._session.close()
        return isinstance(error, VCenterUnavailable)

    def _report(self, error: Exception) -> None:
        if self._output.lease_lost is not None:
            error = self._output.lease_lost  # it caused whatever was interrupted
        if not isinstance(error, VCenterEventsError):
            log.error("Poll failed unexpectedly, retrying", exc_info=error)
            self._progress.counts.errors += 1
            error = TemporaryError(f"poll: unexpected {type(error).__name__}, see the log")
        elif str(error) != str(self.status.error):
            log.warning("Poll failed, retrying: %s", error)
        if isinstance(error, VCenterUnavailable | VCenterRejected):
            self._reports.unreachable(str(error))
        self._reports.heartbeat()
        self.status.set(error=error)
