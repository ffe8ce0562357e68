"""Knative Services as processes: each runs the `web:` line of the Procfile, and is restarted when it ends."""

import collections
import contextlib
import dataclasses
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from local import parent_watch
from pipeline.errors import PermanentError

log = structlog.get_logger()

SETTINGS_ERROR = 2
"""The exit code of a process whose settings are invalid: a restart would not help."""

_FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 30.0
_STABLE_SECONDS = 60.0
_LAST_LINES = 20
_LAST_OUTPUT_SECONDS = 1.0


class ServiceNotReady(PermanentError):
    """A service did not become ready. The message has its last log lines."""


@dataclasses.dataclass(frozen=True)
class Command:
    """The command of the process of a Knative Service, and its surroundings."""

    name: str
    command: str
    """One command, which a shell expands."""
    root: Path
    """The folder to run it in."""
    environ: Mapping[str, str]
    port: int
    """The port of 127.0.0.1 that the process gets to listen on."""
    log_path: Path
    readiness_path: str


class ServiceProcess:
    """The process of one Knative Service."""

    def __init__(self, command: Command, echo: Callable[[str, str], None] | None = None) -> None:
        """*echo* gets the name of the service and each line that it prints."""
        self._command = command
        self._echo = echo
        self._last_lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._exit_code: int | None = None
        self._was_ready = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # The kernel ties a child to the thread that started it: this one lives as long as the child.
        self._thread = threading.Thread(target=self._keep_running, name=f"service {command.name}", daemon=True)

    @property
    def name(self) -> str:
        """The name of the Service."""
        return self._command.name

    @property
    def url(self) -> str:
        """The address of the Service."""
        return f"http://127.0.0.1:{self._command.port}"

    def start(self) -> None:
        """Start the process and keep it running until `terminate`."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Return whether its process runs at this moment."""
        return self._process is not None

    def is_ready(self) -> bool:
        """Return whether its readiness probe succeeds. Raises `ServiceNotReady` if it never will."""
        if not self._thread.is_alive() and not self._stopping.is_set():
            raise ServiceNotReady(self.complaint())
        connection = http.client.HTTPConnection("127.0.0.1", self._command.port, timeout=1)
        try:
            connection.request("GET", self._command.readiness_path)
            ready = 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self._was_ready = self._was_ready or ready
        return ready

    def complaint(self) -> str:
        """Return why the service is not ready, with its last lines."""
        state = "runs but is not ready" if self.is_alive() else f"ended with exit code {self._exit_code}"
        lines = "".join(f"\n    {line}" for line in self._last_lines) or " none"
        return f"service {self.name} {state}; its last lines:{lines}\n  all of them: {self._command.log_path}"

    def terminate(self) -> None:
        """Send SIGTERM to the process and its children, and do not restart it."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the process and its children."""
        self._signal(signal.SIGKILL)

    def join(self, deadline: float) -> bool:
        """Wait until it is gone, until *deadline* (of `time.monotonic`) at the latest. Returns whether it is gone."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._process is not None:
                os.killpg(self._process.pid, number)

    def _keep_running(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            self._run()
            if self._stopping.is_set():
                return
            if self._exit_code == SETTINGS_ERROR and not self._was_ready:
                return
            if time.monotonic() - started > _STABLE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            ended = {"service": self.name, "code": self._exit_code, "last_lines": list(self._last_lines)[-3:]}
            log.warning("restarting service: it ended", **ended, restart_in_seconds=pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _run(self) -> None:
        """Run the process once, to its end, then kill the children that it left."""
        with self._lock:
            if self._stopping.is_set():
                return
            process = self._process = self._open()
        copying = threading.Thread(target=self._copy_output, args=(process,), name=f"log of {self.name}", daemon=True)
        copying.start()
        # Until it is collected, the ended process keeps its id, so that no other process group can be signalled.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            self._exit_code = process.wait()
            self._process = None
        copying.join(_LAST_OUTPUT_SECONDS)

    def _open(self) -> subprocess.Popen[str]:
        # The shell expands $PORT and the like, and must then be gone: signals and the parent watch are for the service.
        shell = ["/bin/sh", "-c", f"exec {self._command.command.removeprefix('exec ')}"]
        return subprocess.Popen(
            [sys.executable, "-I", "-S", parent_watch.__file__, str(os.getpid()), *shell],
            cwd=self._command.root,
            env={**self._command.environ, "HOST": "127.0.0.1", "PORT": str(self._command.port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def _copy_output(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        with process.stdout as output, self._command.log_path.open("a", encoding="utf-8") as file:
            for line in output:
                file.write(line)
                file.flush()
                self._last_lines.append(line.rstrip("\n"))
                if self._echo is not None:
                    self._echo(self.name, line.rstrip("\n"))


def web_command(root: Path) -> str:
    """The Procfile's `web:` line. Raises `PermanentError` if there is none."""
    procfile = root / "Procfile"
    try:
        lines = procfile.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PermanentError(f"read {procfile}: {error.strerror}; it says how a function is started") from error
    for line in lines:
        kind, _, command = line.partition(":")
        if kind.strip() == "web" and command.strip():
            return command.strip()
    raise PermanentError(f"{procfile} has no line web:, which says how a function is started")


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on at this moment."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    return free_ports(1)[0]
