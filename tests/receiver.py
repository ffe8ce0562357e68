"""A real HTTP receiver of events and notifications: it records every request and answers as the test says."""

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web


@dataclasses.dataclass(frozen=True)
class Received:
    """One request, as it came."""

    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    """`time.time()` at which it was read."""
    status: int
    """What it was answered; 0 if the connection was closed instead."""

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers.get("ce-id", "")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to answer; *status* 0 closes the connection half-way."""

    status: int = 202
    after_seconds: float = 0.0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: str = ""


OK = Answer()


class Receiver:
    """One on a free loopback port, in a thread of its own; a context manager."""

    def __init__(self, answer: Callable[[dict[str, str]], Answer] = lambda headers: OK, port: int = 0) -> None:
        self.answer = answer
        """The answer to a request, by its headers; may be replaced at any time."""
        self.statuses: list[int] = []
        """What to answer to the next requests instead, in order."""
        self.gate = threading.Event()
        """Answers wait for it; open unless a test closes it."""
        self.gate.set()
        self.requests: list[Received] = []
        """Every request, in the order of arrival."""
        self.port = port
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def json_url(self) -> str:
        """Its address as apprise takes it."""
        return f"json://127.0.0.1:{self.port}/"

    @property
    def accepted(self) -> list[Received]:
        """The requests that were answered 2xx, in order."""
        return [request for request in self.requests if 200 <= request.status < 300]

    @property
    def ids(self) -> list[int]:
        """The accepted events' ids that are numbers, as vCenter's keys are."""
        return [int(request.id) for request in self.accepted if request.id.isdigit()]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The accepted requests' bodies, which are JSON, in order."""
        return [json.loads(request.body) for request in self.accepted]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 15.0) -> bool:
        """Wait until *condition* holds, looked at after every request; whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every connection and listen no more. Does nothing the second time."""
        self.gate.set()
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._changed:
            answer = Answer(self.statuses.pop(0)) if self.statuses else self.answer(headers)
            self.requests.append(Received(headers, body, time.time(), answer.status))
            self._changed.notify_all()
        if not self.gate.is_set():
            await asyncio.to_thread(self.gate.wait)
        if answer.after_seconds:
            await asyncio.sleep(answer.after_seconds)
        if answer.status == 0:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status or 500, headers=answer.headers, text=answer.body)
