"""Serves the function that `FUNCTION` names on `PORT`: one process, many threads, draining on SIGTERM.

parliament's own server listens on a fixed port with four threads and ends on SIGTERM in the middle of a request.
Therefore cheroot serves its Flask application (`func.application`). The Procfile's `web:` line and app.sh start this
file.
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

DRAIN_SECONDS = 10.0
"""The time that requests under way have to finish after SIGTERM."""

IDLE_SECONDS = 120
"""The time after which an idle connection is closed. Longer than Go's 90 s, so that Knative closes first: a request
that arrives while the server closes the connection fails."""

MAX_WAITING_CONNECTIONS = 1024
"""Connections that the kernel accepts before the server does, for bursts. The kernel may lower it."""

MAX_BODY_BYTES = 2 * 1024 * 1024
"""A larger body is answered 413. Brokers accept events of about 1 MiB, and the escapes of structured mode may double
that."""

log = structlog.get_logger()


class _HTTPServer(wsgi.Server):
    max_request_body_size = MAX_BODY_BYTES
    keep_alive_conn_limit = None  # type: ignore[assignment]  # None means no limit, but cheroot's stub has int

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log cheroot's messages, which it would write to stderr."""
        log.log(level, "http server", detail=msg, exc_info=traceback)


class Server:
    """The HTTP server for one function's Flask application."""

    def __init__(self, name: str, function: Function, *, host: str, port: int, threads: int) -> None:
        self._function = function
        self._draining = False
        self.app = func.application(name, function)
        self.app.view_functions["readiness"] = self._readiness
        self._http = _HTTPServer(
            (host, port),
            self.app,
            numthreads=threads,
            request_queue_size=MAX_WAITING_CONNECTIONS,
            timeout=IDLE_SECONDS,
            shutdown_timeout=int(DRAIN_SECONDS),
        )

    def start(self, on_end: Callable[[], None]) -> str:
        """Listen, serve in threads, and return the address, `http://host:port/`. Call *on_end* when serving ends.

        Raises `OSError` if it cannot listen on the address.
        """
        self._http.prepare()

        def serve() -> None:
            try:
                self._http.serve()
            finally:
                on_end()

        threading.Thread(target=serve, name="accept", daemon=True).start()
        host, port = self._http.bind_addr
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def drain(self) -> bool:
        """Stop accepting requests, and let the function and requests under way finish.

        Return False if they did not finish in `DRAIN_SECONDS`.
        """
        self._draining = True
        deadline = time.monotonic() + DRAIN_SECONDS
        # Both at the same time: cheroot waits for open streams, which only the function's close() ends.
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
            log.exception("cannot close the function")

    def _readiness(self) -> tuple[str, int]:
        return ("draining\n", 503) if self._draining else ("ready\n", 200)


def run(environ: Environ) -> int:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    Return the exit code: 0 after draining, 1 if it could not serve or cut off requests. Raises `SettingsError` with
    every invalid setting.
    """
    reasons: queue.SimpleQueue[str] = queue.SimpleQueue()  # a signal handler may call its put()
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        reasons.put(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    options, function = _open(environ)
    server = Server(options.function, function, host=options.host, port=options.port, threads=options.threads)
    try:
        address = server.start(on_end=lambda: reasons.put("the server failed"))
    except OSError as error:
        function.close()
        return _fail(f"cannot listen on {options.host}:{options.port} (HOST and PORT): {_reason(error)}", 1)
    log.info("serving", function=options.function, address=address, threads=options.threads, version=func.VERSION)

    reason = reasons.get()
    started = time.monotonic()
    drained = server.drain()
    ms = round((time.monotonic() - started) * 1000)
    log.info("stopped", function=options.function, reason=reason, drained=drained, ms=ms)
    if not drained:
        os._exit(1)  # a thread that does not end would keep the process
    return 0 if received else 1


def _open(environ: Environ) -> tuple[settings.ServerSettings, Function]:
    """Return the server's settings and its function. Raises `SettingsError` with the errors of both."""
    errors: list[str] = []
    try:
        options = settings.read(settings.ServerSettings, environ)
    except SettingsError as error:
        errors.extend(error.errors)
        options = settings.read(settings.ServerSettings, {"FUNCTION": environ.get("FUNCTION", "")})
    logs.configure(options.log_level)
    try:
        function = func.open_function(options.function, environ)
    except SettingsError as error:
        raise SettingsError(list(dict.fromkeys([*errors, *error.errors]))) from error
    if errors:
        function.close()
        raise SettingsError(errors)
    return options, function


def main(arguments: list[str], environ: Environ) -> int:
    """Run the command line, which has no arguments: environment variables hold the settings. Return the exit code.

    2 stands for invalid settings.
    """
    parser = argparse.ArgumentParser(
        prog="launcher.py",
        description="Serves one function over HTTP until SIGTERM. Environment variables configure it.",
        epilog=f"FUNCTION is one of {', '.join(func.FUNCTIONS)}. docs/reference/settings.md lists all settings.",
    )
    parser.add_argument("--version", action="version", version=func.VERSION)
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
    """The system's message, out of cheroot's "No socket could be created -- (address: [Errno 98] message)"."""
    return error.strerror or str(error).rpartition("] ")[2].rstrip(")")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
