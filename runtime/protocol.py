"""HTTP/1.1 on one connection, within limits: uvicorn's protocol, which has no limits of its own for its fast parser.

Every breach has a status and a reason, is answered once, and closes the connection:

| breach | status |
|---|---|
| malformed request, negative or conflicting length, broken chunk, body that ends early | 400 |
| headers or body not complete in time | 408 (a connection that never sent a byte is closed without an answer) |
| body too large, also chunked | 413 |
| request line and headers too large, too many headers | 431 |
| more connections than allowed, except for health checks | 503 |
"""

import asyncio
import http
import math
from typing import Any

import httptools
import structlog

from pipeline.metrics import Counter
from runtime.settings import LimitSettings
from runtime.uvicorn import HttpToolsProtocol, RequestResponseCycle

HEALTH_PATHS = frozenset({b"/health/liveness", b"/health/readiness"})
"""Answered even when there are more connections than allowed."""

CONNECTION_RESERVE = 256
"""Connections accepted beyond the allowed number, so that health checks find a place. Others are dropped unread."""

LINGER_SECONDS = 1.0
"""Time until the connection of a rejected client that still sends is closed. Its data are not read."""

_OVERSHOOT = 1024
"""Raw bytes of headers allowed beyond the limit, for line ends and separators, which the limit does not count."""


log = structlog.get_logger()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The server calls `expire` once a second. Times are the event loop's, in seconds."""

    limits: LimitSettings
    rejected: Counter

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline = math.inf
        self._reading_headers = True
        self._received = 0  # raw bytes since the request began, while its headers are read
        self._header_bytes = 0
        self._body_bytes = 0
        self._rejected = False
        self._write_deadline = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the time for the first request, or drop a connection that is far beyond the allowed number."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.limits.header_seconds
        if len(self.connections) > self.limits.max_connections + CONNECTION_RESERVE:
            self.rejected.add("503")
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and reject what breaks HTTP or a limit."""
        if self._rejected:
            return  # answered already: what still comes is dropped
        self._unset_keepalive_if_required()
        if self._reading_headers:
            self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            if not self._rejected:
                raise
        except httptools.HttpParserUpgrade:
            # A request without a body goes on as HTTP/1.1. The parser does not read a body behind an upgrade.
            if any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
                self._reject(400, "a request with a body cannot ask for a protocol upgrade")
        except httptools.HttpParserError as error:
            self._reject(400, f"malformed request: {error}")
        if self._reading_headers and self._received > self.limits.max_header_bytes + _OVERSHOOT:
            self._reject(431, self._too_large_headers())

    def eof_received(self) -> None:
        """Reject a request whose sender stopped before its end."""
        if self._deadline != math.inf and self._received:
            self._reject(400, "the request ended before it was complete")
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start the time for a request's headers."""
        super().on_message_begin()
        self._deadline = self.loop.time() + self.limits.header_seconds
        self._reading_headers = True
        self._header_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        super().on_url(url)
        self._count_headers(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        super().on_header(name, value)
        self._count_headers(len(name) + len(value))
        if len(self.headers) > self.limits.max_headers:
            self._fail(431, f"more than {self.limits.max_headers} headers (HTTP_MAX_HEADERS)")

    def on_headers_complete(self) -> None:
        """Reject a body that is declared too large, or start the request and the time for its body."""
        self._reading_headers = False
        self._received = 1  # complete only with its body
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self.limits.max_body_bytes:
                self._fail(413, self._too_large_body())
        if len(self.connections) > self.limits.max_connections and self.url not in HEALTH_PATHS:
            self._fail(503, f"{self.limits.max_connections} connections are open already (HTTP_MAX_CONNECTIONS)")
        self._deadline = self.loop.time() + self.limits.body_seconds
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body as it arrives. The size of a chunked one is known only then."""
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.max_body_bytes:
            self._fail(413, self._too_large_body())
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the time for the request."""
        self._deadline = math.inf
        self._received = 0
        self._reading_headers = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the time for a client to take what is waiting for it."""
        super().pause_writing()
        self._write_deadline = self.loop.time() + self.limits.write_seconds

    def resume_writing(self) -> None:
        """End the time for the client: it takes what it gets."""
        super().resume_writing()
        self._write_deadline = math.inf

    def expire(self, now: float) -> None:
        """Reject the request that is not complete by *now*, and drop a client that reads nothing."""
        if now >= self._write_deadline:
            self.transport.abort()
        if now < self._deadline:
            return
        if not self._received:  # idle since it connected: there is no request to answer
            self._rejected = True
            self.rejected.add("408")
            self.transport.close()
        elif self._reading_headers:
            self._reject(408, f"no complete headers within {self.limits.header_seconds:g} s (HTTP_HEADER_TIMEOUT)")
        else:
            self._reject(408, f"no complete body within {self.limits.body_seconds:g} s (HTTP_BODY_TIMEOUT)")

    def _count_headers(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.limits.max_header_bytes:
            self._fail(431, self._too_large_headers())

    def _too_large_headers(self) -> str:
        return f"more than {self.limits.max_header_bytes} bytes of headers (HTTP_MAX_HEADER_BYTES)"

    def _too_large_body(self) -> str:
        return f"more than {self.limits.max_body_bytes} bytes of body (HTTP_MAX_BODY_BYTES)"

    def _fail(self, status: int, reason: str) -> None:
        """Reject the request from within a callback of the parser, which this ends."""
        self._reject(status, reason)
        raise RequestRejected(reason)

    def _reject(self, status: int, reason: str) -> None:
        """Respond with *status* unless a response has begun, notify the application of the end, and close."""
        if self._rejected:
            return
        self._rejected = True
        self.rejected.add(str(status))
        log.warning("request rejected", status=status, reason=reason, client=self.client)
        self._deadline = math.inf
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        if cycle is not None and cycle.response_complete:
            cycle = None
        if (cycle is None or not cycle.response_started) and not self.transport.is_closing():
            self.transport.write(_response(status, reason))
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self._close_after_response()

    def _close_after_response(self) -> None:
        """Close once the client had time to read the answer.

        Closing while the client still sends would reset the connection, and the client could lose the answer.
        """
        self.flow.resume_reading()
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()


class RequestRejected(Exception):
    """Ends the parser's work on a request that was answered already."""


def limited_protocol(limits: LimitSettings, rejected: Counter) -> type[LimitedProtocol]:
    """Return the protocol class for uvicorn that keeps *limits* and counts what it rejects."""
    return type("Protocol", (LimitedProtocol,), {"limits": limits, "rejected": rejected})


def _response(status: int, reason: str) -> bytes:
    body = f"{reason}\n".encode()
    phrase = http.HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body
