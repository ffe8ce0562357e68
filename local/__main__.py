"""`python -m local`: run Knative YAML on this machine until Ctrl-C."""

import argparse
import contextlib
import io
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO, cast

import structlog

from local.engine import ROOT, Engine
from pipeline import logs
from pipeline.errors import PermanentError

log = structlog.get_logger()

_REDRAW_SECONDS = 0.5
_LOG_SECONDS = 10.0


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run what the command line names. Returns the exit code: 0 after Ctrl-C or SIGTERM, 2 if it cannot be run."""
    options = _options(arguments)
    screen = Screen(sys.stdout)
    logs.configure(stream=cast(TextIO, screen))
    ending = _signals()
    with _state_folder(options.state) as state:
        try:
            echo = screen.echo if options.logs else None
            with Engine(options.paths, state, dict(options.port), root, echo=echo) as engine:
                _run(engine, screen, ending)
        except PermanentError as error:
            screen.clear()
            print(error, file=sys.stderr)
            return 2
        except _Ended:
            screen.clear()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Run Knative Services, Brokers, Triggers, PingSources and SinkBindings on this machine, from the "
        "YAML that a cluster takes. Services become processes of this code; everything listens on 127.0.0.1 only. "
        "What cannot be run here is rejected by file and field.",
        epilog="example: python -m local --port display=8080 config triggers",
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path,
        help="a YAML file, or a folder whose *.yaml are read in order of name; a later object replaces an earlier one",
    )  # fmt: skip
    parser.add_argument(
        "--state", metavar="DIR", type=Path,
        help="keep checkpoints, volumes and logs here (default: a temporary folder, removed at the end)",
    )  # fmt: skip
    parser.add_argument(
        "--port", metavar="NAME=PORT", type=_port, action="append", default=[],
        help="give a Service this port instead of a free one; may be repeated",
    )  # fmt: skip
    parser.add_argument("--logs", action="store_true", help="show what the services print, each line with its name")
    return parser.parse_args(arguments)


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal() or not 0 < int(number) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PORT, for example display=8080")
    return name, int(number)


class _Ended(Exception):
    """Ctrl-C or SIGTERM was received."""


def _signals() -> threading.Event:
    """Have Ctrl-C and SIGTERM raise `_Ended`, once: a second Ctrl-C must not interrupt the cleanup."""
    ending = threading.Event()

    def end(*_: object) -> None:
        if not ending.is_set():
            ending.set()
            raise _Ended

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    return ending


@contextlib.contextmanager
def _state_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="vcenter-events-") as folder:
        yield Path(folder)


def _run(engine: Engine, screen: "Screen", ending: threading.Event) -> None:
    engine.start()
    for name in engine.services():
        print(f"{name}: {engine.url(name)}", file=cast(TextIO, screen), flush=True)
    while not ending.wait(_REDRAW_SECONDS if screen.isatty() else _LOG_SECONDS):
        if screen.isatty():
            screen.show(str(engine.status()))
        else:
            log.info("status", status=str(engine.status()))


class Screen(io.TextIOBase):
    """Standard output. On a terminal, a status line stays below what is printed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._status = ""
        self._lock = threading.RLock()

    def isatty(self) -> bool:
        return self._out.isatty()

    def write(self, text: str) -> int:
        with self._lock:
            self._erase()
            written = self._out.write(text)
            if text.endswith("\n"):
                self._out.write(self._status)
            return written

    def flush(self) -> None:
        self._out.flush()

    def echo(self, name: str, line: str) -> None:
        """Print a line of a service."""
        self.write(f"{name} | {line}\n")
        self.flush()

    def show(self, status: str) -> None:
        """Replace the status line."""
        with self._lock:
            self._erase()
            self._status = status[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be erased
            self._out.write(self._status)
            self._out.flush()

    def clear(self) -> None:
        """Remove the status line."""
        self.show("")

    def _erase(self) -> None:
        if self._status:
            self._out.write("\r\x1b[K")


if __name__ == "__main__":
    sys.exit(main())
