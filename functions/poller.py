"""The poller: a tick reads vCenter's new events and delivers them; the checkpoint follows what was acknowledged.

A tick starts a poll, or extends the one that runs: a poll drains the history since the checkpoint, then follows it
until FOLLOW_SECONDS after the last tick. So the ticks' period is not the latency, and without ticks polling ends. The
tick that started a poll is answered once everything was delivered and saved; one that finds a poll is answered at
once.
"""

import contextlib
import dataclasses
import datetime
import threading
import time
from collections.abc import Callable

import structlog
from cloudevents.http import CloudEvent
from flask import Blueprint

from functions import Environ
from pipeline.checkpoint import (
    CLAIM_SECONDS,
    Checkpoint,
    CheckpointUnreadable,
    ClaimHeld,
    Store,
    decode,
    encode,
    open_store,
    vcenter_name,
)
from pipeline.errors import TemporaryError, VCenterEventsError
from pipeline.event import Position, VCenterEvent, subject, to_cloudevent
from pipeline.settings import PollerSettings, read
from pipeline.sink import Delivery, Sink
from pipeline.vcenter import EventHistory, VCenter

log = structlog.get_logger()

WAIT_SECONDS = 5
"""How long the server holds one wait for new events; a poll that is to end may take so long to notice."""
ANSWER_SECONDS = 25.0
"""A tick whose poll is not drained by then is answered 503; the poll goes on."""
CLOSE_SECONDS = 8.0
"""What delivery may take on SIGTERM, of the process's 10 s."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Waits between tries to reach vCenter or the store; the last repeats."""


def create(environ: Environ) -> "Poller":
    """The poller of the settings in *environ*. Raises `SettingsError`."""
    settings = read(PollerSettings, environ)
    at_most_once = settings.replay_window_seconds == 0

    def open_sink() -> Sink[Position]:
        return Sink(settings.sink, at_most_once)

    return Poller(settings, VCenter(settings.vcenter), open_store(settings.checkpoint), open_sink)


class Poller:
    """One vCenter's history to one sink, by ticks."""

    blueprint: Blueprint | None = None

    def __init__(
        self, settings: PollerSettings, vcenter: VCenter, store: Store, open_sink: Callable[[], Sink[Position]]
    ) -> None:
        self._settings = settings
        self._parts = Parts(settings, vcenter, store, open_sink)
        self._lock = threading.Lock()
        self._poll: Poll | None = None
        self._closing = False

    def handle(self, event: CloudEvent) -> None:
        """Take a tick, whatever its content. Raises what keeps the poll from its work."""
        started = time.monotonic()
        with self._lock:
            if self._closing:
                raise TemporaryError("tick: the poller is being closed")
            running = self._poll if self._poll and self._poll.lease.extend(self._settings.follow_seconds) else None
            poll = running or Poll(self._parts, Lease(self._settings.follow_seconds), self._poll)
            self._poll = poll
        if running:
            running.raise_trouble()
            log.info("tick extends the poll", id=event["id"], **running.summary())
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


class Lease:
    """How long a poll may follow: ticks extend it, and once it ran out it stays so."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._until = time.monotonic() + seconds
        self._over = False

    def extend(self, seconds: float) -> bool:
        """Follow for *seconds* from now; False if it is over already."""
        with self._lock:
            if not self._over:
                self._until = time.monotonic() + seconds
            return not self._over

    def is_over(self) -> bool:
        """Whether it ran out; from then on for good."""
        with self._lock:
            self._over = self._over or time.monotonic() >= self._until
            return self._over

    def end(self) -> None:
        """Let it run out now."""
        with self._lock:
            self._over = True

    def remaining_seconds(self) -> float:
        """What is left; 0 or less when it has run out."""
        return self._until - time.monotonic()


@dataclasses.dataclass
class Parts:
    """What a poller works with, and how far it has come: handed from one poll to the next."""

    settings: PollerSettings
    vcenter: VCenter
    store: Store
    open_sink: Callable[[], Sink[Position]]
    begin: datetime.datetime | None = None
    """Where the history begins for this process while no position is known (vCenter's clock)."""
    position: Position | None = None
    """The last event read."""


class Poll:
    """One stretch of polling, in two threads: the reader, and the keeper, who saves the position and renews the
    claim."""

    def __init__(self, parts: Parts, lease: Lease, previous: "Poll | None") -> None:
        """Begin, once *previous* is over."""
        self._parts = parts
        self._settings = parts.settings
        self._vcenter = parts.vcenter
        self.lease = lease
        """Until when it follows."""
        self._sink: Sink[Position] | None = None
        self._store_access = threading.Lock()
        self._saved: Position | None = None
        self._read = 0
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
            sink = self._sink
            failing = f"; the sink: {sink.failing}" if sink and sink.failing else ""
            raise TemporaryError(f"tick: not everything is delivered yet, read={self._read}{failing}; the poll goes on")

    def raise_trouble(self) -> None:
        """Raise what keeps the poll from its work at the moment, if anything does."""
        trouble = self._trouble
        if trouble is not None:
            raise trouble

    def summary(self) -> dict[str, int | None]:
        """Counts for a log line."""
        return {
            "read": self._read,
            "sent": self._sink.counts.sent if self._sink else 0,
            "checkpoint": self._saved.key if self._saved else None,
        }

    def join(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def close(self) -> None:
        """End it now, but deliver what was read, for at most `CLOSE_SECONDS`."""
        self._stopping.set()
        while self._thread.is_alive():
            self._vcenter.interrupt()  # again, since the reader may not have been waiting yet
            self._thread.join(0.2)

    # ── the reader ──

    def _run(self, previous: "Poll | None") -> None:
        if previous is not None:
            previous.join()
        done = threading.Event()
        keeper: threading.Thread | None = None
        tries = 0
        try:
            while not self._stopping.is_set():
                old_session = self._vcenter.connected
                try:
                    if self._sink is None:
                        self._begin()
                        keeper = threading.Thread(target=self._keep, args=(done,), name="keeper", daemon=True)
                        keeper.start()
                    self._follow()
                    break
                except VCenterEventsError as error:
                    if self._stopping.is_set():  # `close` interrupted it
                        break
                    self._vcenter.close()
                    if old_session:
                        # Sessions end between ticks: that is no trouble until a new one fails, too.
                        log.info("vcenter session is made anew", reason=str(error))
                        continue
                    tries = 0 if self._drained else tries
                    self._report(error)
                    if self.lease.is_over() and not self._pending():
                        break
                    self._stopping.wait(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                    tries += 1
        finally:
            self._finish(keeper, done)

    def _begin(self) -> None:
        """Take the claim and find the position: the saved one, but nothing before this process if at most once."""
        with self._store_access:
            self._parts.store.claim()
            if self._settings.replay_window_seconds > 0:
                self._parts.position = self._load()
        self._saved = self._parts.position
        self._sink = self._parts.open_sink()

    def _follow(self) -> None:
        """Read until the lease is over and there is nothing left. Raises what interrupts it."""
        self._vcenter.connect()
        with contextlib.closing(self._open_history()) as history:
            while not self._stopping.is_set():
                page = history.read()
                if page.gap:
                    log.error(
                        "events are missing: vCenter no longer holds them", first=page.gap.first, last=page.gap.last
                    )
                if page.events:
                    self._send(page.events)
                    continue
                if not self._drained:
                    self._settle()
                if self.lease.is_over():
                    self._settle()
                    return
                history.wait(max(1, min(WAIT_SECONDS, round(self.lease.remaining_seconds()))))

    def _open_history(self) -> EventHistory:
        """The history after the last event read, but not before the replay window's start."""
        parts, window = self._parts, self._settings.replay_window_seconds
        begin = self._vcenter.server_time() - datetime.timedelta(seconds=window)
        if parts.position is not None:
            begin = max(begin, parts.position.created_time) if window else parts.position.created_time
        elif not window:
            begin = parts.begin = parts.begin or begin
        return EventHistory(self._vcenter, begin, parts.position)

    def _send(self, events: list[VCenterEvent]) -> None:
        assert self._sink is not None  # noqa: S101 - opened before anything is read
        source, version = self._settings.vcenter.sdk_url, self._vcenter.api_version
        self._sink.send(
            [
                Delivery(to_cloudevent(event, source, version, self._settings.encoding), subject(event), event.position)
                for event in events
            ]
        )
        self._read += len(events)
        self._parts.position = events[-1].position

    def _settle(self) -> None:
        """Wait until everything read is delivered and saved: only then is a poll drained, or may it end."""
        assert self._sink is not None  # noqa: S101 - opened before anything is read
        while not self._sink.wait_idle(0.5):
            if self._stopping.is_set():
                return
        self._save()
        with self._state:
            if self._trouble:
                log.info("poll goes on", **self.summary())
            self._drained, self._trouble = True, None
            self._state.notify_all()

    def _finish(self, keeper: threading.Thread | None, done: threading.Event) -> None:
        self.lease.end()
        if self._sink is not None:
            self._sink.close(CLOSE_SECONDS)
        done.set()
        if keeper is not None:
            keeper.join()
        try:
            self._save()
            with self._store_access:
                self._parts.store.release()
        except VCenterEventsError as error:
            log.error("position not saved", error=str(error))
        log.info("poll ended", pending=self._pending(), **self.summary())
        with self._state:
            self._ended = True
            self._state.notify_all()

    def _pending(self) -> int:
        return self._sink.pending if self._sink is not None else 0

    def _report(self, error: VCenterEventsError) -> None:
        if str(error) != str(self._trouble):
            log.warning("poll is held up, trying on", error=str(error))
        with self._state:
            self._drained, self._trouble = False, error
            self._state.notify_all()

    # ── the checkpoint ──

    def _load(self) -> Position | None:
        """The saved position; None, and the record set aside, if it is not one of this vCenter."""
        store = self._parts.store
        record = store.load()
        if record is None:
            return None
        name = vcenter_name(self._settings.vcenter.url)
        try:
            checkpoint = decode(record)
            if checkpoint.vcenter not in ("", name):
                raise CheckpointUnreadable(f"the checkpoint is of {checkpoint.vcenter}, not of {name}")
        except CheckpointUnreadable as error:
            where = store.set_aside(record)
            log.error("checkpoint not usable, starting from the replay window", error=str(error), kept=where)
            return None
        log.info("checkpoint continued", key=checkpoint.position.key, time=checkpoint.position.created_time)
        return checkpoint.position

    def _save(self) -> None:
        """Save the acknowledged position, if it moved. Raises what the store raises."""
        with self._store_access:
            position = self._sink.acknowledged if self._sink is not None else None
            if position is None or position == self._saved:
                return
            now = datetime.datetime.now(datetime.UTC)
            self._parts.store.save(encode(Checkpoint(vcenter_name(self._settings.vcenter.url), position), now))
            self._saved = position

    def _keep(self, done: threading.Event) -> None:
        """Save soon after the position moves, and renew the claim, until *done*. A lost claim ends the poll."""
        assert self._sink is not None  # noqa: S101 - it runs after `_begin`
        pause = min(self._settings.checkpoint_period_seconds, self._parts.store.pause_seconds)
        renewed = time.monotonic()
        while not done.is_set():
            moved = self._sink.wait_beyond(self._saved, CLAIM_SECONDS / 5) not in (None, self._saved)
            try:
                if moved:
                    self._save()
                    renewed = time.monotonic()
                elif time.monotonic() - renewed > CLAIM_SECONDS / 3:
                    with self._store_access:
                        self._parts.store.claim()
                    renewed = time.monotonic()
            except ClaimHeld as error:
                log.error("claim lost, this poller stops sending", error=str(error))
                self._stopping.set()
                self._report(error)
                self._sink.close(0)
                return
            except VCenterEventsError as error:
                log.warning("position not saved, trying on", error=str(error))
                done.wait(RETRY_SECONDS[0])
            done.wait(pause)
