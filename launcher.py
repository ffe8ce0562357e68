"""Serves the function that `FUNCTION` names on `PORT`: one process, many threads, draining on SIGTERM.

parliament's own server listens on a fixed port with four threads and dies on SIGTERM in mid-request; so its Flask
application (`func.application`) is served by cheroot instead. The Procfile's `web:` line and app.sh start this file.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog
from cheroot import wsgi

import func
from functions import Environ, Function
from pipeline import logs, settings
from pipeline.errors import SettingsError, VCenterEventsError

VERSION = "0.1.0"

DRAIN_SECONDS = 10.0
"""How long requests that are under way may take once the process was told to stop."""

IDLE_SECONDS = 120
"""A silent connection is closed after this. Longer than Go's 90 s, so that Knative, the client, closes first: a request
that crosses our close would fail."""

WAITING_CONNECTIONS = 1024
"""Connections that the kernel accepts for us during a burst; it lowers this to its own limit."""

LARGEST_BODY_BYTES = 2 * 1024 * 1024
"""More is answered 413. Brokers take events up to 1 MiB or so; structured mode may double the size by escaping."""

log = structlog.get_logger()


class _HTTPServer(wsgi.Server):
    max_request_body_size = LARGEST_BODY_BYTES
    keep_alive_conn_limit = None  # type: ignore[assignment]  # None is no limit; cheroot's stub says int

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log what cheroot has to say, instead of writing it to stderr."""
        log.log(level, "http server", detail=msg, exc_info=traceback)


class Server:
    """cheroot around one function's Flask application."""

    def __init__(self, name: str, function: Function, *, host: str, port: int, threads: int) -> None:
        self._function = function
        self._draining = False
        self.app = func.application(name, function)
        self.app.view_functions["readiness"] = self._readiness
        self._http = _HTTPServer(
            (host, port),
            self.app,
            numthreads=threads,
            request_queue_size=WAITING_CONNECTIONS,
            timeout=IDLE_SECONDS,
            shutdown_timeout=int(DRAIN_SECONDS),
        )

    def start(self, ended: Callable[[], None]) -> str:
        """Listen, and serve in threads; *ended* is called when serving is over. Returns the address, `http://host:port/`.

        Raises `OSError` when the address cannot be listened on.
        """
        self._http.prepare()

        def serve() -> None:
            try:
                self._http.serve()
            finally:
                ended()

        threading.Thread(target=serve, name="accept", daemon=True).start()
        host, port = self._http.bind_addr
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def drain(self) -> bool:
        """Accept nothing more, let requests under way and the function finish; False if `DRAIN_SECONDS` end first."""
        self._draining = True
        deadline = time.monotonic() + DRAIN_SECONDS
        # At the same time: cheroot waits for open streams, and the function's close() is what ends them.
        steps = [threading.Thread(target=step, daemon=True) for step in (self._http.stop, self._close_function)]
        for step in steps:
            step.start()
        for step in steps:
            step.join(max(0.0, deadline - time.monotonic()))
        return not any(step.is_alive() for step in steps)

    def _close_function(self) -> None:
        try:
            self._function.close()
        except Exception:
            log.exception("function did not close")

    def _readiness(self) -> tuple[str, int]:
        return ("draining\n", 503) if self._draining else ("ready\n", 200)


def run(environ: Environ) -> int:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Returns the exit code: 0 drained, 1 could not serve or requests were cut off, 2 settings are not usable.
    """
    wakes: queue.SimpleQueue[str] = queue.SimpleQueue()  # its put() may be called from a signal handler
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        wakes.put(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    wanted, function = _open(environ)
    server = Server(wanted.function, function, host=wanted.host, port=wanted.port, threads=wanted.threads)
    try:
        address = server.start(ended=lambda: wakes.put("the server failed"))
    except OSError as error:
        function.close()
        return _fail(f"cannot listen on {wanted.host}:{wanted.port}, as HOST and PORT say: {_reason(error)}", 1)
    log.info("serving", function=wanted.function, address=address, threads=wanted.threads, version=VERSION)

    why = wakes.get()
    started = time.monotonic()
    drained = server.drain()
    ms = round((time.monotonic() - started) * 1000)
    log.info("stopped", function=wanted.function, why=why, drained=drained, ms=ms)
    if not drained:
        os._exit(1)  # a thread that does not end would keep the process
    return 0 if received else 1


def _open(environ: Environ) -> tuple[settings.ServerSettings, Function]:
    """The process's settings and its function. Raises `SettingsError` with the faults of both."""
    faults: list[str] = []
    try:
        wanted = settings.read(settings.ServerSettings, environ)
    except SettingsError as error:
        faults.extend(error.errors)
        wanted = settings.read(settings.ServerSettings, {"FUNCTION": environ.get("FUNCTION", "")})
    logs.configure(wanted.log_level)
    try:
        function = func.open_function(wanted.function, environ)
    except SettingsError as error:
        raise SettingsError(list(dict.fromkeys([*faults, *error.errors]))) from error
    if faults:
        function.close()
        raise SettingsError(faults)
    return wanted, function


def main(arguments: list[str], environ: Environ) -> int:
    """The command line: no arguments, everything is a setting. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="launcher.py",
        description="Serves one function of vcenter-events over HTTP until SIGTERM; environment variables set it up.",
        epilog=f"FUNCTION is one of {', '.join(func.FUNCTIONS)}; PORT is 8080 when unset. README lists all settings.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.parse_args(arguments)
    try:
        return run(environ)
    except SettingsError as error:
        return _fail(str(error), 2)
    except VCenterEventsError as error:
        return _fail(str(error), 1)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"launcher: {message}\n")
    return code


def _reason(error: OSError) -> str:
    """The system's words alone: cheroot wraps them as "No socket could be created -- (address: [Errno 98] words)"."""
    return error.strerror or str(error).rpartition("] ")[2].rstrip(")")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
