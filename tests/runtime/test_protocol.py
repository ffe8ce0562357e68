"""Requests that break HTTP or a limit are rejected with a status and a reason, whatever they are."""

import contextlib
import time

import pytest

from pipeline.cloudevents import HTTPMessage
from runtime.adapter import Outcome
from tests.runtime.client import reply
from tests.runtime.serving import serving

POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (POST + b"Content-Length: -1\r\n\r\nhello", 400, b"Content-Length"),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, b"Content-Length"),
        (POST + b"Content-Length: 5x\r\n\r\nhello", 400, b"Content-Length"),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, b"Content-Length"),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, b"Transfer-Encoding"),
        (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, b"header"),
        (CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n", 400, b"chunk"),
        (CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", 400, b"chunk size"),
        (CHUNKED + CHUNK * 40 + b"0\r\n\r\n", 413, b"HTTP_MAX_BODY_BYTES"),
        (POST + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, 413, b"HTTP_MAX_BODY_BYTES"),
        (POST + b"X: " + b"y" * 200_000 + b"\r\n\r\n", 431, b"HTTP_MAX_HEADER_BYTES"),
        (POST + b"X: " + b"y" * 200_000, 431, b"HTTP_MAX_HEADER_BYTES"),
        (POST + b"".join(b"X-%d: y\r\n" % number for number in range(300)) + b"\r\n", 431, b"HTTP_MAX_HEADERS"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431, b"HTTP_MAX_HEADER_BYTES"),
        (b"hello world\r\n\r\n", 400, b"malformed request"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, b"malformed request"),
        (POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello", 400, b"upgrade"),
    ],
)
def test_breach_is_answered_with_its_status_and_reason(data: bytes, status: int, reason: bytes) -> None:
    with serving() as client:
        rejected = client.exchange(data)

        assert rejected.status == status
        assert reason in rejected.body
        assert rejected.headers["connection"] == "close"
        assert client.request("POST", "/", b"after").body == b"5"


@pytest.mark.parametrize(
    "data",
    [POST, POST + b"Content-Length: 30\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"5\r\nhe", b"POST / HT"],
)
def test_request_that_ends_early_is_rejected_and_never_handled(data: bytes) -> None:
    with serving() as client:
        rejected = client.exchange(data, finish=True)

    assert rejected.status == 400
    assert b"ended before it was complete" in rejected.body


@pytest.mark.parametrize(
    ("data", "reason"),
    [(POST, b"HTTP_HEADER_TIMEOUT"), (POST + b"Content-Length: 30\r\n\r\nhello", b"HTTP_BODY_TIMEOUT")],
)
def test_request_that_stalls_is_answered_408(data: bytes, reason: bytes) -> None:
    with serving(HTTP_HEADER_TIMEOUT="0.3s", HTTP_BODY_TIMEOUT="0.3s") as client:
        rejected = client.exchange(data)

    assert rejected.status == 408
    assert reason in rejected.body


def test_headers_that_trickle_are_cut_off_in_time() -> None:
    with serving(HTTP_HEADER_TIMEOUT="0.5s") as client, client.connection() as connection:
        begun = time.monotonic()
        for byte in POST:
            connection.sendall(bytes([byte]))
            if time.monotonic() - begun > 0.3:
                break
            time.sleep(0.05)
        assert reply(connection).status == 408


def test_silent_connection_is_closed_without_a_response() -> None:
    with serving(HTTP_HEADER_TIMEOUT="0.3s") as client, client.connection() as connection:
        assert connection.recv(100) == b""


def test_idle_connection_outlives_the_header_timeout() -> None:
    request = POST + b"Content-Length: 2\r\n\r\nhi"
    with serving(HTTP_HEADER_TIMEOUT="0.3s") as client, client.connection() as connection:
        connection.sendall(request)
        assert reply(connection).body == b"2"
        time.sleep(1.2)
        connection.sendall(request)
        assert reply(connection).body == b"2"


def test_too_many_connections_get_503_but_health_is_answered() -> None:
    with serving(HTTP_MAX_CONNECTIONS="2") as client, client.connection(), client.connection():
        assert client.request("POST", "/", b"hi").status == 503
        assert client.request("GET", "/health/liveness").status == 200
        assert client.request("GET", "/health/readiness").status == 200


def test_rejected_requests_are_counted_by_status() -> None:
    with serving() as client:
        client.exchange(POST + b"Content-Length: -1\r\n\r\nhello")
        client.exchange(POST + b"Content-Length: 3000000\r\n\r\n")
        exposed = client.request("GET", "/metrics").body.decode()

    assert 'vcenter_events_http_rejected_total{status="400"} 1.0' in exposed
    assert 'vcenter_events_http_rejected_total{status="413"} 1.0' in exposed


def test_client_that_reads_nothing_is_dropped() -> None:
    def large(_message: HTTPMessage) -> Outcome:
        return Outcome(200, {}, b"x" * 50_000_000)

    with serving(large, HTTP_WRITE_TIMEOUT="0.3s") as client, client.connection() as connection:
        connection.sendall(POST + b"Content-Length: 0\r\n\r\n")
        time.sleep(2)
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(1_000_000):
                received += len(data)

    assert received < 50_000_000


def test_places_of_closed_connections_are_free_again() -> None:
    with serving(HTTP_MAX_CONNECTIONS="2") as client:
        for _ in range(20):
            assert client.request("POST", "/", b"hi").status == 200


def test_chunked_body_is_read_whole() -> None:
    with serving() as client:
        assert client.exchange(CHUNKED + CHUNK * 3 + b"0\r\n\r\n").body == b"196608"


def test_requests_sent_at_once_are_answered_in_order() -> None:
    requests = b"".join(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size for size in (3, 2, 1))
    with serving() as client, client.connection() as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"1"):
            received += connection.recv(65536)

    assert [part[-1:] for part in received.split(b"HTTP/1.1 200")[1:]] == [b"3", b"2", b"1"]


def test_upgrade_without_a_body_is_ignored() -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with serving() as client:
        assert client.exchange(request).status == 200


def test_expect_continue_is_answered() -> None:
    with serving() as client, client.connection() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hello")
        assert reply(connection).body == b"5"
