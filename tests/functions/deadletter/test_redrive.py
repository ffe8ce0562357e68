"""Redriving through a Broker that a recorder stands for."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.deadletter import redrive
from functions.deadletter.redrive import MAX_BROKER_FAILURES
from functions.deadletter.sink import DeadLetterSink
from pipeline import cloudevents
from pipeline.cloudevents import LENIENT, CloudEvent, HTTPMessage
from tests.support.dead_letters import VCENTER, api_client, create, failed_event, listed, only
from tests.support.drip import drip
from tests.support.recorder import Recorder, Request, Response
from tests.support.waiting import wait_until

REDRIVE = "/api/dead-letters/redrive"


def test_event_of_two_failures_is_sent_once_as_it_arrived() -> None:
    with Recorder() as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event(knativebrokerttl="3"))
        sink.handle(failed_event(knativeerrordest="http://notify.vcenter-events.svc"))

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert response.json == {"redriven": [1, 2], "failed": []}
    [sent] = broker.accepted
    assert not [name for name in sent.headers if name.startswith("ce-knative")]
    assert (sent.headers["ce-id"], sent.headers["ce-source"], json.loads(sent.body)) == ("1", VCENTER, {"Key": 1})


def test_event_that_fails_again_updates_its_dead_letter() -> None:
    with Recorder() as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event())
        api_client(sink).post(REDRIVE, json={"numbers": [1]})
        assert only(sink)["state"] == "redriven"

        sink.handle(failed_event(arrival="2026-11-20T11:00:00Z", knativeerrorcode="503"))

    dead_letter = only(sink)
    fields = ("number", "state", "failures", "redrives", "code")
    assert [dead_letter[name] for name in fields] == [1, "waiting", 2, 1, 503]
    assert len(broker.accepted) == 1, "nothing is redriven by itself"


def test_failure_before_the_broker_responds_keeps_it_waiting() -> None:
    sink: DeadLetterSink

    def fail_again(_: Request) -> Response:
        sink.handle(failed_event(arrival="2026-11-20T11:00:00Z"))
        return Response()

    with Recorder(fail_again) as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event())
        api_client(sink).post(REDRIVE, json={"all": True})

    dead_letter = only(sink)
    assert [dead_letter[name] for name in ("state", "failures", "redrives")] == ["waiting", 2, 1]


def test_selection_by_destination_redrives_only_waiting_ones() -> None:
    with Recorder() as broker:
        sink = create({"K_SINK": broker.url})
        for number, destination in (("1", "http://tag"), ("2", "http://notify"), ("3", "http://tag")):
            sink.handle(failed_event(number, knativeerrordest=destination))
        api = api_client(sink)
        api.post("/api/dead-letters/drop", json={"numbers": [3], "reason": "known"})

        response = api.post(REDRIVE, json={"destination": "http://tag"})

    assert response.json == {"redriven": [1], "failed": []}
    assert broker.ids == [1]


@pytest.mark.parametrize("status", [400, 429, 503, 0])
def test_event_that_the_broker_does_not_accept_stays_waiting(status: int) -> None:
    with Recorder(lambda _: Response(status)) as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event())

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert response.status_code == 502
    assert only(sink)["state"] == "waiting"
    assert only(sink)["note"].startswith("the Broker")


def test_redrive_without_a_broker_names_the_setting() -> None:
    sink = create({})
    sink.handle(failed_event())

    response = api_client(sink).post(REDRIVE, json={"all": True})

    assert (response.status_code, "K_SINK" in response.text) == (503, True)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307])
def test_redirect_is_not_followed_and_not_a_success(status: int) -> None:
    with Recorder(lambda _: Response(status, headers={"location": "/elsewhere"})) as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event())

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert response.status_code == 502
    assert (only(sink)["state"], len(broker.requests)) == ("waiting", 1)


def test_one_bad_dead_letter_does_not_block_the_others() -> None:
    def respond(request: Request) -> Response:
        return Response(400, "no") if request.id == "2" else Response()

    with Recorder(respond) as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event("1", subject="東京"))
        sink.handle(failed_event("2"))
        sink.handle(failed_event("3", subject="two\nlines"))
        sink.handle(failed_event("4", bad_name="x"))
        sink.handle(failed_event("5"))

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert (response.json or {})["redriven"] == [1, 3, 4, 5]
    received = [
        cloudevents.from_http(HTTPMessage(_as_sent(request), request.body), LENIENT) for request in broker.requests
    ]
    assert [event["subject"] for event in received][:3] == ["東京", "VirtualMachine/vm-12", "two\nlines"]
    assert received[3]["bad_name"] == "x"


def _as_sent(request: Request) -> dict[str, str]:
    """Return the headers of *request* as UTF-8, which the standard library's server reads as Latin-1."""
    return {name: value.encode("latin-1").decode() for name, value in request.headers.items()}


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/json", b'{"a": 1e5, "b": 0.10000000000000000001, "a": 2}\n'),
        ("application/json", b" null "),
        ("text/plain", b"5"),
        ("application/json", b"not json"),
        ("application/octet-stream", bytes(range(256))),
    ],
)
def test_bytes_are_sent_as_they_came(content_type: str, data: bytes) -> None:
    with Recorder() as broker:
        sink = create({"K_SINK": broker.url})
        event = failed_event(datacontenttype=content_type)
        sink.handle(CloudEvent(event.attributes, data))

        api_client(sink).post(REDRIVE, json={"all": True})

    assert broker.accepted[0].body == data
    assert broker.accepted[0].headers["content-type"] == content_type


def test_redrive_stops_early_when_the_broker_is_down() -> None:
    with Recorder(lambda _: Response(503)) as broker:
        sink = create({"K_SINK": broker.url})
        for number in range(50):
            sink.handle(failed_event(str(number)))

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert len(broker.requests) == MAX_BROKER_FAILURES
    assert len((response.json or {})["failed"]) == 50
    assert listed(sink)["counts"]["waiting"] == 50


def test_two_redrives_at_once_send_each_event_once() -> None:
    with Recorder() as broker:
        sink = create({"K_SINK": broker.url})
        sink.handle(failed_event())
        broker.gate.clear()
        with ThreadPoolExecutor() as threads:
            first = threads.submit(api_client(sink).post, REDRIVE, json={"all": True})
            wait_until(lambda: broker.waiting.now == 1)
            second = api_client(sink).post(REDRIVE, json={"all": True})
            broker.gate.set()

    assert (first.result().status_code, second.status_code) == (200, 409)
    assert len(broker.requests) == 1


def test_endless_response_does_not_hold_the_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "BROKER_SECONDS", 0.5)
    with drip() as url:
        sink = create({"K_SINK": url})
        sink.handle(failed_event())

        response = api_client(sink).post(REDRIVE, json={"all": True})

    assert "no response within 0.5 s" in response.text
