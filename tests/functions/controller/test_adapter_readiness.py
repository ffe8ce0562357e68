"""Tests of the question to an adapter why it is not ready."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from functions.controller import adapter_readiness
from functions.controller.adapter_readiness import AdapterReadiness
from tests.support.api_server import free_port

REASON = "not logged in to vCenter yet: no route to host"


@contextmanager
def adapter(status: int, port: int = 0) -> Iterator[int]:
    """Run a server whose readiness is *status*. Yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/readiness" else 404)
            self.end_headers()
            self.wfile.write(f"{REASON}\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_adapter_without_login_answers_why() -> None:
    with adapter(503) as port:
        assert AdapterReadiness(port).ask("127.0.0.1") == REASON


def test_adapter_that_is_ready_has_no_reason() -> None:
    with adapter(200) as port:
        assert AdapterReadiness(port).ask("127.0.0.1") == ""


def test_adapter_that_begins_to_listen_gives_its_reason() -> None:
    port = free_port()
    readiness = AdapterReadiness(port)
    assert readiness.ask("127.0.0.1") == ""

    with adapter(503, port):
        assert readiness.ask("127.0.0.1") == REASON


def test_silent_adapter_is_left_alone_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_readiness, "SECONDS", 0.05)
    now = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        readiness = AdapterReadiness(port, lambda: now[0])
        for time in (0.0, 10.0, 30.0):
            now[0] = time
            assert readiness.ask("127.0.0.1") == ""

    with adapter(503, port):
        now[0] = 69.9
        assert readiness.ask("127.0.0.1") == ""
        now[0] = 70.0
        assert readiness.ask("127.0.0.1") == REASON
