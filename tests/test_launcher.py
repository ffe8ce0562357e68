"""The launcher as a process: start, limits, signals, draining."""

import socket
import threading
import time
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

import pytest

import launcher
from local.services import free_port
from runtime import VERSION
from tests.support.headers import headers
from tests.support.recorder import Recorder
from tests.support.serving import Served, launch
from tests.support.waiting import wait_until

# ── start ──


def test_start_line_has_function_address_and_version() -> None:
    with Served("display") as served:
        assert served.started["message"] == "serving"
        assert (served.started["function"], served.started["version"]) == ("display", VERSION)
        assert served.request("GET", "/health/readiness") == (200, "ready\n")


def test_every_invalid_setting_is_listed_without_a_traceback() -> None:
    process = launch(
        "notify", PORT="eighty", THREADS="0", NOTIFY_TITLE="{{ open", NOTIFY_URLS="json://ok nonsense://x:pw@y"
    )
    _, output = process.communicate(timeout=10)
    assert process.returncode == 2
    assert [name for name in ("PORT", "THREADS", "NOTIFY_TITLE", "NOTIFY_URLS") if f"- {name} " not in output] == []
    assert "number 2" in output
    assert "pw" not in output
    assert "Traceback" not in output


def test_unknown_function_is_rejected_with_the_list_of_names() -> None:
    process = launch("pager")
    _, output = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "'pager', not one of attribute, capacity, controller, deadletter, display" in output


def test_port_in_use_is_reported_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = launch("display", PORT=str(port))
        _, output = process.communicate(timeout=10)
    assert process.returncode == 1
    assert output == f"launcher: cannot listen on 127.0.0.1:{port} (HOST and PORT): Address already in use\n"


def test_help_lists_the_functions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        launcher.main(["--help"], {})
    assert exited.value.code == 0
    assert "FUNCTION is one of attribute, capacity, controller, deadletter, display" in capsys.readouterr().out


# ── limits ──


def test_limits_are_settings() -> None:
    with Served("display", HTTP_MAX_BODY_BYTES="2000") as served:
        assert served.post("x" * 2000)[0] == 202
        assert served.post("x" * 2001)[0] == 413


def test_connection_serves_more_than_one_request() -> None:
    with Served("display") as served:
        connection = served.connect()
        for number in range(3):
            connection.request("POST", "/", b"{}", headers(id=str(number)))
            response = connection.getresponse()
            assert (response.status, response.read()) == (202, b"")
            assert connection.sock is not None  # the server did not ask to close it
        connection.close()


def test_viewers_beyond_the_allowed_number_are_answered_503() -> None:
    with Served("display", DISPLAY_VIEWERS="3") as served:
        viewers = [served_connection(served) for _ in range(3)]
        for viewer in viewers:
            viewer.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert viewer.recv(15) == b"HTTP/1.1 200 OK"
        assert served.request("GET", "/api/events")[0] == 503
        assert served.post({})[0] == 202
        for viewer in viewers:
            viewer.close()


# ── signals ──


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_signal_ends_open_streams_and_the_process(number: Signals) -> None:
    with Served("display") as served, served_connection(served) as viewer:
        viewer.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"event: reset" in read_until(viewer, b"reset")
        signalled = time.monotonic()
        served.signal(number)
        assert read_until(viewer, b"0\r\n\r\n").endswith(b"0\r\n\r\n")  # the stream's regular end
        assert served.wait() == 0
        assert time.monotonic() - signalled < 3
    stopped = [line for line in served.lines if line["message"] == "stopped"]
    assert [(line["reason"], line["drained"]) for line in stopped] == [(number.name, True)]


def test_request_under_way_finishes_and_new_events_get_503() -> None:
    with Recorder() as receiver, Served("notify", NOTIFY_URLS=receiver.json_url) as served:
        receiver.gate.clear()
        responses: list[tuple[int, str]] = []
        posting = threading.Thread(target=lambda: responses.append(served.post({})))
        posting.start()
        wait_until(lambda: bool(receiver.requests))
        served.signal(SIGTERM)
        wait_until(lambda: served.request("POST", "/")[0] == 503)  # until then 400: it is not an event
        assert served.request("GET", "/health/readiness") == (503, "draining\n")
        assert served.request("GET", "/health/liveness") == (200, "alive\n")
        receiver.gate.set()
        posting.join(10)
        assert responses == [(202, "")]
        assert served.wait() == 0


def test_second_signal_ends_the_process_at_once() -> None:
    with Recorder() as receiver, Served("notify", NOTIFY_URLS=receiver.json_url) as served:
        receiver.gate.clear()
        with served_connection(served) as client:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers().items())
            client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{lines}\r\n{{}}".encode())
            wait_until(lambda: bool(receiver.requests))
            served.signal(SIGTERM)
            wait_until(lambda: served.request("GET", "/health/readiness")[0] == 503)
            signalled = time.monotonic()
            served.signal(SIGTERM)
            assert served.wait() == 128 + SIGTERM
            assert time.monotonic() - signalled < 1


# ── raw connections ──


def served_connection(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    read = b""
    while end not in read and (more := connection.recv(65536)):
        read += more
    return read


# ── mounted settings ──


def test_function_without_settings_answers_until_they_come(tmp_path: Path) -> None:
    with Recorder() as receiver, Served("notify", SETTINGS_PATH=str(tmp_path), PORT=str(free_port())) as served:
        assert served.request("GET", "/health/readiness")[0] == 200
        status, reason = served.post({})
        assert (status, "NOTIFY_URLS is not set" in reason) == (503, True)

        (tmp_path / "NOTIFY_URLS").write_text(receiver.json_url)

        wait_until(lambda: responds(served, 202))
        assert len(receiver.requests) == 1


def test_changed_setting_takes_effect_after_a_drain(tmp_path: Path) -> None:
    (tmp_path / "DISPLAY_TOKEN").write_text("before")
    with Served("display", SETTINGS_PATH=str(tmp_path), PORT=str(free_port())) as served:
        (tmp_path / "DISPLAY_TOKEN.tmp").write_text("after")
        (tmp_path / "DISPLAY_TOKEN.tmp").rename(tmp_path / "DISPLAY_TOKEN")
        wait_until(lambda: len([line for line in served.lines if line["message"] == "serving"]) == 2)
        [stopped] = [line for line in served.lines if line["message"] == "stopped"]
        assert (stopped["reason"], stopped["drained"]) == ("the settings changed", True)


def test_invalid_setting_of_the_process_is_not_waited_for(tmp_path: Path) -> None:
    process = launch("notify", SETTINGS_PATH=str(tmp_path), THREADS="0")
    _, output = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "- THREADS " in output


def responds(served: Served, status: int) -> bool:
    """Return True if an event gets *status*. A process that starts again refuses connections."""
    try:
        return served.post({})[0] == status
    except OSError:
        return False
