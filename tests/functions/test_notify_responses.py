"""notify with services that respond with more, or for longer, than anybody needs."""

import gzip
from collections.abc import Iterable, Iterator

import pytest
import requests

from functions import notify
from functions.notify import responses
from pipeline import bounds
from pipeline.errors import TemporaryError
from tests.support.drip import drip
from tests.support.events import vcenter_event
from tests.support.hostile_server import HostileServer, response

MB = 1_000_000


def send(port: int) -> None:
    """Have notify send an event to the service on *port*."""
    function = notify.create({"NOTIFY_URLS": f"json://127.0.0.1:{port}/", "NOTIFY_SEVERITY": "info"})
    try:
        function.handle(vcenter_event("https://vcenter.example/sdk", "VmPoweredOffEvent"))
    finally:
        function.close()


@pytest.mark.parametrize("status", [b"200 OK", b"500 Oops"])
def test_large_response_is_read_to_its_bound(status: bytes) -> None:
    sent = 0

    def endless(head: bytes, body: bytes) -> Iterator[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 " + status + b"\r\nContent-Length: 200000000\r\n\r\n"
        for _ in range(200):
            yield b"x" * MB
            sent += MB

    with HostileServer(endless) as server:
        if status.startswith(b"2"):
            send(server.port)
        else:
            with pytest.raises(TemporaryError):
                send(server.port)
    assert sent < 20 * MB  # what the system's buffers hold


def test_compressed_response_is_read_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = []
    read = responses._read

    def recording(received: requests.Response) -> bytes:
        bodies.append(read(received))
        return bodies[-1]

    monkeypatch.setattr(responses, "_read", recording)

    def bomb(head: bytes, body: bytes) -> Iterable[bytes]:
        return [response(gzip.compress(b"x" * 50 * MB), b"Content-Encoding: gzip\r\n")]

    with HostileServer(bomb) as server:
        send(server.port)
    assert [len(body) for body in bodies] == [bounds.RECEIVER_RESPONSE_BYTES]


def test_response_without_end_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "RESPONSE_SECONDS", 0.5)
    with drip(b"HTTP/1.1 200 OK\r\n\r\n", 0.05) as address, pytest.raises(TemporaryError):
        send(int(address.rpartition(":")[2].partition("/")[0]))
