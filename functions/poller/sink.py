"""Deliver CloudEvents over HTTP, in order for every entity, and know what was acknowledged.

Delivery runs in a thread of its own (uvloop with aiohttp). An event's entity picks its lane; a lane sends
one event at a time, so events of one entity arrive in order, and lanes overlap. What the sink cannot take now is
tried again, with exponential backoff and jitter; what it refuses for good goes to the dead-letter sink. A bounded
window holds back the reader, so memory is bounded however slow the sink is.

A sink that holds events in memory loses what it acknowledged when it is killed. So what it took shortly before it
broke, and until its last failure, is sent again: once, whatever comes back, or a sink that fails now and then would
get floods.
"""

import asyncio
import base64
import dataclasses
import datetime
import email.utils
import random
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

import aiohttp
import structlog
import uvloop

from functions.poller.acknowledgements import AcknowledgedPrefix
from functions.poller.settings import SinkSettings
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError, cut

log = structlog.get_logger()

P = TypeVar("P")

TEMPORARY_STATUSES = frozenset({401, 403, 404, 407, 408, 409, 425, 429})
"""Besides 5xx: not this event's fault. 404 is what Knative answers while a pod starts; 401 and 403 are a closed
gate."""
RETRY_AFTER_MOST_SECONDS = 300.0
"""A sink that asks for more patience is asked again nevertheless."""
ERROR_BODY_BYTES = 1024
"""What of an error's body is kept, as Knative does for `knativeerrordata`."""


_PLAIN = re.compile(r"[!#$&-~]*").fullmatch
"""Nothing in it needs percent-encoding: printable ASCII without space, double quote and percent sign."""


BREAK_SECONDS = 1.0
"""A sink that did not fail for so long is no longer breaking."""
BREAK_TRIES = 3
"""Later failures of an event tell of that event: one that is refused for ever is not a sink that breaks for ever."""


class SinkClosed(TemporaryError):
    """The sink takes no more events, because it is being closed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery(Generic[P]):
    """One event on its way."""

    event: CloudEvent
    """Its data are bytes."""
    entity: str
    """What it is about; events of one entity keep their order."""
    position: P | None
    """Where the reader is once this event and all before it are acknowledged; None if that moves nowhere."""
    again: bool = False
    """Whether the sink took it before."""


@dataclasses.dataclass
class Counts:
    """What happened since the start, in events."""

    sent: int = 0
    """Acknowledged by the sink."""
    retried: int = 0
    """Tries after the first."""
    resent: int = 0
    """Sent again after the sink broke, though it had acknowledged them."""
    dead_lettered: int = 0
    """Acknowledged by the dead-letter sink."""
    refused: int = 0
    """Refused for good with no dead-letter sink set: logged whole."""

    @property
    def undelivered(self) -> int:
        """What the sink refused for good, wherever it went instead."""
        return self.dead_lettered + self.refused


@dataclasses.dataclass(frozen=True)
class Refusal:
    """The last event that the sink refused for good."""

    id: str
    type: str
    reason: str


@dataclasses.dataclass(frozen=True)
class _Failure:
    """Why an event was not taken."""

    reason: str
    code: int = 0
    """The HTTP status; 0 if there was no answer."""
    data: bytes = b""
    """The beginning of the answer's body."""
    retry_after_seconds: float = 0.0
    timed_out: bool = False

    @property
    def for_good(self) -> bool:
        return 300 <= self.code < 500 and self.code not in TEMPORARY_STATUSES

    @property
    def broken(self) -> bool:
        """Whether what holds the events may be gone: a connection that is not taken tells of the sink's front only."""
        return self.code >= 500 or self.timed_out


@dataclasses.dataclass(frozen=True, slots=True)
class _Taken(Generic[P]):
    """What the sink acknowledged, and when it was asked and answered (monotonic)."""

    begun: float
    answered: float
    delivery: Delivery[P]


@dataclasses.dataclass
class _Break:
    """A time in which the sink failed (monotonic): since a request of `first`, until `last`."""

    first: float
    ticket: int
    """What holds the acknowledged position meanwhile."""
    last: float = 0.0


class Sink(Generic[P]):
    """Where events go. `send` and the waiting methods are called by the reader's thread."""

    def __init__(self, settings: SinkSettings, at_most_once: bool = False, counts: Counts | None = None) -> None:
        """*at_most_once*: an event is tried once, and is settled whatever comes back. *counts* are gone on with."""
        self._settings = settings
        self._at_most_once = at_most_once
        self._lock = threading.Condition()
        self._prefix: AcknowledgedPrefix[P] = AcknowledgedPrefix()
        self._closing = False
        self._lanes: list[deque[tuple[int, Delivery[P]]]] = [deque() for _ in range(settings.concurrency)]
        self._wake: list[asyncio.Event] = []
        self._taken: deque[_Taken[P]] = deque(maxlen=settings.max_in_flight)
        """What may have to be sent again, in the order of the answers."""
        self._break: _Break | None = None
        self._ready = threading.Event()
        self._stopped: asyncio.Event
        self.counts = counts or Counts()
        self.last_refusal: Refusal | None = None
        self.failing = ""
        """Why the sink does not take events at the moment, in words; "" while it does."""
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def acknowledged(self) -> P | None:
        """The last position up to which every event was acknowledged."""
        with self._lock:
            return self._prefix.position

    @property
    def pending(self) -> int:
        """Events that were given to `send` and lie beyond the acknowledged position."""
        with self._lock:
            return len(self._prefix)

    @property
    def oldest_open(self) -> P | None:
        """The position of the first event that is not acknowledged; None if all are."""
        with self._lock:
            return self._prefix.oldest_open

    def send(self, deliveries: Sequence[Delivery[P]]) -> None:
        """Take *deliveries* in the history's order; waits while the window is full.

        Raises `SinkClosed` when the sink is closed meanwhile; events that it did not take are then not acknowledged.
        """
        chunk = max(1, min(100, self._settings.max_in_flight // 4))
        for start in range(0, len(deliveries), chunk):
            part = deliveries[start : start + chunk]
            with self._lock:
                self._lock.wait_for(lambda: self._has_room(len(part)))  # noqa: B023 - called at once
                if self._closing:
                    raise SinkClosed("send events: the sink is being closed")
                tickets = [self._prefix.add(delivery.position) for delivery in part]
            self._loop.call_soon_threadsafe(self._enqueue, list(zip(tickets, part, strict=True)))

    def _has_room(self, count: int) -> bool:
        return self._closing or len(self._prefix) + count <= self._settings.max_in_flight

    def wait_idle(self, seconds: float) -> bool:
        """Wait until everything is acknowledged, at most *seconds*; whether it is."""
        with self._lock:
            return self._lock.wait_for(lambda: self._closing or not len(self._prefix), seconds) and not len(
                self._prefix
            )

    def wait_beyond(self, position: P | None, seconds: float) -> P | None:
        """Wait until the acknowledged position is another than *position*, at most *seconds*; returns it."""
        with self._lock:
            self._lock.wait_for(lambda: self._closing or self._prefix.position is not position, seconds)
            return self._prefix.position

    def close(self, seconds: float) -> None:
        """Let what is under way arrive, for at most *seconds*, and stop. What did not arrive stays unacknowledged."""
        self.wait_idle(seconds)
        with self._lock:
            first, self._closing = not self._closing, True
            self._lock.notify_all()
        if first:
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    # ── the loop's thread ──

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        connector = aiohttp.TCPConnector(limit=self._settings.concurrency, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._wake = [asyncio.Event() for _ in self._lanes]
            self._stopped = asyncio.Event()
            workers = [asyncio.create_task(self._serve_lane(session, lane)) for lane in range(len(self._lanes))]
            self._ready.set()
            await self._stopped.wait()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _enqueue(self, entries: list[tuple[int, Delivery[P]]]) -> None:
        for ticket, delivery in entries:
            lane = zlib.crc32(delivery.entity.encode("utf-8", "replace")) % len(self._lanes)
            self._lanes[lane].append((ticket, delivery))
            self._wake[lane].set()

    def _remember(self, delivery: Delivery[P], begun: float) -> None:
        """Keep what the sink took, in a request of *begun*, for as long as it may have to be sent again."""
        if not self._settings.resend_seconds or self._at_most_once or delivery.again:
            return
        moment = time.monotonic()
        self._taken.append(_Taken(begun, moment, delivery))
        earliest = (self._break.first if self._break else moment) - self._settings.resend_seconds
        while self._taken[0].answered < earliest:
            self._taken.popleft()

    def _broke(self, begun: float) -> None:
        """The sink failed a request of *begun*: what it took lately may be gone. It is sent again once that is over."""
        if not self._settings.resend_seconds or self._at_most_once:
            return
        if self._break is None:
            with self._lock:
                ticket = self._prefix.add(None)  # until then no later position is saved
            self._break = _Break(begun, ticket)
            self._loop.call_later(BREAK_SECONDS, self._send_again)
        self._break.last = time.monotonic()

    def _send_again(self) -> None:
        """Send again what the sink took from `resend_seconds` before it broke to its last failure, once that is
        `BREAK_SECONDS` ago."""
        over, now = self._break, time.monotonic()
        if over is None:
            return
        if over.last + BREAK_SECONDS > now:
            self._loop.call_later(over.last + BREAK_SECONDS - now, self._send_again)
            return
        earliest = over.first - self._settings.resend_seconds
        doubtful = [each.delivery for each in self._taken if each.answered >= earliest and each.begun <= over.last]
        well = [each for each in self._taken if each.begun > over.last]
        self._taken = deque(well, self._settings.max_in_flight)
        self._break = None
        with self._lock:
            tickets = [self._prefix.add(None) for _ in doubtful]
            self._prefix.acknowledge(over.ticket)
            self._lock.notify_all()
        if doubtful:
            log.warning("sink broke: what it took shortly before is sent again", events=len(doubtful))
            self.counts.resent += len(doubtful)
            again = [dataclasses.replace(each, position=None, again=True) for each in doubtful]
            self._enqueue(list(zip(tickets, again, strict=True)))

    async def _serve_lane(self, session: aiohttp.ClientSession, number: int) -> None:
        lane, wake = self._lanes[number], self._wake[number]
        while True:
            while not lane:
                wake.clear()
                await wake.wait()
            ticket, delivery = lane.popleft()
            await self._deliver(session, delivery)
            with self._lock:
                if self._prefix.acknowledge(ticket):
                    self._lock.notify_all()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery[P]) -> None:
        """Return once *delivery* is settled: taken by the sink, or by the dead-letter sink, or refused and logged."""
        event = delivery.event
        failure = await self._insist(session, self._settings.url, event, self._settings.overrides, self._is_hopeless)
        if not isinstance(failure, _Failure):
            self.counts.sent += 1
            self._remember(delivery, failure)
            return
        self.last_refusal = Refusal(event["id"], event["type"], failure.reason)
        if self._settings.dead_letter_url is None:
            self.counts.refused += 1
            log.error(
                "event refused for good and no dead-letter sink is set",
                id=event["id"],
                type=event["type"],
                error=failure.reason,
                attributes=dict(event.attributes),
                data=event.data.decode("utf-8", "replace"),
            )
            return
        log.warning("event goes to the dead-letter sink", id=event["id"], type=event["type"], error=failure.reason)
        extensions = {
            **self._settings.overrides,
            "knativeerrordest": self._settings.url,
            "knativeerrorcode": str(failure.code or 500),
            "knativeerrordata": base64.b64encode(failure.data or failure.reason.encode()).decode(),
        }
        await self._insist(session, self._settings.dead_letter_url, event, extensions, lambda *_: False)
        self.counts.dead_lettered += 1

    def _is_hopeless(self, failure: _Failure, tries: int) -> bool:
        """Whether the sink will not take the event: it said so, or, with a dead-letter sink, said an error too often.

        A sink that does not answer at all is down for every event, and is waited for.
        """
        if self._at_most_once:
            return True
        tried_enough = self._settings.dead_letter_url is not None and tries >= self._settings.max_attempts
        return failure.for_good or (failure.code != 0 and tried_enough)

    async def _insist(
        self,
        session: aiohttp.ClientSession,
        url: str,
        event: CloudEvent,
        extensions: Mapping[str, str],
        hopeless: Callable[[_Failure, int], bool],
    ) -> _Failure | float:
        """Post *event* until it is taken, in a request begun at the moment (monotonic) that is returned, or until it is
        *hopeless*."""
        headers = binary_headers(event, extensions)
        tries = 0
        while True:
            begun = time.monotonic()
            failure = await _post(session, url, headers, event.data)
            tries += 1
            if failure is None:
                if self.failing and url == self._settings.url:
                    log.info("sink takes events again", url=url)
                    self.failing = ""
                return begun
            if failure.broken and tries <= BREAK_TRIES and url == self._settings.url:
                self._broke(begun)
            if hopeless(failure, tries):
                return failure
            if not self.failing:
                log.warning("sink does not take events, trying on", url=url, id=event["id"], error=failure.reason)
            self.failing = failure.reason
            self.counts.retried += 1
            await asyncio.sleep(max(failure.retry_after_seconds, self._backoff_seconds(tries)))

    def _backoff_seconds(self, tries: int) -> float:
        longest = min(self._settings.max_backoff_seconds, self._settings.backoff_seconds * 2.0 ** min(tries - 1, 30))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret


def binary_headers(event: CloudEvent, extensions: Mapping[str, str]) -> dict[str, str]:
    """The headers of *event*, with *extensions* added, in the HTTP binding's binary mode."""
    headers: dict[str, str] = {}
    for name, value in (*event.attributes.items(), *extensions.items()):
        if name == "datacontenttype":
            headers["content-type"] = value
        else:
            headers[f"ce-{name}"] = header_value(value)
    return headers


def header_value(value: object) -> str:
    """An attribute's value in a header: all but printable ASCII, and `"`, `%` and space, percent-encoded (HTTP
    binding 3.1.3.2)."""
    text = str(value)
    return text if _PLAIN(text) else quote(text, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", errors="replace")


async def _post(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes) -> _Failure | None:
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            if 200 <= response.status < 300:
                await response.read()
                return None
            data = await response.content.read(ERROR_BODY_BYTES)
            return _Failure(
                f"POST {url}: {response.status} {cut(data.decode('utf-8', 'replace'), 200)}".rstrip(),
                response.status,
                data,
                _retry_after_seconds(response.headers.get("Retry-After", "")),
            )
    except TimeoutError:
        return _Failure(f"POST {url}: no answer in {session.timeout.total:g} s", timed_out=True)
    except (aiohttp.ClientError, OSError) as error:
        return _Failure(f"POST {url}: {cut(str(error)) or type(error).__name__}")


def _retry_after_seconds(value: str) -> float:
    """Seconds to wait by a `Retry-After` header: a number of seconds or a date; 0 for anything else."""
    if value.isdigit():
        return min(float(value), RETRY_AFTER_MOST_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return min(max(0.0, moment.timestamp() - time.time()), RETRY_AFTER_MOST_SECONDS)
