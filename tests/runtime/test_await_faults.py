"""An exception at every await of the HTTP server's loop: it goes on serving, or the process is asked to end."""

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import structlog
import uvloop

from pipeline.settings import read
from runtime.build import build
from runtime.functions import open_function
from runtime.server import Server
from runtime.settings import LimitSettings
from tests.support.faults import AwaitFault, InjectedError
from tests.support.headers import headers
from tests.support.waiting import is_true_within

MAX_AWAITS = 200


class Page:
    """A client that posts events and reads the stream of the page."""

    def __init__(self, address: str) -> None:
        self._port = urlsplit(address).port or 0

    def shows(self, number: int) -> bool:
        """Post an event, and return whether the stream has it before it ends."""
        if self._post(number) != 202:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/api/events")
            response = connection.getresponse()
            while line := response.readline():
                if f'"event-{number}"'.encode() in line:
                    return True
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return False

    def _slowly(self) -> Iterator[bytes]:
        """Yield a body in two packets, so that the server waits for the second."""
        yield b"{"
        time.sleep(0.02)
        yield b"}"

    def _post(self, number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("POST", "/", self._slowly(), {**headers(id=f"event-{number}"), "content-length": "2"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def serve(fault: AwaitFault, ended: threading.Event) -> Server:
    application = build("display", open_function("display", {}), 4)
    server = Server(application, read(LimitSettings, {}), "127.0.0.1", 0)
    page = Page(server.start(ended.set))
    for number in range(2):
        if not is_true_within(10, lambda number=number: ended.is_set() or page.shows(number)):  # type: ignore[misc]
            raise AssertionError("neither served nor ended")
    return server


@pytest.mark.timeout(240)  # about ten runs
@pytest.mark.parametrize("error", [InjectedError, asyncio.CancelledError])
def test_error_at_any_await_ends_no_server_in_silence(
    error: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_event_loop = uvloop.new_event_loop
    for number in range(1, MAX_AWAITS):
        fault, ended = AwaitFault(number, error), threading.Event()
        monkeypatch.setattr(uvloop, "new_event_loop", lambda fault=fault: fault.install(new_event_loop()))
        with structlog.testing.capture_logs() as lines:
            server = serve(fault, ended)
            has_ended = ended.is_set()
            fault.disarm()
            server.drain(lambda: None)
        assert not has_ended or any("exc_info" in line for line in lines), f"ended in silence at await {number}"
        assert ended.wait(5)
        if not fault.has_struck:
            break
    assert 5 < number < MAX_AWAITS - 1, number
