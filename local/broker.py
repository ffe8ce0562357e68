"""The Broker: an ingress that accepts CloudEvents, and for each Trigger a dispatcher that delivers those it selects.

One HTTP server serves every Broker, at `/<namespace>/<name>`. As with Knative's InMemoryChannel and its annotation
`async-handler`, an event is acknowledged (202) when it is accepted, not when it is delivered, and no event survives a
restart. Unlike there, memory is bounded: the number and the bytes of pending events have a limit, beyond which the
ingress answers 429.
"""

import asyncio
import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import aiohttp
import structlog
from aiohttp import web

from local.delivery import Failure, Retries, dead_letter
from local.event import REPLY, Event, from_http, to_http
from local.objects import Name
from pipeline import bounds
from pipeline.cloudevents import NotACloudEvent, is_event
from pipeline.errors import cut
from pipeline.filter import Matches
from pipeline.threads import log_failure

log = structlog.get_logger()

Outcome = TypeVar("Outcome")

TTL = "knativebrokerttl"
FIRST_TTL = 255
"""The number of times that an event may pass through a Broker as a reply to itself. After that it is a loop."""

MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""The maximum size of a subscriber's response: what a function accepts as an event. Each of `Limits.requests` may be
as large."""

SERVING_SECONDS = 300.0
"""The maximum duration of a request to a Service. Knative Serving answers 504 after it, also without a `timeout`."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of one Broker."""

    events: int = 20_000
    """Pending events: accepted, and not yet delivered or given up."""
    bytes: int = 128 * 1024 * 1024
    """The size of all pending events, and so of one event."""
    requests: int = 32
    """Requests under way for each Trigger. An event that waits for its retry does not count, so that it does not block
    the others."""


@dataclasses.dataclass(frozen=True)
class Subscription:
    """A Trigger with its addresses resolved."""

    name: Name
    matches: Matches
    url: str
    retries: Retries = dataclasses.field(default_factory=Retries)
    dead_letter_url: str = ""
    """The address for events that could not be delivered. With "" they are dropped and logged."""


@dataclasses.dataclass
class Counts:
    """The counts of a Broker since it started."""

    received: int = 0
    """Events accepted."""
    rejected: int = 0
    """Events answered 429 because the Broker was full."""
    delivered: int = 0
    """Deliveries that a subscriber accepted."""
    failed: int = 0
    """Deliveries given up after all retries."""
    dead_lettered: int = 0
    """Failed deliveries that the dead-letter sink accepted."""
    pending: int = 0
    """Accepted events that are not yet delivered or given up at every Trigger."""


class Broker:
    """One Broker: accepts events, and has its Triggers' dispatchers deliver them."""

    def __init__(
        self, url: str, subscriptions: Sequence[Subscription], session: aiohttp.ClientSession, limits: Limits
    ) -> None:
        self.url = url
        self.counts = Counts()
        self._limits = limits
        self._bytes = 0
        self._dispatchers = [
            Dispatcher(subscription, url, session, limits.requests, self.counts) for subscription in subscriptions
        ]
        self._deliveries: set[asyncio.Task[None]] = set()

    def accept(self, event: Event) -> bool:
        """Accept *event* for delivery. Return False if the Broker is full."""
        size = event.size()
        if self.counts.pending >= self._limits.events or self._bytes + size > self._limits.bytes:
            self.counts.rejected += 1
            return False
        self.counts.received += 1
        attributes = event.with_attributes(**{TTL: None}).attributes
        selected = [dispatcher for dispatcher in self._dispatchers if dispatcher.subscription.matches(attributes)]
        if selected:
            self.counts.pending += 1
            self._bytes += size
            task = asyncio.create_task(self._deliver(event, selected, size))
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)
            task.add_done_callback(log_failure)
        return True

    async def close(self) -> None:
        """Drop the events that are not delivered yet."""
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _deliver(self, event: Event, dispatchers: Sequence["Dispatcher"], size: int) -> None:
        try:
            await asyncio.gather(*(dispatcher.deliver(event) for dispatcher in dispatchers))
        finally:
            self.counts.pending -= 1
            self._bytes -= size


class Dispatcher:
    """Delivers one Trigger's events to its subscriber, replies to the Broker, and failed events to the dead letters."""

    def __init__(
        self, subscription: Subscription, broker_url: str, session: aiohttp.ClientSession, requests: int, counts: Counts
    ) -> None:
        """Deliver with at most *requests* at the same time, and add to *counts*, which are the Broker's."""
        self.subscription = subscription
        self._broker_url = broker_url
        self._session = session
        self._slots = asyncio.Semaphore(requests)
        self._counts = counts

    async def deliver(self, event: Event) -> None:
        """Deliver *event* with all its retries, or give it up."""
        url, outcome = self.subscription.url, await self._retried(lambda: self._call(event))
        if not isinstance(outcome, Failure):
            self._counts.delivered += 1
        if isinstance(outcome, Event):
            # The reply inherits the time to live, and the ingress lowers it. That ends loops.
            reply = outcome.with_attributes(**{TTL: event.attributes[TTL]})
            url, outcome = self._broker_url, await self._retried(lambda: self._pass_on(reply, self._broker_url))
        if isinstance(outcome, Failure):
            self._counts.failed += 1
            await self._give_up(event, url, outcome)

    async def _give_up(self, event: Event, url: str, failure: Failure) -> None:
        """Log that *url* did not accept the event, and send it to the dead-letter sink if there is one."""
        logged = {"trigger": str(self.subscription.name), "id": event.attributes["id"], "to": url}
        response = cut(failure.body.decode(errors="replace"))
        log.warning("event not delivered", **logged, status=failure.status, response=response)
        if len(failure.body) > bounds.ERROR_BODY_BYTES:
            log.error("response longer than Knative's dispatcher survives", **logged, max_bytes=bounds.ERROR_BODY_BYTES)
        sink = self.subscription.dead_letter_url
        if not sink:
            log.error("event lost: there is no dead-letter sink", **logged)
            return
        dead = dead_letter(event, url, failure)
        sink_failure = await self._retried(lambda: self._pass_on(dead, sink))
        if sink_failure is None:
            self._counts.dead_lettered += 1
        else:
            log.error("event lost: the dead-letter sink failed, too", **logged, sink=sink, status=sink_failure.status)

    async def _retried(self, attempt: Callable[[], Awaitable[Outcome | Failure]]) -> Outcome | Failure:
        """Return the outcome of *attempt*, retried by the delivery spec."""
        retries = self.subscription.retries
        for retries_done in range(retries.maximum):
            outcome = await attempt()
            if not isinstance(outcome, Failure) or not outcome.is_retried():
                return outcome
            await asyncio.sleep(retries.pause_seconds(retries_done))
        return await attempt()

    async def _call(self, event: Event) -> Event | Failure | None:
        """Send to the subscriber, once. Return its reply, None if it has none, or the failure."""
        message = to_http(event.with_attributes(**{TTL: None}), structured=self.subscription.retries.structured)
        response = await self._post(self.subscription.url, *message)
        if not response.is_success():
            # A 304 comes without a reason on Knative, which loses it on the way from its filter to its dispatcher.
            return Failure(response.status, response.body, response.described and response.status != 304)
        if not response.body and not is_event(response.headers):
            return None
        try:
            return from_http(response.headers, response.body, REPLY)
        except NotACloudEvent as error:
            # Knative's filter turns a success with a body that is not an event into 502, and it is retried.
            reason = f"the response {response.status} has a body that is {error}"
            return Failure(502, reason.encode(), described=False)

    async def _pass_on(self, event: Event, url: str) -> Failure | None:
        """Send to a dead-letter sink or back to the Broker, once. The body of a success does not matter."""
        response = await self._post(url, *to_http(event))
        return None if response.is_success() else Failure(response.status, response.body)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> "_Response":
        timeout = self.subscription.retries.timeout_seconds
        limit = aiohttp.ClientTimeout(total=timeout or SERVING_SECONDS)
        try:
            async with (
                self._slots,
                self._session.post(url, data=body, headers={**headers, **_PREFER_REPLY}, timeout=limit) as response,
            ):
                return _Response(response.status, response.headers, await _read(response))
        except TimeoutError:
            if timeout is None:
                return _Response(504, {}, b"request timeout")
            return _Response(500, {}, b"dispatch error: timeout", described=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: no header can hold an attribute
            return _Response(500, {}, f"dispatch error: {error}".encode())


_PREFER_REPLY = {"prefer": "reply"}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises `ValueError` if it is longer than `MAX_RESPONSE_BYTES`."""
    body = bytearray()
    async for part in response.content.iter_chunked(64 * 1024):
        body += part
        if len(body) > MAX_RESPONSE_BYTES:
            raise ValueError(f"the response is longer than {MAX_RESPONSE_BYTES} bytes")
    return bytes(body)


class _Response(NamedTuple):
    """The response to a POST, with the status 500 if there was none."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    described: bool = True

    def is_success(self) -> bool:
        return 200 <= self.status < 300


class BrokerServer:
    """The ingress of every Broker, and the connections for deliveries. Lives in one event loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._brokers: dict[Name, Broker] = {}
        self._address = ""
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1. *port* 0 picks a free one."""
        # Each Trigger's limit bounds the connections. An event without data gets no Content-Type.
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
        """The connections to subscribers and sinks. Raises `RuntimeError` before `start`."""
        if self._session is None:
            raise RuntimeError("the Broker's server is not started")
        return self._session

    def url(self, name: Name) -> str:
        """Return the address at which the Broker *name* accepts events."""
        return f"{self._address}/{name.namespace}/{name.name}"

    def add(self, name: Name, subscriptions: Sequence[Subscription]) -> Broker:
        """Open and return the Broker *name*, whose events go to *subscriptions*."""
        self._brokers[name] = Broker(self.url(name), subscriptions, self.session, self._limits)
        return self._brokers[name]

    def counts(self) -> dict[Name, Counts]:
        """Return a copy of each Broker's counts."""
        return {name: dataclasses.replace(broker.counts) for name, broker in self._brokers.items()}

    async def close(self) -> None:
        """Stop listening, and drop the events that are not delivered yet. Also works if `start` failed."""
        if self._runner is not None:
            await self._runner.cleanup()
        for broker in self._brokers.values():
            await broker.close()
        if self._session is not None:
            await self._session.close()

    async def _ingress(self, request: web.Request) -> web.Response:
        """Answer as `pkg/broker/ingress` does, with a reason."""
        if request.method == "OPTIONS":
            return web.Response(headers={**_ALLOW, "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})
        if request.method != "POST":
            return web.Response(status=405, headers=_ALLOW, text="a Broker accepts POST only\n")
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
            return web.Response(status=400, text=f"the event passed {FIRST_TTL} times: it is a loop\n")
        if not broker.accept(event):
            return web.Response(status=429, headers={"Retry-After": "1"}, text="the Broker is full, retry later\n")
        return web.Response(status=202)


_ALLOW = {"Allow": "POST, OPTIONS"}


def _arrived(event: Event) -> Event:
    """Return *event* with the time of arrival and the time to live, as the ingress adds them."""
    now = datetime.datetime.now(datetime.UTC)
    arrival = f"{now:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"
    try:
        ttl = max(0, int(event.attributes[TTL]) - 1)
    except (KeyError, ValueError):
        ttl = FIRST_TTL
    return event.with_attributes(**{"knativearrivaltime": arrival, TTL: str(ttl)})
