"""The Broker: an ingress that takes CloudEvents, and for each Trigger a dispatcher that delivers what it selects.

One HTTP server for every Broker, at `/<namespace>/<name>`. As with Knative's InMemoryChannel and its annotation
`async-handler`, an event is acknowledged (202) when it is accepted, not when it is delivered, and nothing survives a
restart. Unlike there, memory is bounded: what is accepted and not yet settled has a limit in number and bytes, and
beyond it the ingress answers 429.
"""

import asyncio
import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import aiohttp
import structlog
from aiohttp import web

from local.delivery import LONGEST_REASON_BYTES, Failure, Retries, dead_letter
from local.event import REPLY, Event, from_http, to_http
from local.objects import Name
from pipeline.cloudevents import NotACloudEvent, is_event
from pipeline.errors import cut
from pipeline.filter import Matches

log = structlog.get_logger()

Outcome = TypeVar("Outcome")

TTL = "knativebrokerttl"
FIRST_TTL = 255
"""How often an event may pass through a Broker as a reply to itself, before it counts as a loop."""

ANSWER_BYTES = 16 * 1024 * 1024
"""How much of a subscriber's answer is taken into memory."""

SERVING_SECONDS = 300.0
"""How long Knative Serving lets a request to a Service last; it ends one without a `timeout`, with 504."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a Broker holds and does at once."""

    events: int = 20_000
    """Accepted events that are not yet delivered or given up."""
    bytes: int = 128 * 1024 * 1024
    """The same in bytes; one event can be no larger."""
    requests: int = 32
    """Requests under way for each Trigger. Waiting to retry is none, so a broken event does not block the others."""


@dataclasses.dataclass(frozen=True)
class Subscription:
    """A Trigger with its addresses resolved."""

    name: Name
    matches: Matches
    url: str
    retries: Retries = dataclasses.field(default_factory=Retries)
    dead_letter_url: str = ""
    """Where an event goes that could not be delivered; "" drops it, with a log line."""


@dataclasses.dataclass
class Counts:
    """What happened at a Broker since it was started."""

    received: int = 0
    """Events accepted."""
    refused: int = 0
    """Events answered 429 because the Broker was full."""
    delivered: int = 0
    """Deliveries that a subscriber took."""
    failed: int = 0
    """Deliveries given up after all retries."""
    dead_lettered: int = 0
    """Of those, the ones that the dead-letter sink took."""
    pending: int = 0
    """Accepted events that are not settled at every Trigger yet."""


class Broker:
    """One Broker: accepts events, and has its Triggers' dispatchers deliver them."""

    def __init__(
        self, url: str, subscriptions: Sequence[Subscription], session: aiohttp.ClientSession, limits: Limits
    ) -> None:
        self.url = url
        self.counts = Counts()
        self._limits = limits
        self._bytes = 0
        self._dispatchers = [Dispatcher(each, url, session, limits.requests, self.counts) for each in subscriptions]
        self._deliveries: set[asyncio.Task[None]] = set()

    def accept(self, event: Event) -> bool:
        """Take *event* for delivery; False if the Broker is full."""
        size = event.size()
        if self.counts.pending >= self._limits.events or self._bytes + size > self._limits.bytes:
            self.counts.refused += 1
            return False
        self.counts.received += 1
        seen = event.with_attributes(**{TTL: None}).attributes
        selected = [dispatcher for dispatcher in self._dispatchers if dispatcher.subscription.matches(seen)]
        if selected:
            self.counts.pending += 1
            self._bytes += size
            task = asyncio.create_task(self._settle(event, selected, size))
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)
        return True

    async def close(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _settle(self, event: Event, dispatchers: Sequence["Dispatcher"], size: int) -> None:
        try:
            await asyncio.gather(*(dispatcher.deliver(event) for dispatcher in dispatchers))
        finally:
            self.counts.pending -= 1
            self._bytes -= size


class Dispatcher:
    """Delivers one Trigger's events: to its subscriber, replies to the Broker, what failed to the dead letters."""

    def __init__(
        self, subscription: Subscription, broker_url: str, session: aiohttp.ClientSession, requests: int, counts: Counts
    ) -> None:
        """*requests* is how many may be under way at once; *counts* is the Broker's, to add to."""
        self.subscription = subscription
        self._broker_url = broker_url
        self._session = session
        self._slots = asyncio.Semaphore(requests)
        self._counts = counts

    async def deliver(self, event: Event) -> None:
        """Deliver *event*, however often that must be tried, or give it up."""
        url, outcome = self.subscription.url, await self._retried(lambda: self._call(event))
        if not isinstance(outcome, Failure):
            self._counts.delivered += 1
        if isinstance(outcome, Event):
            # The reply inherits the time to live, which the ingress then lowers: that ends loops.
            reply = outcome.with_attributes(**{TTL: event.attributes[TTL]})
            url, outcome = self._broker_url, await self._retried(lambda: self._pass_on(reply, self._broker_url))
        if isinstance(outcome, Failure):
            self._counts.failed += 1
            await self._give_up(event, url, outcome)

    async def _give_up(self, event: Event, url: str, failure: Failure) -> None:
        """Report what *url* did not take, and send it to the dead-letter sink if there is one."""
        told = {"trigger": str(self.subscription.name), "id": event.attributes["id"], "to": url}
        answer = cut(failure.body.decode(errors="replace"))
        log.warning("event not delivered", **told, status=failure.status, answer=answer)
        if len(failure.body) > LONGEST_REASON_BYTES:
            log.error("answer longer than Knative's dispatcher survives", **told, most_bytes=LONGEST_REASON_BYTES)
        sink = self.subscription.dead_letter_url
        if not sink:
            log.error("event lost: there is no dead-letter sink", **told)
            return
        letter = dead_letter(event, url, failure)
        refusal = await self._retried(lambda: self._pass_on(letter, sink))
        if refusal is None:
            self._counts.dead_lettered += 1
        else:
            log.error("event lost: the dead-letter sink failed, too", **told, sink=sink, status=refusal.status)

    async def _retried(self, attempt: Callable[[], Awaitable[Outcome | Failure]]) -> Outcome | Failure:
        """What *attempt* comes to, repeated as the delivery spec says while it fails in a way that may pass."""
        retries = self.subscription.retries
        for retries_done in range(retries.maximum):
            outcome = await attempt()
            if not isinstance(outcome, Failure) or not outcome.is_retried():
                return outcome
            await asyncio.sleep(retries.pause_seconds(retries_done))
        return await attempt()

    async def _call(self, event: Event) -> Event | Failure | None:
        """Send to the subscriber, once: its reply, None if it has none, or a failure."""
        sent = event.with_attributes(**{TTL: None})
        answer = await self._post(
            self.subscription.url, *to_http(sent, structured=self.subscription.retries.structured)
        )
        if not answer.is_success():
            # A 304 comes without a reason on Knative, which loses it on the way from its filter to its dispatcher.
            return Failure(answer.status, answer.body, answer.described and answer.status != 304)
        if not answer.body and not is_event(answer.headers):
            return None
        try:
            return from_http(answer.headers, answer.body, REPLY)
        except NotACloudEvent as error:
            # Knative's filter turns a success that says something else than an event into 502, and it is retried.
            reason = f"the response {answer.status} has a body that is {error}"
            return Failure(502, reason.encode(), described=False)

    async def _pass_on(self, event: Event, url: str) -> Failure | None:
        """Send to a dead-letter sink or back to the Broker, once; what a success says does not matter."""
        answer = await self._post(url, *to_http(event))
        return None if answer.is_success() else Failure(answer.status, answer.body)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> "_Answer":
        timeout = self.subscription.retries.timeout_seconds
        limit = aiohttp.ClientTimeout(total=timeout or SERVING_SECONDS)
        try:
            async with (
                self._slots,
                self._session.post(url, data=body, headers={**headers, **_ASKED}, timeout=limit) as response,
            ):
                return _Answer(response.status, response.headers, await _read(response))
        except TimeoutError:
            if timeout is None:
                return _Answer(504, {}, b"request timeout")
            return _Answer(500, {}, b"dispatch error: timeout", described=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: no header can hold an attribute
            return _Answer(500, {}, f"dispatch error: {error}".encode())


_ASKED = {"prefer": "reply"}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ValueError if it is longer than any reply should be."""
    body = bytearray()
    async for part in response.content.iter_chunked(64 * 1024):
        body += part
        if len(body) > ANSWER_BYTES:
            raise ValueError(f"the answer is longer than {ANSWER_BYTES} bytes")
    return bytes(body)


class _Answer(NamedTuple):
    """What came back from a POST; status 500 if nothing did."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    described: bool = True

    def is_success(self) -> bool:
        return 200 <= self.status < 300


class BrokerServer:
    """The ingress of every Broker, and the connections over which they deliver. Lives in one event loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._brokers: dict[Name, Broker] = {}
        self._address = ""
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; *port* 0 picks a free one."""
        # A Trigger's own limit bounds the connections. No Content-Type is made up for an event without data.
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, skip_auto_headers=["Content-Type"])
        application = web.Application(client_max_size=self._limits.bytes)
        application.router.add_route("*", "/{path:.*}", self._ingress)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections to subscribers and sinks, once `start` was called."""
        if self._session is None:
            raise RuntimeError("the Broker's server is not started")
        return self._session

    def url(self, name: Name) -> str:
        """Where the Broker *name* takes events."""
        return f"{self._address}/{name.namespace}/{name.name}"

    def add(self, name: Name, subscriptions: Sequence[Subscription]) -> Broker:
        """Open the Broker *name*, whose events go to *subscriptions*."""
        self._brokers[name] = Broker(self.url(name), subscriptions, self.session, self._limits)
        return self._brokers[name]

    def counts(self) -> dict[Name, Counts]:
        """What happened so far, by Broker."""
        return {name: dataclasses.replace(broker.counts) for name, broker in self._brokers.items()}

    async def close(self) -> None:
        """Stop listening, and drop what is not delivered yet; also when `start` did not get to its end."""
        if self._runner is not None:
            await self._runner.cleanup()
        for broker in self._brokers.values():
            await broker.close()
        if self._session is not None:
            await self._session.close()

    async def _ingress(self, request: web.Request) -> web.Response:
        """Answer as `pkg/broker/ingress` does, and say why."""
        if request.method == "OPTIONS":
            return web.Response(headers={**_ALLOW, "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})
        if request.method != "POST":
            return web.Response(status=405, headers=_ALLOW, text="a Broker takes POST only\n")
        parts = request.raw_path.removesuffix("/").split("/")
        if parts == [""]:
            return web.Response(status=404, text="a Broker is at /<namespace>/<name>\n")
        if len(parts) != 3:
            return web.Response(status=400, text=f"a Broker is at /<namespace>/<name>, not at {request.raw_path}\n")
        try:
            event = _arrived(from_http(request.headers, await request.read()))
        except NotACloudEvent as error:
            return web.Response(status=400, text=f"{error}\n")
        broker = self._brokers.get(Name(parts[1], parts[2]))
        if broker is None:
            return web.Response(status=404, text=f"there is no Broker {parts[1]}/{parts[2]}\n")
        if event.attributes[TTL] == "0":
            return web.Response(status=400, text=f"the event went round {FIRST_TTL} times; dropped as a loop\n")
        if not broker.accept(event):
            return web.Response(status=429, headers={"Retry-After": "1"}, text="the Broker is full; try again\n")
        return web.Response(status=202)


_ALLOW = {"Allow": "POST, OPTIONS"}


def _arrived(event: Event) -> Event:
    """*event* with what the ingress adds: when it came, and how often it may still come back."""
    now = datetime.datetime.now(datetime.UTC)
    arrival = f"{now:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"
    try:
        ttl = max(0, int(event.attributes[TTL]) - 1)
    except (KeyError, ValueError):
        ttl = FIRST_TTL
    return event.with_attributes(**{"knativearrivaltime": arrival, TTL: str(ttl)})
