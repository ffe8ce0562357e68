"""The function adapter, through parliament's own Flask application: request → event, error → status."""

import json
from collections.abc import Callable
from typing import Any

import parliament.server
import pytest
from flask import Blueprint
from flask.testing import FlaskClient

import func
from pipeline.cloudevents import CloudEvent, create
from pipeline.errors import PermanentError, SettingsError, TemporaryError
from runtime.functions import open_function
from tests.support.headers import headers
from tests.support.malformed_requests import MALFORMED, MalformedRequest


class Recorder:
    """A function that keeps its events and calls *act* with each."""

    def __init__(self, act: Callable[[CloudEvent], CloudEvent | None] = lambda _: None) -> None:
        self.blueprint: Blueprint | None = None
        self.events: list[CloudEvent] = []
        self._act = act

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        self.events.append(event)
        return self._act(event)

    def close(self) -> None:
        """Nothing to release."""


def fails(error: Exception) -> Callable[[CloudEvent], CloudEvent | None]:
    def act(_: CloudEvent) -> CloudEvent | None:
        raise error

    return act


def client(function: Recorder) -> FlaskClient:
    return func.application("recorder", function).test_client()


# ── events ──


def test_event_without_a_reply_is_answered_202_without_a_body() -> None:
    function = Recorder()
    response = client(function).post("/", data='{"Key": 1}', headers=headers(subject="VirtualMachine/vm-1"))
    assert (response.status_code, response.data) == (202, b"")
    assert function.events[0]["subject"] == "VirtualMachine/vm-1"
    assert function.events[0].payload == {"Key": 1}


def test_structured_event_is_handled_like_a_binary_one() -> None:
    function = Recorder()
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"Key": 1}}
    response = client(function).post("/", data=json.dumps(event), content_type="application/cloudevents+json")
    assert response.status_code == 202
    assert function.events[0].payload == {"Key": 1}


def test_reply_is_answered_200_as_a_binary_event() -> None:
    reply = create({"id": "2", "source": "/r", "type": "reply", "datacontenttype": "application/json"}, {"a": 1})
    response = client(Recorder(lambda _: reply)).post("/", headers=headers())
    assert response.status_code == 200
    assert (response.headers["ce-id"], response.headers["ce-type"], response.content_type) == (
        "2",
        "reply",
        "application/json",
    )
    assert response.json == {"a": 1}


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (TemporaryError("tag vm-1: vCenter\nis away"), 503, "tag vm-1: vCenter is away\n"),
        (PermanentError("event 1 has no VM"), 400, "event 1 has no VM\n"),
    ],
    ids=["temporary", "permanent"],
)
def test_error_decides_the_status_and_is_one_line(error: Exception, status: int, text: str) -> None:
    response = client(Recorder(fails(error))).post("/", headers=headers())
    assert (response.status_code, response.text, response.mimetype) == (status, text, "text/plain")


def test_unexpected_exception_is_a_500_with_its_log_id(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client(Recorder(fails(RuntimeError("password=hunter2")))).post("/", headers=headers())
    assert response.status_code == 500
    assert "hunter2" not in response.text
    error_id = response.text.split()[2].strip(";")
    logged = caplog.text + "".join(capsys.readouterr())
    assert error_id in logged
    assert "RuntimeError" in logged


def test_reason_is_not_longer_than_knatives_dispatcher_survives() -> None:
    response = client(Recorder(fails(PermanentError("機" * 400)))).post("/", headers=headers())

    assert 700 < len(response.data) <= 768
    assert response.data.decode().rstrip("\n") == "機" * 255


def test_reply_without_a_content_type_gets_none() -> None:
    reply = create({"id": "2", "source": "/grün", "type": "reply"})
    response = client(Recorder(lambda _: reply)).post("/", headers=headers())
    assert "content-type" not in response.headers
    assert response.headers["ce-source"].encode("latin-1").decode() == "/grün"


# ── malformed requests ──


def test_event_of_version_0_3_is_handled() -> None:
    function = Recorder()
    assert client(function).post("/", headers=headers(specversion="0.3")).status_code == 202
    assert function.events[0]["specversion"] == "0.3"


REJECTED = [malformed for malformed in MALFORMED if malformed.name != "old version"]


@pytest.mark.parametrize("malformed", REJECTED, ids=lambda malformed: malformed.name)
def test_malformed_request_is_answered_400_with_every_problem(malformed: MalformedRequest) -> None:
    function = Recorder()
    response = client(function).post("/", data=malformed.body, headers=dict(malformed.headers))
    assert response.status_code == 400
    assert malformed.strict is not None
    assert response.text.startswith(f"not a CloudEvent: {malformed.strict.partition(', not 1.0')[0]}")
    assert response.text.count("\n") == 1
    assert function.events == []


def test_header_values_are_read_as_utf_8() -> None:
    function = Recorder()
    sent = headers(subject="Zürich".encode().decode("latin-1"))
    assert client(function).post("/", headers=sent).status_code == 202
    assert function.events[0]["subject"] == "Zürich"


def test_payload_that_is_not_text_reaches_the_function_as_bytes() -> None:
    function = Recorder()
    sent = headers(datacontenttype="application/octet-stream")
    assert client(function).post("/", data=b"\xff\x00", headers=sent).status_code == 202
    assert function.events[0].payload == b"\xff\x00"


# ── GET / ──


def test_get_names_a_function_that_has_no_page() -> None:
    response = client(Recorder()).get("/")
    assert (response.status_code, response.mimetype) == (200, "text/plain")
    assert "the function recorder" in response.text


def test_index_of_the_functions_blueprint_answers_get() -> None:
    function = Recorder()
    function.blueprint = Blueprint("pages", __name__)
    function.blueprint.add_url_rule("/", "index", lambda: "the page")
    function.blueprint.add_url_rule("/more", "more", lambda: "more")
    browser = client(function)
    assert (browser.get("/").text, browser.get("/more").text) == ("the page", "more")


# ── metrics ──


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (lambda _: None, "accepted"),
        (lambda event: event, "replied"),
        (fails(TemporaryError("away")), "retry"),
        (fails(PermanentError("no VM")), "rejected"),
        (fails(RuntimeError("bug")), "failed"),
    ],
)
def test_event_is_counted_by_its_outcome(act: Callable[[CloudEvent], CloudEvent | None], outcome: str) -> None:
    browser = client(Recorder(act))
    browser.post("/", headers=headers())
    exposed = browser.get("/metrics").text
    assert f'vcenter_events_handled_total{{function="recorder",outcome="{outcome}"}} 1.0' in exposed
    assert 'vcenter_events_handling_seconds_count{function="recorder"} 1.0' in exposed


def test_batch_is_counted_by_its_events() -> None:
    browser = func.application("display", open_function("display", {})).test_client()
    batch = [{"specversion": "1.0", "id": str(number), "source": "/s", "type": "t"} for number in range(3)]
    browser.post("/", data=json.dumps(batch), content_type="application/cloudevents-batch+json")
    exposed = browser.get("/metrics").text
    assert 'vcenter_events_handled_total{function="display",outcome="accepted"} 3.0' in exposed
    assert 'vcenter_events_handling_seconds_count{function="display"} 1.0' in exposed


# ── opening ──


def test_unknown_function_is_rejected_with_the_list_of_names() -> None:
    with pytest.raises(SettingsError, match="'pager', not one of attribute, capacity, controller, deadletter, display"):
        open_function("pager", {})


def test_parliament_serves_this_file_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTION", "display")
    monkeypatch.setattr(func, "_function", None)
    browser: Any = parliament.server.create(func).test_client()
    assert browser.post("/", data="{}", headers=headers()).status_code == 202
