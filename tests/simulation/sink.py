"""The model sink and the HTTP client that reaches it: what `aiohttp` is for the poller's delivery."""

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Any, Self

from tests.simulation.scheduler import Process, Scheduler

SINK = "http://sink.example/"
DEAD_LETTERS = "http://dead-letters.example/"
RUBBISH = (
    "²", "①", "1²", "-1", "1e3", "+5", " 3", "3.5", "soon", "", "0", "2", "99999999999999999999", "\x00",
    "Wed, 21 Oct 2015 07:28:00 GMT", "Mon, 99 Foo 0000 99:99:99 GMT", "Fri, 31 Dec 9999 23:59:59 -2359",
)  # fmt: skip
"""Values of Retry-After."""
GATEWAY = (301, 302, 303, 304, 307, 308, 405, 421)
TEMPORARY = (401, 403, 404, 407, 408, 409, 425, 429)
SERVER_ERRORS = (500, 501, 502, 503, 504, 599)
_NUMBER = re.compile(rb"#(\d+)#")


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """A POST of the poller."""

    process: Process
    loop: Any
    """The event loop of the sink that sends it, which distinguishes one opening of the output from the next."""
    url: str
    type: str
    id: str
    number: int | None
    """The number of the vCenter event. None for a status event."""
    body: bytes
    started: float
    reply: "asyncio.Future[Reply | Exception]"

    @property
    def is_abandoned(self) -> bool:
        """True if nobody waits for the reply any more."""
        return self.reply.done() or not self.process.is_alive or self.loop.is_closed()


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """A response of the model."""

    status: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_cut: bool = False
    """True if the connection breaks within the body."""


ACCEPTED = Reply(202)


@dataclasses.dataclass
class Behavior:
    """The state of a sink and of the network to it."""

    fault: str = ""
    """status, retry after, time-out, reset, reset after, cut, slow, late, or empty."""
    probability: float = 1.0
    statuses: tuple[int, ...] = SERVER_ERRORS
    rejected: dict[int, int] = dataclasses.field(default_factory=dict)
    """Events that are always rejected: their numbers and the status."""
    latency: float = 0.01


class ModelSink:
    """A sink: takes requests after a delay and answers each."""

    def __init__(self, scheduler: Scheduler, audit: Any) -> None:
        """Report to *audit* what is sent, taken and acknowledged."""
        self.scheduler = scheduler
        self.audit = audit
        self.behavior = {SINK: Behavior(), DEAD_LETTERS: Behavior()}

    def send(self, request: Request) -> None:
        """Bring *request* to the sink. The reply comes to its future, whatever became of its sender."""
        self.audit.sending(request)
        behavior = self.behavior[request.url]
        delay = behavior.latency * self.scheduler.random.uniform(0.1, 3)
        if behavior.fault == "late" and self.scheduler.random.random() < behavior.probability:
            self.audit.met("a request reaches the sink late")
            delay += self.scheduler.random.uniform(1, 25)
        self.scheduler.call_later(delay, self._arrive, request)

    def _arrive(self, request: Request) -> None:
        is_taken, reply, delay = self._decide(request)
        if is_taken:
            self.audit.taken(request)
        if isinstance(reply, Reply):
            self.audit.answered(request, reply.status)
        if reply is not None:
            self.scheduler.call_later(delay, self._respond, request, reply)

    def _decide(self, request: Request) -> tuple[bool, Reply | Exception | None, float]:
        """Return whether the event is taken, the reply, and the time until it is there."""
        behavior, chance = self.behavior[request.url], self.scheduler.random
        delay = behavior.latency * chance.uniform(0.1, 3)
        status = behavior.rejected.get(request.number or -1)
        if status is not None:
            self.audit.met(f"the sink rejects one event with {status // 100}xx")
            return False, Reply(status), delay
        fault = behavior.fault if behavior.fault and chance.random() < behavior.probability else ""
        if not fault or fault == "late":
            return True, ACCEPTED, delay
        return self._misbehave(request, fault, delay)

    def _misbehave(self, request: Request, fault: str, delay: float) -> tuple[bool, Reply | Exception | None, float]:
        behavior, chance, met = self.behavior[request.url], self.scheduler.random, self.audit.met
        if fault == "status":
            status = chance.choice(behavior.statuses)
            met(f"{'dead-letter sink' if request.url == DEAD_LETTERS else 'sink'} answers {status // 100}xx")
            if status in GATEWAY:
                met("the sink's gateway answers 3xx, 405 or 421")
            return False, Reply(status, {"Location": "/"}), delay
        if fault == "retry after":
            met("the sink asks for a delay, or for rubbish")
            return False, Reply(chance.choice((429, 503)), {"Retry-After": chance.choice(RUBBISH)}), delay
        if fault == "time-out":
            is_taken = chance.random() < 0.5
            met(f"the sink does not respond and has {'' if is_taken else 'not '}taken the event")
            return is_taken, None, delay
        if fault == "slow":
            met("the sink is slow")
            return True, ACCEPTED, chance.uniform(0.5, 9.5)
        if fault == "memory":
            return self._forget(request, delay)
        if fault == "cut":
            met("the sink's answer is cut")
            return True, Reply(202, is_cut=True), delay
        met(f"the sink's connection breaks {'after' if fault == 'reset after' else 'before'} the event is taken")
        return fault == "reset after", ConnectionResetError(104, "Connection reset by peer"), delay

    def _forget(self, request: Request, delay: float) -> tuple[bool, Reply | Exception | None, float]:
        """Answer as an ingress whose channel holds events in memory and is being killed."""
        if self.scheduler.random.random() < 0.5:
            return True, ACCEPTED, delay
        self.audit.met("the sink forgets what it took")
        self.audit.forgetting(request)
        return False, Reply(503), delay

    def _respond(self, request: Request, reply: Reply | Exception) -> None:
        loop = request.loop
        if request.process.is_alive and not loop.is_closed() and not request.reply.done():
            loop.call_soon_threadsafe(_resolve, request.reply, reply)


def _resolve(future: "asyncio.Future[Reply | Exception]", reply: Reply | Exception) -> None:
    if not future.done():
        future.set_result(reply)


class Exchange:
    """One request and its response, as an asynchronous context manager."""

    def __init__(self, client: "Client", url: str, data: bytes, headers: Mapping[str, str]) -> None:
        self._client = client
        self._url = url
        self._data = data
        self._headers = headers

    async def __aenter__(self) -> "ClientResponse":
        sink, headers, loop = self._client.sink, self._headers, asyncio.get_running_loop()
        event_type = headers["ce-type"]
        named = None if event_type.startswith("dev.") else _NUMBER.search(self._data)
        request = Request(
            sink.scheduler.current.process,
            loop,
            self._url,
            event_type,
            headers["ce-id"],
            int(named[1]) if named else None,
            self._data,
            sink.scheduler.now,
            loop.create_future(),
        )
        timer = loop.call_later(self._client.timeout, _resolve, request.reply, TimeoutError())
        sink.send(request)
        try:
            reply = await request.reply
        finally:
            timer.cancel()
        if isinstance(reply, Exception):
            raise reply
        return ClientResponse(sink, request, reply)

    async def __aexit__(self, *_: object) -> None:
        pass


class ClientResponse:
    """A response as aiohttp gives it."""

    def __init__(self, sink: ModelSink, request: Request, reply: Reply) -> None:
        self._sink = sink
        self._request = request
        self._reply = reply
        self.status = reply.status
        self.headers = reply.headers
        self.content = self

    async def read(self, size: int) -> bytes:
        """Return the beginning of the body."""
        return b"reason"

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body, which may break off."""
        yield b""
        if self._reply.is_cut:
            raise ConnectionResetError(104, "Connection reset by peer")
        self._sink.audit.acknowledged(self._request)

    def close(self) -> None:
        """Do nothing."""


class Client:
    """A client session of aiohttp."""

    def __init__(self, sink: ModelSink, timeout: float) -> None:
        self.sink = sink
        self.timeout = timeout

    def post(self, url: str, *, data: bytes, headers: Mapping[str, str], allow_redirects: bool) -> Exchange:
        """Send a request. No redirect is followed, since *allow_redirects* is False."""
        assert not allow_redirects
        return Exchange(self, url, data, headers)

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        return self


def aiohttp_of(sink: ModelSink) -> SimpleNamespace:
    """Return an `aiohttp` whose client reaches *sink*."""
    make: Callable[..., Client] = lambda *, connector, timeout, auto_decompress: Client(sink, timeout)  # noqa: E731
    return SimpleNamespace(
        ClientSession=make,
        TCPConnector=lambda **_: None,
        ClientTimeout=lambda *, total: total,
        ClientResponse=ClientResponse,
    )
