"""`GET /api/events`: the stream of rows that keeps a page current. It runs on the event loop, not in a thread."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from functions.display import compression
from functions.display.authenticator import Authenticator
from functions.display.history import History
from functions.display.origin import Hosts
from functions.display.stream import stream
from functions.display.viewers import Viewers
from pipeline.asgi import Receive, Scope, Send, send_response
from pipeline.web import SECURITY_HEADERS

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept-encoding"),
    (b"x-accel-buffering", b"no"),
    *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
)


class EventStream:
    """The ASGI application of the stream.

    `?after=` replaces Last-Event-ID when a page opens a new stream itself. With too many viewers it answers 503.
    """

    def __init__(
        self, history: History, viewers: Viewers, authenticator: Authenticator, hosts: Hosts, seconds: float
    ) -> None:
        self._history = history
        self._viewers = viewers
        self._authenticator = authenticator
        self._hosts = hosts
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer until it leaves, its time is over or the display stops."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._hosts.allow(host):
            await send_response(send, 403, [(b"content-type", b"text/plain")], f"{self._hosts.reason(host)}\n".encode())
            return
        if not self._authenticator.is_allowed(headers.get(b"authorization", "")):
            await send_response(send, *self._authenticator.challenge())
            return
        notification = self._viewers.enter()
        if notification is None:
            reason = f"{self._viewers.max_viewers} viewers are connected; DISPLAY_VIEWERS allows more\n".encode()
            await send_response(send, 503, [(b"content-type", b"text/plain"), (b"retry-after", b"5")], reason)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        last_id = headers.get(b"last-event-id") or query.get("after", [""])[0]
        parts = stream(self._history, notification, last_id, self._seconds)
        leaving = asyncio.create_task(_wait_until_left(receive, notification))
        try:
            if "gzip" in headers.get(b"accept-encoding", ""):
                await _send_compressed(send, parts, leaving)
            else:
                await _send(send, parts, leaving)
        finally:
            self._viewers.leave(notification)
            leaving.cancel()


async def _send(send: Send, parts: AsyncIterator[bytes], leaving: "asyncio.Task[None]") -> None:
    """Send *parts* until the viewer is *leaving*."""
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    async for part in parts:
        if leaving.done():
            return
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_compressed(send: Send, parts: AsyncIterator[bytes], leaving: "asyncio.Task[None]") -> None:
    """Send *parts* as a gzip stream until the viewer is *leaving*."""
    headers = [*_HEADERS, (b"content-encoding", b"gzip")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": compression.HEADER, "more_body": True})
    gzip = compression.GzipStream()
    async for part in parts:
        if leaving.done():
            return
        await send({"type": "http.response.body", "body": gzip.part(part), "more_body": True})
    await send({"type": "http.response.body", "body": gzip.end()})


async def _wait_until_left(receive: Receive, notification: asyncio.Event) -> None:
    """Return when the viewer has left, and wake its stream."""
    while (await receive())["type"] != "http.disconnect":
        pass
    notification.set()
