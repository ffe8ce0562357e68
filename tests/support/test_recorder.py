"""Tests of the recording HTTP server."""

import json
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from local.services import free_port
from tests.support import recorder as recorder_module
from tests.support.client import post, send
from tests.support.recorder import Recorder, Request, Response, from_json, to_json
from tests.support.waiting import is_true_within, wait_until


def test_request_is_recorded_with_the_status_of_its_response() -> None:
    with Recorder(lambda request: Response(503 if request.id == "1" else 202)) as recorder:
        assert post(f"{recorder.url}/in", {"Ce-Id": "1"}, b"a")[0] == 503
        assert post(f"{recorder.url}/in", {"Ce-Id": "2"}, b"b")[0] == 202

    assert [(request.path, request.id, request.body, request.status) for request in recorder.requests] == [
        ("/in", "1", b"a", 503),
        ("/in", "2", b"b", 202),
    ]
    assert recorder.ids == [2]


def test_statuses_come_before_the_script_and_the_script_repeats() -> None:
    with Recorder() as recorder:
        recorder.script("box", [Response(201), Response(500, "no", {"x-why": "test"})])
        recorder.statuses = [400]

        responses = [post(f"{recorder.url}/box") for _ in range(4)]

    assert responses == [(400, ""), (500, "no"), (500, "no"), (500, "no")]


def test_closed_gate_holds_responses_and_not_requests() -> None:
    with Recorder() as recorder:
        recorder.gate.clear()
        threads = [threading.Thread(target=post, args=(recorder.url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(recorder.requests) == 3)
        assert all(thread.is_alive() for thread in threads)
        recorder.gate.set()
        for thread in threads:
            thread.join(5)

    assert recorder.waiting.maximum == 3


def test_status_0_closes_the_connection() -> None:
    with Recorder(lambda _: Response(0)) as recorder, pytest.raises(ConnectionError):
        post(recorder.url)


def test_stopped_recorder_frees_its_port_for_the_next() -> None:
    with Recorder() as first:
        post(first.url)
    with pytest.raises(ConnectionError):
        post(first.url)

    with Recorder(port=first.port) as second:
        assert post(first.url)[0] == 202

    assert len(second.requests) == 1


def test_next_raises_when_nothing_comes() -> None:
    with Recorder() as recorder, pytest.raises(TimeoutError, match="no request within 0 s"):
        recorder.next(0)


def test_requests_survive_json() -> None:
    request = Request("/box", {"ce-id": "1"}, bytes(range(256)), 1.5, 202)

    assert from_json([json.loads(json.dumps(to_json(request)))]) == [request]


def test_file_alone_is_a_server_that_is_controlled_over_http() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-I", str(recorder_module.__file__), str(port)]) as process:
        try:
            assert is_true_within(10, lambda: _is_listening(url))
            assert send("PUT", f"{url}/box", body=json.dumps([asdict(Response(503, "later"))]).encode())[0] == 204
            assert post(f"{url}/box", {"ce-id": "1"}, b"data") == (503, "later")
            [request] = from_json(json.loads(send("GET", f"{url}/box")[1]))
        finally:
            process.kill()

    assert (request.id, request.body, request.status) == ("1", b"data", 503)


def _is_listening(url: str) -> bool:
    try:
        return send("GET", url)[0] == 200
    except OSError:
        return False
