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
from collections.abc import Callable, Iterator

import structlog
from cloudevents.http import CloudEvent
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from functions import Environ
from pipeline import notice
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
from pipeline.sink import Counts, Delivery, Sink, SinkClosed
from pipeline.vcenter import EventHistory, VCenter, VCenterRefused, VCenterUnavailable, check_selection

log = structlog.get_logger()

ENCODE_EVENTS = 50
"""Events encoded and handed over at once."""
WAIT_SECONDS = 5
"""How long the server holds one wait for new events; a poll that is to end may take so long to notice."""
ANSWER_SECONDS = 25.0
"""A tick whose poll is not drained by then is answered 503; the poll goes on."""
CLOSE_SECONDS = 8.0
"""What delivery may take on SIGTERM, of the process's 10 s."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Waits between tries to reach vCenter or the store; the last repeats."""


NOTICE_SECONDS = 60.0
"""Refused events are told of at most so often, with their number: a notice an event would be a second flood."""


def create(environ: Environ) -> "Poller":
    """The poller of the settings in *environ*, polling already unless it only drains. Raises `SettingsError`."""
    settings = read(PollerSettings, environ)
    check_selection(settings.vcenter)
    counts = Counts()
    at_most_once = settings.replay_window_seconds == 0

    def open_sink() -> Sink[Position]:
        return Sink(settings.sink, at_most_once, counts)

    parts = Parts(settings, VCenter(settings.vcenter), open_store(settings.checkpoint), open_sink, counts)
    poller = Poller(parts)
    if settings.follow_seconds > 0:
        poller.begin()
    return poller


class Poller:
    """One vCenter's history to one sink, by ticks."""

    def __init__(self, parts: "Parts") -> None:
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

    def begin(self) -> tuple["Poll", bool]:
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
    counts: Counts
    begin: datetime.datetime | None = None
    """Where the history begins for this process while no position is known (vCenter's clock)."""
    position: Position | None = None
    """The last event read."""
    saved: Position | None = None
    """The checkpoint, as it is in the store."""
    read: int = 0
    """Events read since the process started."""
    sink: Sink[Position] | None = None
    """Where the running poll sends; None between polls."""
    unreachable_since: datetime.datetime | None = None
    """When vCenter was lost (our clock); None while it can be read."""
    told_unreachable: bool = False
    """Whether a notice said so."""


class Metrics(Collector):
    """What `/metrics` shows, read from the parts when it is asked for; nothing is counted twice."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """The metrics, in Prometheus' terms: totals count up from the process's start."""
        parts, counts = self._parts, self._parts.counts
        for name, text, value in (
            ("read", "Events read from vCenter", parts.read),
            ("sent", "Events that the sink acknowledged", counts.sent),
            ("retried", "Tries after the first", counts.retried),
            ("dead_lettered", "Events that the dead-letter sink acknowledged", counts.dead_lettered),
            ("refused", "Events refused for good with no dead-letter sink set", counts.refused),
        ):
            yield CounterMetricFamily(f"vcenter_events_{name}", text, value)
        sink = parts.sink
        oldest = sink.oldest_open if sink else None
        now = datetime.datetime.now(datetime.UTC) + parts.vcenter.clock_lead
        for name, text, gauge in (
            ("vcenter_events_pending", "Events read and not yet acknowledged", sink.pending if sink else 0),
            ("vcenter_events_lag_seconds", "Age of the oldest event not yet acknowledged", _age(oldest, now) or 0),
            ("vcenter_checkpoint_age_seconds", "Age of the event that the checkpoint names", _age(parts.saved, now)),
            ("vcenter_session_up", "Whether there is a session with vCenter", int(parts.vcenter.connected)),
            ("vcenter_sink_failing", "Whether the sink does not take events now", int(bool(sink and sink.failing))),
        ):
            if gauge is not None:
                yield GaugeMetricFamily(name, text, gauge)


def _age(position: Position | None, now: datetime.datetime) -> float | None:
    return max(0.0, (now - position.created_time).total_seconds()) if position else None


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
                except Exception as error:  # noqa: BLE001 - polling goes on whatever happens; `_report` logs it
                    if self._stopping.is_set():  # `close` interrupted it
                        break
                    self._vcenter.close()
                    if old_session and isinstance(error, VCenterEventsError):
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
        self._parts.saved = self._parts.position
        self._parts.sink = self._sink = self._parts.open_sink()

    def _follow(self) -> None:
        """Read until the lease is over and there is nothing left. Raises what interrupts it."""
        self._vcenter.connect()
        with contextlib.closing(self._open_history()) as history:
            self._tell_recovered()
            while not self._stopping.is_set():
                page = history.read()
                if page.gap:
                    log.error("events are missing: vCenter holds them no longer", **dataclasses.asdict(page.gap))
                    self._tell(notice.gap(self._source, page.gap.first, page.gap.last, _now()))
                if page.events:
                    self._send(page.events)
                    continue
                if not self._drained:
                    self._settle()
                if self.lease.is_over():
                    self._settle()
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

    def _send(self, events: list[VCenterEvent]) -> None:
        assert self._sink is not None  # noqa: S101 - opened before anything is read
        version, encoding = self._vcenter.api_version, self._settings.encoding
        # In parts, so that the first events are on their way while the next ones are encoded.
        for start in range(0, len(events), ENCODE_EVENTS):
            part = events[start : start + ENCODE_EVENTS]
            self._sink.send(
                [
                    Delivery(to_cloudevent(event, self._source, version, encoding), subject(event), event.position)
                    for event in part
                ]
            )
            self._parts.read += len(part)
            self._parts.position = part[-1].position

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
        self._parts.sink = None
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

    def _report(self, error: Exception) -> None:
        if not isinstance(error, VCenterEventsError):
            log.error("poll failed unexpectedly, trying on", exc_info=error)
            error = TemporaryError(f"poll: unexpected {type(error).__name__}; the log has it")
        elif str(error) != str(self._trouble):
            log.warning("poll is held up, trying on", error=str(error))
        if isinstance(error, VCenterUnavailable | VCenterRefused):
            self._tell_unreachable(str(error))
        with self._state:
            self._drained, self._trouble = False, error
            self._state.notify_all()

    # ── notices ──

    @property
    def _source(self) -> str:
        return self._settings.vcenter.sdk_url

    def _tell(self, event: CloudEvent) -> None:
        """Send a notice in the history's order; it moves the position nowhere."""
        if self._sink is not None:
            with contextlib.suppress(SinkClosed):
                self._sink.send([Delivery(event, event["type"], None)])

    def _tell_unreachable(self, reason: str) -> None:
        """Once an outage, and not for one that the first retry ends."""
        parts = self._parts
        if parts.unreachable_since is None:
            parts.unreachable_since = _now()
        elif not parts.told_unreachable:
            parts.told_unreachable = True
            self._tell(notice.unreachable(self._source, parts.unreachable_since, reason))

    def _tell_recovered(self) -> None:
        parts = self._parts
        if parts.unreachable_since is not None and parts.told_unreachable:
            self._tell(notice.recovered(self._source, parts.unreachable_since, _now()))
        parts.unreachable_since, parts.told_unreachable = None, False

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
            if position is None or position == self._parts.saved:
                return
            record = Checkpoint(vcenter_name(self._settings.vcenter.url), position)
            self._parts.store.save(encode(record, _now()))
            self._parts.saved = position

    def _keep(self, done: threading.Event) -> None:
        """Save soon after the position moves, and renew the claim, until *done*. A lost claim ends the poll."""
        assert self._sink is not None  # noqa: S101 - it runs after `_begin`
        pause = min(self._settings.checkpoint_period_seconds, self._parts.store.pause_seconds)
        renewed = time.monotonic()
        refusals = Refusals(self._parts.counts)
        while not done.is_set():
            moved = self._sink.wait_beyond(self._parts.saved, CLAIM_SECONDS / 5) not in (None, self._parts.saved)
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
            number = refusals.due()
            refusal = self._sink.last_refusal
            if number and refusal:
                self._tell(notice.undeliverable(self._source, number, refusal.id, refusal.type, refusal.reason, _now()))
            done.wait(pause)


class Refusals:
    """When the number of refused events is to be told: at the first one, then at most every `NOTICE_SECONDS`."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._told = counts.undelivered
        self._told_at = -NOTICE_SECONDS

    def due(self) -> int:
        """How many to tell of now; 0 if it is too soon, or there are none."""
        number = self._counts.undelivered - self._told
        if not number or time.monotonic() - self._told_at < NOTICE_SECONDS:
            return 0
        self._told, self._told_at = self._counts.undelivered, time.monotonic()
        return number


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
