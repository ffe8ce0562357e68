"""A response of any size and pace is read to a limit."""

import pytest
import urllib3

from pipeline.body import UnreadableBody, read_body
from tests.support.drip import drip
from tests.support.recorder import Recorder, Response

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"


def read(url: str, max_bytes: int, seconds: float) -> bytes:
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        response = pool.request("POST", url, preload_content=False)
        try:
            return read_body(response, max_bytes, seconds)
        finally:
            response.close()


def test_body_of_the_maximum_size_is_read() -> None:
    with Recorder(lambda _: Response(200, "x" * 1000)) as server:
        assert read(server.url, 1000, 5) == b"x" * 1000


def test_longer_body_is_rejected() -> None:
    with (
        Recorder(lambda _: Response(200, "x" * 1001)) as server,
        pytest.raises(UnreadableBody, match="more than 1000 bytes"),
    ):
        read(server.url, 1000, 5)


def test_body_that_drips_is_rejected_in_time() -> None:
    with drip(CHUNKED, 0.02) as url, pytest.raises(UnreadableBody, match="not complete within"):
        read(url, 10**6, 0.2)


def test_compressed_body_stays_compressed() -> None:
    packed = b"\x1f\x8b" + bytes(100)
    with Recorder(lambda _: Response(200, packed, {"content-encoding": "gzip"})) as server:
        assert read(server.url, 1000, 5) == packed
