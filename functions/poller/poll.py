"""A poll: one stretch of reading vCenter's history and delivering it, from the claim to its release."""

import contextlib
import dataclasses
import datetime
import threading

import structlog

from functions.poller.checkpoint import ClaimHeld
from functions.poller.keeper import Keeper, claimed_position, send_notice
from functions.poller.lease import Lease
from functions.poller.parts import Parts, now
from functions.poller.sink import Delivery, Sink
from pipeline import status_events
from pipeline.errors import TemporaryError, VCenterEventsError
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.event import Position, VCenterEvent, subject, to_cloudevent
from vsphere.history import EventHistory

log = structlog.get_logger()

ENCODE_EVENTS = 50
"""Events encoded and handed over at once."""
WAIT_SECONDS = 5
"""How long the server holds one wait for new events."""
CLOSE_SECONDS = 8.0
"""What delivery may take on SIGTERM, of the process's 10 s."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Waits between tries to reach vCenter or the store; the last repeats."""


class Poll:
    """Reads in a thread of its own, until its lease is over and everything read is delivered."""

    def __init__(self, parts: Parts, lease: Lease, previous: "Poll | None") -> None:
        """Begin, once *previous* is over."""
        self._parts = parts
        self._settings = parts.settings
        self._vcenter = parts.vcenter
        self._source = parts.settings.vcenter.sdk_url
        self.lease = lease
        """Until when it follows."""
        self._keeper: Keeper | None = None
        self._claim_lost: ClaimHeld | None = None
        self._stopping = threading.Event()
        self._state = threading.Condition()
        self._drained = False
        self._ended = False
        self._trouble: VCenterEventsError | None = None
        self._thread = threading.Thread(target=self._run, args=(previous,), name="reader", daemon=True)
        self._thread.start()

    def wait_drained(self, seconds: float) -> None:
        """Wait until all that vCenter had was delivered and saved.

        Raises what keeps it from that, or `TemporaryError` if it takes longer than *seconds*.
        """
        with self._state:
            self._state.wait_for(lambda: self._drained or self._trouble or self._ended, seconds)
        self.raise_trouble()
        if not self._drained:
            sink = self._parts.sink
            failing = f"; the sink: {sink.failing}" if sink and sink.failing else ""
            raise TemporaryError(
                f"tick: not everything is delivered yet, read={self._parts.read}{failing}; the poll goes on"
            )

    def raise_trouble(self) -> None:
        """Raise what keeps the poll from its work at the moment, if anything does."""
        trouble = self._trouble
        if trouble is not None:
            raise trouble

    def summary(self) -> dict[str, int | None]:
        """Counts for a log line."""
        parts = self._parts
        return {"read": parts.read, "sent": parts.counts.sent, "checkpoint": parts.saved.key if parts.saved else None}

    def join(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def close(self) -> None:
        """End it now, but deliver what was read, for at most `CLOSE_SECONDS`."""
        self._stopping.set()
        while self._thread.is_alive():
            self._vcenter.interrupt()  # again, since the reader may not have been waiting yet
            self._thread.join(0.2)

    # ── the reader's thread ──

    def _run(self, previous: "Poll | None") -> None:
        if previous is not None:
            previous.join()
        tries = 0
        while not self._stopping.is_set():
            old_session = self._vcenter.connected
            try:
                sink, keeper = self._begin()
                self._follow(sink, keeper)
                break
            except Exception as error:  # noqa: BLE001 - polling goes on whatever happens; `_report` logs it
                if self._stopping.is_set():  # `close` interrupted it
                    break
                if self._is_unnoticeable(error, old_session):
                    log.info("vcenter session is made anew", reason=str(error))
                    continue
                tries = 0 if self._drained else tries
                self._report(error)
                if self.lease.is_over() and not (self._parts.sink and self._parts.sink.pending):
                    break
                self._stopping.wait(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
        self.lease.end()
        self._release(CLOSE_SECONDS)
        log.info("poll ended", **self.summary())
        with self._state:
            self._ended = True
            self._state.notify_all()

    def _begin(self) -> tuple[Sink[Position], Keeper]:
        """What delivers and what keeps: those at work, or new ones, once the claim is taken."""
        parts = self._parts
        if self._claim_lost is not None:
            self._claim_lost = None
            self._release(0)
        if self._keeper is None or parts.sink is None:
            position = claimed_position(parts)
            if self._settings.replay_window_seconds > 0:
                parts.position = position
            parts.saved = parts.position
            parts.sink = self._parts.open_sink()
            self._keeper = Keeper(parts, parts.sink, self._lose)
        return parts.sink, self._keeper

    def _release(self, seconds: float) -> None:
        """Let the sink finish, for at most *seconds*, then save and give the claim up."""
        sink, keeper = self._parts.sink, self._keeper
        self._parts.sink = self._keeper = None
        if sink is not None:
            sink.close(seconds)
            if sink.pending:
                log.warning("what was not delivered is read again at the next start", events=sink.pending)
        if keeper is not None:
            keeper.close()

    def _lose(self, error: ClaimHeld) -> None:
        """The keeper's word that the claim is lost: the reader is to stop, and to try for it again."""
        self._claim_lost = error
        self._vcenter.interrupt()

    def _follow(self, sink: Sink[Position], keeper: Keeper) -> None:
        """Read until the lease is over and there is nothing left. Raises what interrupts it."""
        self._vcenter.connect()
        with contextlib.closing(self._open_history()) as history:
            self._tell_recovered(sink)
            while not self._stopping.is_set():
                if self._claim_lost is not None:
                    raise self._claim_lost
                page = history.read()
                if page.gap:
                    log.error("events are missing: vCenter holds them no longer", **dataclasses.asdict(page.gap))
                    send_notice(sink, status_events.gap(self._source, page.gap.first, page.gap.last, now()))
                if page.events:
                    self._send(sink, page.events)
                    continue
                if not self._drained:
                    self._settle(sink, keeper)
                if self.lease.is_over():  # looked at after the settling: ticks that come meanwhile extend this poll
                    self._settle(sink, keeper)
                    return
                history.wait(round(max(1, min(WAIT_SECONDS, self.lease.remaining_seconds()))))

    def _open_history(self) -> EventHistory:
        """The history after the last event read, but not before the replay window's start."""
        parts, window = self._parts, self._settings.replay_window_seconds
        begin = self._vcenter.server_time() - datetime.timedelta(seconds=window)
        if parts.position is not None:
            begin = max(begin, parts.position.created_time) if window else parts.position.created_time
        elif not window:
            begin = parts.begin = parts.begin or begin
        return EventHistory(self._vcenter, begin, parts.position)

    def _send(self, sink: Sink[Position], events: list[VCenterEvent]) -> None:
        version, encoding = self._vcenter.api_version, self._settings.encoding
        # In parts, so that the first events are on their way while the next ones are encoded.
        for start in range(0, len(events), ENCODE_EVENTS):
            part = events[start : start + ENCODE_EVENTS]
            sink.send(
                [
                    Delivery(to_cloudevent(event, self._source, version, encoding), subject(event), event.position)
                    for event in part
                ]
            )
            self._parts.read += len(part)
            self._parts.position = part[-1].position

    def _settle(self, sink: Sink[Position], keeper: Keeper) -> None:
        """Wait until everything read is delivered and saved: only then is a poll drained, or may it end."""
        while not sink.wait_idle(0.5):
            if self._stopping.is_set() or self._claim_lost is not None:
                return
        keeper.save()
        with self._state:
            if self._trouble:
                log.info("poll goes on", **self.summary())
            self._drained, self._trouble = True, None
            self._state.notify_all()

    # ── what goes wrong ──

    def _is_unnoticeable(self, error: Exception, old_session: bool) -> bool:
        """Drop the session if the fault may be its; whether it only ended, which is no trouble if a new one works."""
        if isinstance(error, VCenterEventsError) and not isinstance(error, VCenterUnavailable | VCenterRejected):
            return False
        self._vcenter.close()
        return old_session and isinstance(error, VCenterUnavailable)

    def _report(self, error: Exception) -> None:
        if self._claim_lost is not None:
            error = self._claim_lost  # whatever was interrupted by it
        if not isinstance(error, VCenterEventsError):
            log.error("poll failed unexpectedly, trying on", exc_info=error)
            error = TemporaryError(f"poll: unexpected {type(error).__name__}; the log has it")
        elif str(error) != str(self._trouble):
            log.warning("poll is held up, trying on", error=str(error))
        if isinstance(error, VCenterUnavailable | VCenterRejected):
            self._tell_unreachable(str(error))
        with self._state:
            self._drained, self._trouble = False, error
            self._state.notify_all()

    def _tell_unreachable(self, reason: str) -> None:
        """Once an outage, and not for one that the first retry ends."""
        parts = self._parts
        if parts.unreachable_since is None:
            parts.unreachable_since = now()
        elif not parts.told_unreachable and parts.sink is not None:
            parts.told_unreachable = True
            send_notice(parts.sink, status_events.unreachable(self._source, parts.unreachable_since, reason))

    def _tell_recovered(self, sink: Sink[Position]) -> None:
        parts = self._parts
        if parts.unreachable_since is not None and parts.told_unreachable:
            send_notice(sink, status_events.recovered(self._source, parts.unreachable_since, now()))
        parts.unreachable_since, parts.told_unreachable = None, False
