"""Listen, serve one application in a thread of its own, and drain.

uvicorn's protocol and parser do HTTP (`protocol`). Its own server class is not used: it closes the port before it
drains, and health checks must be answered until the process ends.
"""

import asyncio
import contextlib
import email.utils
import resource
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
import uvloop

from runtime.application import Application
from runtime.protocol import CONNECTION_RESERVE, LimitedProtocol, limited_protocol
from runtime.settings import LimitSettings
from runtime.uvicorn import Config, ServerState

log = structlog.get_logger()

DRAIN_SECONDS = 10.0
"""Time for open requests and the function to finish after the process was asked to stop."""

QUIET_SECONDS = 0.2
"""A draining process accepts events until none came for so long. Callers need a moment to learn that it is ending."""

LONGEST_QUIET_SECONDS = 2.0
"""Then it answers events 503, also if they never stop coming."""

WAITING_CONNECTIONS = 1024
"""Connections that the kernel accepts for us during a burst. It lowers this to its own limit."""

CLOSE_SECONDS = 1.0
"""Time for the last responses to be sent."""

OTHER_FILES = 256
"""Files and connections that are not those of clients."""

SWEEP_SECONDS = 0.5
"""Interval between checks for overdue requests."""


def raise_file_limit(files: int) -> None:
    """Let the process open so many *files*, connections among them, as far as its hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


class Server:
    """One application on one port."""

    def __init__(self, application: Application, limits: LimitSettings, host: str, port: int) -> None:
        self._application = application
        self._address = (host, port)
        self._protocol = limited_protocol(limits, application.metrics.http_rejected)
        self._config = Config(
            application,
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=int(limits.idle_seconds),
        )
        self._state = ServerState()
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._handle_loop_error)
        self._stop = asyncio.Event()
        self._drained = False
        self._has_failed = False

    def start(self, on_end: Callable[[], None]) -> str:
        """Listen and serve. *on_end* is called when serving ends. Returns the address, `http://host:port/`.

        Raises `OSError` when the address cannot be listened on.
        """
        host, port = self._address
        raise_file_limit(self._protocol.limits.max_connections + CONNECTION_RESERVE + OTHER_FILES)
        listener = socket.create_server(
            self._address,
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=WAITING_CONNECTIONS,
            dualstack_ipv6=host == "::",
        )
        port = listener.getsockname()[1]

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            try:
                self._loop.run_until_complete(self._serve(listener))
            except (Exception, asyncio.CancelledError):
                log.exception("the HTTP server failed")
                self._has_failed = True
            finally:
                on_end()
                with contextlib.suppress(OSError):  # a connection is still open, and ends with the process
                    self._loop.close()

        threading.Thread(target=run, name="http", daemon=True).start()
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def drain(self, close: Callable[[], None]) -> bool:
        """Finish open requests, then *close* the function. Return False if that takes longer than `DRAIN_SECONDS`.

        Health checks are answered until the end, readiness with 503. A second call does nothing.
        """
        if self._drained:
            return True
        self._drained = True
        deadline = time.monotonic() + DRAIN_SECONDS
        closing = threading.Thread(target=close, name="close", daemon=True)
        if self._has_failed:  # its connections are gone
            closing.start()
            closing.join(DRAIN_SECONDS)
            return False
        finished = threading.Event()
        task = asyncio.run_coroutine_threadsafe(self._drain(deadline), self._loop)
        task.add_done_callback(lambda _: finished.set())
        closing.start()
        closing.join(max(0.0, deadline - time.monotonic()))
        finished.wait(max(0.0, deadline - time.monotonic()))
        self._loop.call_soon_threadsafe(self._stop.set)
        return not closing.is_alive() and finished.is_set() and bool(task.result())

    async def _serve(self, listener: socket.socket) -> None:
        self._config.load()
        server = await self._loop.create_server(self._connection, sock=listener, backlog=WAITING_CONNECTIONS)
        try:
            while not self._stop.is_set():  # here and not in a task of its own, which could end unseen
                self._sweep()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SWEEP_SECONDS):
                        await self._stop.wait()
        finally:
            server.close()
            await self._close_connections()
        await self._loop.shutdown_default_executor()

    def _handle_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log and count an error that no task sees. It is one connection's, or of a callback that is called again."""
        log.error("HTTP server failed unexpectedly: %s", context.get("message"), exc_info=context.get("exception"))
        self._application.metrics.unexpected_errors.add()

    async def _close_connections(self) -> None:
        """Close idle connections now, and the others once their response is sent."""
        await asyncio.sleep(0)  # so that a connection that was just accepted is among them
        for connection in list(self._state.connections):
            connection.shutdown()
        latest = self._loop.time() + CLOSE_SECONDS
        while self._state.connections and self._loop.time() < latest:  # noqa: ASYNC110 - uvicorn keeps a plain set
            await asyncio.sleep(0.005)
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # so that the aborted ones are gone before the loop is

    def _connection(self) -> LimitedProtocol:
        return self._protocol(config=self._config, server_state=self._state, app_state={}, _loop=self._loop)

    def _sweep(self) -> None:
        """Expire overdue requests. One timer for all connections costs a request nothing but an assignment."""
        date = email.utils.formatdate(usegmt=True).encode()
        self._state.default_headers = [(b"date", date)]
        now = self._loop.time()
        connections: list[Any] = list(self._state.connections)
        for connection in connections:
            try:
                connection.expire(now)
            except Exception as error:  # noqa: BLE001 - logged, and it is one connection's
                self._handle_loop_error(self._loop, {"message": "a request was not expired", "exception": error})

    async def _drain(self, deadline: float) -> bool:
        """Return True once no request is under way, False at the *deadline* (monotonic)."""
        self._application.begin_drain()
        latest = time.monotonic() + LONGEST_QUIET_SECONDS
        while self._application.seconds_since_event() < QUIET_SECONDS and time.monotonic() < latest:  # noqa: ASYNC110 - nothing announces that nothing comes
            await asyncio.sleep(QUIET_SECONDS / 4)
        self._application.reject_events()
        return await self._application.wait_idle(deadline - time.monotonic())
