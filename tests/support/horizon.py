"""A Horizon server with login, refresh, logout and audit events, as far as an adapter can see.

The file imports only the standard library, so that it also runs as it is in a pod: `python horizon.py PORT`, or
`python horizon.py PORT CERTIFICATE KEY` with two PEM files. There it is controlled over HTTP: `POST /control/events`
with a JSON list adds events, `GET /control` returns counts.
"""

import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

DOMAIN, USERNAME, PASSWORD = "corp", "auditor", "correct-horse"
EVENTS_PATH = "/rest/external/v1/audit-events"


@dataclass(frozen=True)
class Scripted:
    """A response to a request for events, in place of the real one."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    drip_seconds: float = 0.0
    """Time between the bytes of the body."""


class HorizonApi:
    """The state of a Horizon server, and its responses."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        """All events, in the order in which they were stored."""
        self.max_size = 1000
        """The maximum number of events in one response, whatever the client requests."""
        self.script: list[Scripted] = []
        """The next responses to requests for events, in order."""
        self.password = PASSWORD
        self.calls: Counter[str] = Counter()
        """Requests by their path's last part: `login`, `refresh`, `logout`, `audit-events`."""
        self.authorizations: list[str] = []
        """The token of each request for events."""
        self._access: set[str] = set()
        self._refresh: set[str] = set()
        self._lock = threading.Lock()

    # ── what a test does ──

    def add(self, *events: dict[str, Any]) -> None:
        """Store *events*."""
        with self._lock:
            self.events.extend(events)

    def expire(self, refresh_tokens: bool = False) -> None:
        """Let all access tokens expire, and with *refresh_tokens* those, too."""
        with self._lock:
            self._access.clear()
            if refresh_tokens:
                self._refresh.clear()

    # ── what it responds ──

    def post(self, path: str, fields: dict[str, Any]) -> tuple[int, object]:
        """Return status and JSON of a `POST` with *fields*."""
        name = path.rpartition("/")[2]
        with self._lock:
            self.calls[name] += 1
            if name == "login":
                return self._log_in(fields)
            if fields.get("refresh_token") not in self._refresh:
                return 400, {"error_message": "the token is invalid or has expired"}
            if name == "refresh":
                return 200, {"access_token": self._issue(self._access, "access")}
            self._refresh.clear()
            self._access.clear()
            return 200, {}

    def _log_in(self, fields: dict[str, Any]) -> tuple[int, object]:
        if fields != {"domain": DOMAIN, "username": USERNAME, "password": self.password}:
            return 401, {"error_message": "bad credentials", "echo": fields}
        access, refresh = self._issue(self._access, "access"), self._issue(self._refresh, "refresh")
        return 200, {"access_token": access, "refresh_token": refresh}

    def _issue(self, tokens: set[str], kind: str) -> str:
        token = f"{kind}-token-{sum(self.calls.values())}-{len(tokens)}"
        tokens.add(token)
        return token

    def get_events(self, token: str, query: dict[str, str]) -> Scripted:
        """Return the response to a request for events."""
        with self._lock:
            self.calls["audit-events"] += 1
            self.authorizations.append(token)
            if self.script:
                return self.script.pop(0)
            if token not in self._access:
                return Scripted(401, b'{"error_message": "the token has expired"}')
            page, more = select(self.events, query, self.max_size)
            headers = {"Content-Type": "application/json;charset=UTF-8"}
            return Scripted(200, json.dumps(page).encode(), headers | ({"HAS_MORE_RECORDS": "TRUE"} if more else {}))


class HorizonServer(HorizonApi):
    """A server on a free port of the loopback interface. A context manager, which may be entered again."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        """Speak TLS if a *context* is given."""
        super().__init__()
        self._address = (host, port)
        self._context = context
        self.connections: set[socket.socket] = set()
        """The connections that are open."""

    @property
    def port(self) -> int:
        """The port it listens on, or listened on last."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen. Returns itself."""
        self._server = ThreadingHTTPServer(self._address, _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if self._context:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self._address = (self._address[0], self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Close all connections and stop listening."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _handler(server: HorizonServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            if self.path == "/control/events":
                server.add(*body)
                self._send(Scripted())
                return
            status, response = server.post(self.path, body)
            self._send(Scripted(status, json.dumps(response).encode()))

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path != EVENTS_PATH:
                self._send(Scripted(200, json.dumps(server.calls).encode()))
                return
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._send(server.get_events(token, query))

        def _send(self, response: Scripted) -> None:
            self.send_response(response.status)
            for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if not response.drip_seconds:
                self.wfile.write(response.body)
                return
            for number in range(len(response.body)):
                self.wfile.write(response.body[number : number + 1])
                self.wfile.flush()
                time.sleep(response.drip_seconds)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            server.connections.add(self.connection)
            try:
                super().handle()
            except OSError:  # one side closed the connection
                self.close_connection = True
            finally:
                server.connections.discard(self.connection)

    return Handler


def select(events: Sequence[dict[str, Any]], query: dict[str, str], max_size: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the page of *events* that *query* asks for, newest first, and whether there are more.

    Events of one millisecond are in no particular order. Without a page or size, the first page is cut off in silence,
    as Horizon's is.
    """
    chosen = list(events)
    if "filter" in query:
        period = json.loads(query["filter"])
        chosen = [event for event in chosen if period["fromValue"] <= event["time"] <= period["toValue"]]
    chosen.sort(key=lambda event: (-event["time"], event["id"] * 7919 % 1009))
    size = min(int(query.get("size", max_size)), max_size)
    first = (int(query.get("page", 1)) - 1) * size
    return chosen[first : first + size], first + size < len(chosen)


def event(number: int, time_ms: int, type_: str = "VLSI_USERLOGGEDIN", **fields: Any) -> dict[str, Any]:
    """Return an event as Horizon sends it."""
    return {
        "id": number,
        "machine_dns_name": "broker.corp.local",
        "message": f"User CORP\\alice has logged in ({number})",
        "module": "Vlsi",
        "severity": "AUDIT_SUCCESS",
        "time": time_ms,
        "type": type_,
        "user_id": "S-1-5-21-1",
        "not_in_the_payload": "x",
        **fields,
    }


def _context(certificate_and_key: Sequence[str]) -> ssl.SSLContext | None:
    """Return what TLS needs. None without files."""
    if not certificate_and_key:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_and_key)
    return context


if __name__ == "__main__":
    with HorizonServer(int(sys.argv[1]), "0.0.0.0", _context(sys.argv[2:])):
        threading.Event().wait()
