"""The ASGI application around one function: which request goes where, and what is answered.

An event goes from the socket to the function with one parse. A function that never waits is called on the event loop,
every other one in a thread. Streams are ASGI applications of the function. Its other routes are a WSGI application
(Flask), which runs in threads.
"""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Iterator, Mapping

from pipeline.asgi import ASGIApplication, Receive, Scope, Send, send_response
from pipeline.cloudevents import HTTPMessage
from pipeline.metrics import CONTENT_TYPE
from runtime.adapter import FunctionAdapter, Outcome, text

METHODS = "GET, HEAD, POST, OPTIONS"


class Disconnected(Exception):
    """The client left, or its request was rejected, before its body was complete."""


class Application:
    """One function as an ASGI application."""

    def __init__(
        self,
        adapter: FunctionAdapter,
        threads: int,
        streams: Mapping[str, ASGIApplication] | None = None,
        routes: ASGIApplication | None = None,
    ) -> None:
        """*adapter* answers `POST /`, in one of so many *threads* unless its function never waits.

        *streams* answer `GET` of their paths. *routes* answer everything else.
        """
        self._adapter = adapter
        self.metrics = adapter.metrics
        """The metrics that the process exposes at `/metrics`."""
        self._threads = None if adapter.returns_at_once else concurrent.futures.ThreadPoolExecutor(threads, "event")
        self._streams = streams or {}
        self._routes = routes
        self._unready = ""
        self._rejecting = False
        self._last_event = 0.0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, method = scope["path"], scope["method"]
        if path == "/" and method == "POST":
            await self._event(scope, receive, send)
        elif path.startswith("/health/"):
            await send_outcome(send, self._health(path, method))
        elif path in self._streams and method == "GET":
            with self._counted():
                await self._streams[path](scope, receive, send)
        elif path == "/" and method == "OPTIONS":
            await send_outcome(send, Outcome(204, {"allow": METHODS}))
        elif self._routes is not None:
            with self._counted():
                await self._routes(scope, receive, send)
        else:
            await send_outcome(send, self._without_routes(path, method))

    async def respond(self, message: HTTPMessage) -> Outcome:
        """Return the outcome of handling an event's request."""
        if self._threads is None:
            return self._adapter.respond(message)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._adapter.respond, message)

    @property
    def unready(self) -> str:
        """The reason why the process should get no requests, in one line. Empty if it should."""
        return self._unready or self._adapter.unready

    def begin_drain(self) -> None:
        """Report not ready from now on. Requests are served as before."""
        self._unready = self._unready or "draining"

    def fail(self, reason: str) -> None:
        """Count an unexpected end of a thread, and report not ready for *reason* from now on."""
        self._unready = reason
        self.metrics.unexpected_errors.add()

    def reject_events(self) -> None:
        """Answer events 503 from now on: the Broker sends them to another pod, or later."""
        self._rejecting = True

    def seconds_since_event(self) -> float:
        """Return the time since the last event came, in seconds."""
        return time.monotonic() - self._last_event

    async def wait_idle(self, seconds: float) -> bool:
        """Wait until every request but health checks is answered, and every stream has ended. Return False after
        *seconds*."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return self._idle.is_set()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _health(self, path: str, method: str) -> Outcome:
        if method not in ("GET", "HEAD"):
            return Outcome(405, {"allow": "GET, HEAD"})
        if path == "/health/liveness":
            return text("alive", 200)
        if path == "/health/readiness":
            reason = self.unready
            return text(reason, 503) if reason else text("ready", 200)
        return text("there are /health/liveness and /health/readiness", 404)

    def _without_routes(self, path: str, method: str) -> Outcome:
        if path == "/metrics" and method in ("GET", "HEAD"):
            return Outcome(200, {"content-type": CONTENT_TYPE}, self._adapter.metrics.exposition())
        if path != "/":
            return text("there is nothing at this address; POST CloudEvents to /", 404)
        return self._adapter.greeting() if method in ("GET", "HEAD") else Outcome(405, {"allow": METHODS})

    async def _event(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._last_event = time.monotonic()
        if self._rejecting:
            await send_outcome(send, text("the process is ending; send the event again", 503))
            return
        with self._counted(), contextlib.suppress(Disconnected):
            message = HTTPMessage(decode_headers(scope["headers"]), await read_body(receive))
            await send_outcome(send, await self.respond(message))


async def read_body(receive: Receive) -> bytes:
    """Return a request's whole body. Raises `Disconnected` if not all of it came."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise Disconnected


def decode_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return ASGI's *headers* by name, read as UTF-8 if they are that. Values of a repeated header are joined."""
    decoded: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1")
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        decoded[name] = f"{decoded[name]}, {value}" if name in decoded else value
    return decoded


async def send_outcome(send: Send, outcome: Outcome) -> None:
    """Send *outcome* as a whole response."""
    headers = [(name.encode("latin-1", "replace"), _value(value)) for name, value in outcome.headers.items()]
    await send_response(send, outcome.status, headers, outcome.body)


def _value(text_: str) -> bytes:
    """A header value as bytes. Control characters, which would end the header, become spaces."""
    if not text_.isprintable():
        text_ = "".join(char if char.isprintable() else " " for char in text_)
    return text_.encode("utf-8", "replace")
