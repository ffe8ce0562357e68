"""Redriving through a Broker that a recorder stands for."""

import json

import pytest

from functions.deadletter import create
from functions.deadletter.sink import DeadLetterSink
from tests.support.dead_letters import VCENTER, api_client, failed_event, only
from tests.support.recorder import Recorder, Request, Response

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
