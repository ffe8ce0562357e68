"""Serves the function that `FUNCTION` names on `PORT`, and drains on SIGTERM or when mounted settings change.

The Procfile's `web:` line and app.sh start this file. It needs neither parliament nor Flask: `runtime` serves HTTP.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

import structlog

from functions import Function
from pipeline import lazy, logs, settings
from pipeline.errors import SettingsError, VCenterEventsError
from pipeline.settings import Environ
from pipeline.settings.folders import Content, read_folders, settings_in
from pipeline.threads import UnexpectedEnds
from runtime import VERSION
from runtime.build import build
from runtime.functions import FUNCTIONS, open_function
from runtime.server import Server
from runtime.settings import LimitSettings
from runtime.unconfigured import Unconfigured

T = TypeVar("T")

CHANGED = "the settings changed"
"""The reason for a drain after which the process starts again."""

START_AGAIN = -1
"""The value that `run` returns in place of an exit code after such a drain."""

log = structlog.get_logger()


def run(environ: Environ) -> int:
    """Serve until SIGTERM, SIGINT or a change of settings, then drain. A second signal ends the process at once.

    Return the exit code: 0 after draining, 1 if it could not serve or cut off requests, or `START_AGAIN`. Raises
    `SettingsError` with every invalid setting.
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
    ends = UnexpectedEnds()
    ends.watch_threads()
    ends.subscribe(reasons.put)

    content = read_folders(environ)
    options, limits, function = _open({**settings_in(content), **environ})
    application = build(options.function, function, options.threads)
    ends.subscribe(application.fail)
    server = Server(application, limits, options.host, options.port)
    try:
        address = server.start(on_end=lambda: reasons.put("the server failed"))
    except OSError as error:
        function.close()
        message = os.strerror(error.errno or 0)
        return _fail(f"cannot listen on {options.host}:{options.port} (HOST and PORT): {message}", 1)
    log.info("serving", function=options.function, address=address, threads=options.threads, version=VERSION)
    lazy.load()
    # Missing settings may be in a file of any name, such as a password.
    select = dict if isinstance(function, Unconfigured) else settings_in
    _watch(environ, content, select, lambda: reasons.put(CHANGED))

    reason = _next(reasons)
    started = time.monotonic()
    drained = server.drain(lambda: _close(function))
    ms = round((time.monotonic() - started) * 1000)
    log.info("stopped", function=options.function, reason=reason, drained=drained, ms=ms)
    if not drained:
        os._exit(1)  # a thread that does not end would keep the process
    if reason == CHANGED:
        return START_AGAIN
    return 0 if received else 1


def _watch(environ: Environ, before: Content, select: Callable[[Content], object], report: Callable[[], None]) -> None:
    """Call *report* once what *select* returns of the folders of settings differs from *before*."""

    def run() -> None:
        while select(read_folders(environ)) == select(before):
            time.sleep(1)
        report()

    if environ.get("SETTINGS_PATH"):
        threading.Thread(target=run, name="settings", daemon=True).start()


def _next(reasons: "queue.SimpleQueue[str]") -> str:
    """Return the next of *reasons*. It looks once a second: a signal just before `get` blocks does not wake it."""
    while True:
        with contextlib.suppress(queue.Empty):
            return reasons.get(timeout=1)


def _open(environ: Environ) -> tuple[settings.ServerSettings, LimitSettings, Function]:
    """Return the process's settings and its function. Raises `SettingsError` with the errors of all.

    The function is `Unconfigured` if only settings of its own are missing or invalid, and may still change.
    """
    errors: list[str] = []
    server = _read(settings.ServerSettings, environ, {"FUNCTION": environ.get("FUNCTION", "")}, errors)
    limits = _read(LimitSettings, environ, {}, errors)
    logs.configure(server.log_level)
    try:
        function = open_function(server.function, environ)
    except SettingsError as error:
        if errors or not server.settings_path or server.function not in FUNCTIONS:
            raise SettingsError(list(dict.fromkeys([*errors, *error.errors]))) from error
        log.error("waiting for settings", function=server.function, errors=error.errors)
        return server, limits, Unconfigured(error)
    if errors:
        function.close()
        raise SettingsError(errors)
    return server, limits, function


def _read(settings_class: type[T], environ: Environ, fallback: Environ, errors: list[str]) -> T:
    """Return the settings in *environ*, or those in *fallback* and what is wrong in *errors*."""
    try:
        return settings.read(settings_class, environ)
    except SettingsError as error:
        errors.extend(error.errors)
        return settings.read(settings_class, fallback)


def _close(function: Function) -> None:
    try:
        function.close()
    except Exception:
        log.exception("cannot close the function")


def main(arguments: list[str], environ: Environ) -> int:
    """Run the command line, which has no arguments: environment variables hold the settings. Return the exit code.

    2 stands for invalid settings, and `START_AGAIN` for changed ones.
    """
    if arguments:
        _parse(arguments)
    try:
        return run(environ)
    except SettingsError as error:
        return _fail(str(error), 2)
    except VCenterEventsError as error:
        return _fail(str(error), 1)


def _parse(arguments: list[str]) -> None:
    """Handle `--help` and `--version`, and reject everything else. Raises `SystemExit`."""
    import argparse  # noqa: PLC0415 - a function that starts from zero has no arguments

    parser = argparse.ArgumentParser(
        prog="launcher.py",
        description="Serves one function over HTTP until SIGTERM. Environment variables configure it.",
        epilog=f"FUNCTION is one of {', '.join(FUNCTIONS)}. docs/reference/settings.md lists all settings.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.parse_args(arguments)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"launcher: {message}\n")
    return code


if __name__ == "__main__":
    exit_code = main(sys.argv[1:], os.environ)
    if exit_code == START_AGAIN:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this program, with its arguments
    sys.exit(exit_code)
