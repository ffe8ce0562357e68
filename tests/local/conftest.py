"""What tests of the local engine share: a subscriber that answers as told, and manifests in a folder."""

import asyncio
import http.client
import http.server
import json
import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

BROKER_WITH_DEAD_LETTERS = """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: vcenter-events}
spec:
  delivery:
    retry: 1
    backoffPolicy: exponential
    backoffDelay: PT0.1S
    deadLetterSink:
      ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: deadletter, namespace: vcenter-events}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
  sink:
    ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}
---
"""
"""The Broker of config/ with a quick retry: what it cannot deliver goes to deadletter, and is redriven to it."""


class Request(NamedTuple):
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What to answer with."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Subscriber:
    """A real HTTP server that keeps what it gets and answers what *answer* says."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.requests: queue.Queue[Request] = queue.Queue()
        self.answer = answer
        subscriber = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                subscriber.requests.put(request)
                answer = subscriber.answer(request)
                self.send_response(answer.status)
                for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that went away before its answer is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def next(self, seconds: float = 10) -> Request:
        """The next request, waited for."""
        return self.requests.get(timeout=seconds)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def subscriber() -> Iterator[Callable[..., Subscriber]]:
    """Makes subscribers: `subscriber()` answers 200, `subscriber(lambda request: Answer(503))` otherwise."""
    made: list[Subscriber] = []

    def make(answer: Callable[[Request], Answer] = lambda _: Answer()) -> Subscriber:
        made.append(Subscriber(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Writes a manifest file; gives its path."""

    def write(text: str, name: str = "objects.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


SERVER = """
import http.server, json, os, signal, subprocess, sys

mode = os.environ.get("MODE", "")
if mode == "refuse":
    print("COLOUR is not set")
    sys.exit(2)
if mode == "crash-once" and not os.path.exists(os.environ["MARK"]):
    open(os.environ["MARK"], "w").close()
    print("first run fails", flush=True)
    sys.exit(1)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"]) if mode == "child" else None

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "child": child and child.pid, "environ": dict(os.environ)}).encode()
        self.send_response(200 if mode != "unready" else 503)
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/die":
            os._exit(1)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        print("got", self.headers["ce-type"], self.headers["ce-id"], body.decode(), flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

print("listening", flush=True)
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose `web:` line runs a small server, which MODE makes behave or not."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "server.py").write_text(SERVER)
    (root / "Procfile").write_text("release: true\nweb: python server.py\n")
    return root


def get(url: str) -> Any:
    """What a project's server tells of itself: pid, child, environ."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def is_running(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until *condition* holds."""
    asyncio.run(until(condition, seconds))


def post(url: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> tuple[int, str]:
    """Send a request; the status and the body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def event_headers(event_id: str = "1", event_type: str = "a.b", **extensions: str) -> dict[str, str]:
    """The headers of a binary event."""
    required = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/test", "ce-type": event_type}
    return {**required, **{f"ce-{name}": value for name, value in extensions.items()}}


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads and processes
            await asyncio.sleep(0.005)
