"""A function served by the real launcher, in a process of its own."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.headers import headers
from tests.support.manifests import TOKEN

ROOT = Path(__file__).parent.parent.parent

LOGIN = "reader:of-the-tests"
"""The `DISPLAY_LOGIN` with which the tests' browser logs in, and `Served` with it."""

BASIC = f"Basic {base64.b64encode(LOGIN.encode()).decode()}"
"""The same as the header Authorization."""

SENDING = {"DISPLAY_ALLOW_SEND": "true", "DISPLAY_LOGIN": LOGIN, "DISPLAY_DEAD_LETTERS_TOKEN": TOKEN}
"""The settings of a display that may send, redrive and drop."""


def launch(function: str, **environ: str) -> "subprocess.Popen[str]":
    """The launcher of *function* on a free port, its output piped."""
    return subprocess.Popen(
        [sys.executable, "launcher.py"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FUNCTION": function, "HOST": "127.0.0.1", "PORT": "0", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Served:
    """A running function. `with` ends its process."""

    def __init__(self, function: str, **environ: str) -> None:
        self.process = launch(function, **environ)
        assert self.process.stdout is not None
        self.lines: list[dict[str, Any]] = []
        self.started: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        """Headers of every request that do not give others."""
        if environ.get("DISPLAY_LOGIN") == LOGIN:
            self.headers["Authorization"] = BASIC
        try:
            while "address" not in self.started:
                line = self.process.stdout.readline()
                assert line, self.process.communicate()[1]
                self.started = json.loads(line)
                self.lines.append(self.started)
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        self.address: str = self.started["address"]
        self.port: int = urlsplit(self.address).port or 0
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(json.loads(line) for line in self.process.stdout)

    def connect(self, timeout: float = 10) -> HTTPConnection:
        """A new connection, which the caller closes."""
        return HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] = {}
    ) -> tuple[int, str]:
        """(status, body) of one request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def post(self, data: Any = None, **attributes: str) -> tuple[int, str]:
        """Post an event with *attributes*, and with *data* as JSON unless it is text or bytes."""
        body = data if isinstance(data, bytes | str) else json.dumps(data)
        return self.request("POST", "/", body.encode() if isinstance(body, str) else body, headers(**attributes))

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 12) -> int:
        """The exit code, once the process has ended and its log was read."""
        code = self.process.wait(timeout)
        self._reading.join(timeout)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
