"""A real HTTP server that records each request and responds as a test configures it.

The file imports only the standard library, so that it also runs as it is in a pod: `python recorder.py PORT`. There it
is controlled over HTTP:

- `PUT /box` with a JSON list of responses scripts the responses to `POST /box`,
- `GET /box` returns the requests to that path,
- `GET /` returns all requests, by path.
"""

import base64
import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LISTEN_BACKLOG = 512
NEXT_SECONDS = 10.0


@dataclass(frozen=True)
class Response:
    """A response to a request."""

    status: int = 202
    """0 closes the connection without a response."""
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body.encode() if isinstance(self.body, str) else self.body


OK = Response()


@dataclass(frozen=True)
class Request:
    """A recorded request."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    """`time.time()` when it had been read."""
    status: int = 0
    """The status of its response, 0 if the connection was closed instead."""

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers.get("ce-id", "")

    @property
    def attributes(self) -> dict[str, str]:
        """The event's attributes in headers, without `ce-`."""
        return {name[3:]: value for name, value in self.headers.items() if name.startswith("ce-")}


class Gauge:
    """A number of things that go on at the same time, and its maximum so far."""

    def __init__(self) -> None:
        self.now = 0
        self.maximum = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count one within the block."""
        with self._lock:
            self.now += 1
            self.maximum = max(self.maximum, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


class Recorder:
    """A server on *port* (0: a free one) of the loopback interface. A context manager.

    Responses come from `statuses` while it lasts, then from the script of the request's path, then from `respond`.
    """

    def __init__(
        self, respond: Callable[[Request], Response] = lambda _: OK, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.respond = respond
        """Returns the response to a request, which is not in `requests` yet.

        It is called for one request at a time: delay responses by `gate` or `Response.after_seconds`. Tests may
        replace it at any time.
        """
        self.statuses: list[int] = []
        """The statuses of the next responses, in order."""
        self.gate = threading.Event()
        """Responses wait for it. It is open unless a test closes it."""
        self.gate.set()
        self.requests: list[Request] = []
        """Each request, in order of arrival."""
        self.waiting = Gauge()
        """The requests that wait for their responses."""
        self._address = (host, port)
        self._scripts: dict[str, list[Response]] = {}
        self._changed = threading.Condition()
        self._returned = 0

    # ── what came ──

    @property
    def accepted(self) -> list[Request]:
        """The requests that got a 2xx, in order."""
        return [request for request in list(self.requests) if 200 <= request.status < 300]

    @property
    def ids(self) -> list[int]:
        """The numeric ids of the accepted events, in order."""
        return [int(request.id) for request in self.accepted if request.id.isdigit()]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The parsed JSON bodies of the accepted requests, in order."""
        return [json.loads(request.body) for request in self.accepted]

    def next(self, seconds: float = NEXT_SECONDS) -> Request:
        """Return the oldest request that this method has not returned yet. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) > self._returned, seconds):
                raise TimeoutError(f"{self.url}: no request within {seconds:g} s, after {self._returned}")
            self._returned += 1
            return self.requests[self._returned - 1]

    def box(self, name: str) -> list[Request]:
        """The requests to the path */name*, in order."""
        return [request for request in list(self.requests) if request.path.strip("/") == name]

    # ── what it responds ──

    def script(self, name: str, responses: Sequence[Response]) -> None:
        """Respond to requests to */name* with *responses*, in order. The last one repeats."""
        with self._changed:
            self._scripts[name] = list(responses)

    def record(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Record a request. Returns the response to it."""
        with self._changed:
            request = Request(path, headers, body, time.time())
            response = self._response(request)
            self.requests.append(Request(path, headers, body, request.at, response.status))
            self._changed.notify_all()
        return response

    def _response(self, request: Request) -> Response:
        if self.statuses:
            return Response(self.statuses.pop(0))
        if script := self._scripts.get(request.path.strip("/")):
            return script[min(len(self.box(request.path.strip("/"))), len(script) - 1)]
        return self.respond(request)

    # ── the server ──

    @property
    def port(self) -> int:
        """The port it listens on, or listened on last."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def json_url(self) -> str:
        """Its address in apprise's notation."""
        return f"json://127.0.0.1:{self.port}/"

    def start(self) -> "Recorder":
        """Listen. Returns itself."""
        self._server = _Server(self._address, self)
        self._address = (self._address[0], self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Close all connections and stop listening. A second call does nothing."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Recorder":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = LISTEN_BACKLOG

    def __init__(self, address: tuple[str, int], recorder: Recorder) -> None:
        super().__init__(address, _Handler)
        self.recorder = recorder
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            for connection in self._connections:
                _abort(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that closed its connection before the response."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet
    server: _Server

    def do_POST(self) -> None:
        recorder = self.server.recorder
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read()
        with recorder.waiting.counted():
            response = recorder.record(self.path, headers, body)
            recorder.gate.wait()
            time.sleep(response.after_seconds)
        if response.status == 0:
            self.close_connection = True
            _abort(self.connection)
            return
        self._send(response.status, response.content, response.headers)

    def do_PUT(self) -> None:
        self.server.recorder.script(self.path.strip("/"), [Response(**fields) for fields in json.loads(self._read())])
        self._send(204)

    def do_GET(self) -> None:
        boxes: dict[str, list[dict[str, Any]]] = {}
        for request in list(self.server.recorder.requests):
            boxes.setdefault(request.path.strip("/"), []).append(to_json(request))
        name = self.path.strip("/")
        body = json.dumps(boxes.get(name, []) if name else boxes).encode()
        self._send(200, body, {"content-type": "application/json"})

    def _read(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def _abort(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


# ── requests as JSON ──


def to_json(request: Request) -> dict[str, Any]:
    """Return *request* as JSON values, its body in base64."""
    return {**asdict(request), "headers": dict(request.headers), "body": base64.b64encode(request.body).decode()}


def from_json(recorded: Sequence[Mapping[str, Any]]) -> list[Request]:
    """Return the requests that `to_json` wrote."""
    return [Request(**{**fields, "body": base64.b64decode(fields["body"])}) for fields in recorded]


if __name__ == "__main__":
    Recorder(port=int(sys.argv[1]), host="0.0.0.0").start()
    threading.Event().wait()
