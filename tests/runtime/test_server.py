"""The server drains: what it accepted is answered, and health checks are until the end."""

import threading
import time

from pipeline.cloudevents import HTTPMessage
from runtime.adapter import Outcome
from tests.runtime.serving import serving


def test_head_options_and_other_methods_are_answered() -> None:
    with serving() as client:
        assert client.request("HEAD", "/")[::2] == (200, b"")
        assert client.request("GET", "/").body.startswith(b"This is the function a test")
        assert client.request("OPTIONS", "/").headers["allow"] == "GET, HEAD, POST, OPTIONS"
        assert client.request("DELETE", "/").status == 405
        assert client.request("GET", "/nothing").status == 404
        assert client.request("POST", "/health/readiness").status == 405


def test_drain_finishes_requests_and_answers_health_probes() -> None:
    started, release = threading.Event(), threading.Event()

    def slow(_message: HTTPMessage) -> Outcome:
        started.set()
        release.wait(10)
        return Outcome(202)

    with serving(slow, on_loop=False) as client:
        replies: list[int] = []
        posting = threading.Thread(target=lambda: replies.append(client.request("POST", "/", b"hi").status))
        posting.start()
        assert started.wait(5)
        draining = threading.Thread(target=client.server.drain, args=(lambda: None,))
        draining.start()
        deadline = time.monotonic() + 5
        while client.request("GET", "/health/readiness").status != 503:
            assert time.monotonic() < deadline
        assert client.request("GET", "/health/liveness").status == 200
        release.set()
        posting.join(5)
        draining.join(5)

    assert replies == [202]


def test_new_events_are_answered_while_the_server_drains() -> None:
    statuses: list[int] = []
    stop = threading.Event()
    with serving() as client:

        def post() -> None:
            while not stop.is_set():
                try:
                    statuses.append(client.request("POST", "/", b"hi").status)
                except ConnectionError:  # closed before it was accepted
                    stop.set()

        posting = [threading.Thread(target=post) for _ in range(4)]
        for thread in posting:
            thread.start()
        assert client.server.drain(lambda: None)
        stop.set()
        for thread in posting:
            thread.join(5)

    assert statuses
    assert set(statuses) <= {200, 503}
