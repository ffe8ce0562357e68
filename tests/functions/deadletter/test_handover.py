"""Handover of dead letters to the next pod."""

import dataclasses
import json
from signal import SIGTERM
from typing import Any

import pytest

from functions.deadletter.handover import Successor, hand_over
from functions.deadletter.sink import DeadLetterSink
from functions.deadletter.store import DeadLetterStore
from pipeline.cloudevents import CloudEvent, to_binary
from pipeline.settings import Secret, read
from runtime.settings import LimitSettings
from tests.support.dead_letters import Clock, api_client, create, failed_event, listed, only
from tests.support.manifests import AUTHORIZATION, TOKEN
from tests.support.recorder import Recorder, Request, Response
from tests.support.serving import Served

AS_JSON = {"content-type": "application/json", **AUTHORIZATION}


def large_event(number: int) -> CloudEvent:
    """Return a failed event of 240 KB."""
    data = json.dumps({"Key": number, "Message": "größer" * 30_000}, ensure_ascii=False)
    return dataclasses.replace(failed_event(str(number)), data=data.encode())


def accept(request: Request) -> Response:
    """Respond as a pod that accepts all dead letters of *request*."""
    return Response(200, json.dumps({"accepted": len(json.loads(request.body)["deadLetters"])}))


def unnumbered(dead_letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the dead letters without their numbers, sorted by event."""
    items = [{**item, "number": 0} for item in dead_letters]
    return sorted(items, key=lambda item: (item["source"], item["id"]))


def served_list(function: Served) -> dict[str, Any]:
    """Return the list of dead letters of a process."""
    return dict(json.loads(function.request("GET", "/api/dead-letters")[1]))


def served_events(function: Served) -> dict[str, Any]:
    """Return id → event of each dead letter of a process."""
    return {
        item["id"]: json.loads(function.request("GET", f"/api/dead-letters/{item['number']}")[1])["event"]
        for item in served_list(function)["deadLetters"]
    }


def test_next_pod_receives_all_dead_letters_unchanged() -> None:
    with Recorder() as broker, Served("deadletter", DEADLETTER_TOKEN=TOKEN, K_SINK=broker.url) as second:
        with Served(
            "deadletter", DEADLETTER_TOKEN=TOKEN, K_SINK=broker.url, DEADLETTER_HANDOVER=second.address
        ) as first:
            for number in range(1, 6):
                headers, body = to_binary(failed_event(str(number)))
                assert first.request("POST", "/", body, headers)[0] == 202
            assert first.request("POST", "/api/dead-letters/redrive", '{"numbers": [2]}', AS_JSON)[0] == 200
            dropping = '{"numbers": [3], "reason": "ist größer"}'.encode()
            assert first.request("POST", "/api/dead-letters/drop", dropping, AS_JSON)[0] == 200
            before, events = served_list(first), served_events(first)

            first.signal(SIGTERM)
            assert first.wait() == 0
            assert "dead letters handed over" in [line["message"] for line in first.lines]

        after = served_list(second)
        assert unnumbered(after["deadLetters"]) == unnumbered(before["deadLetters"])
        assert after["counts"] == {"waiting": 3, "redriven": 1, "dropped": 1, "unstored": 0}
        assert served_events(second) == events


def test_dead_letter_that_the_next_pod_has_stays_as_it_is() -> None:
    with Served("deadletter", DEADLETTER_TOKEN=TOKEN) as second:
        headers, body = to_binary(failed_event(knativeerrorcode="503"))
        assert second.request("POST", "/", body, headers)[0] == 202
        first = create({"DEADLETTER_HANDOVER": second.address})
        first.handle(failed_event(knativeerrorcode="500"))

        first.close()

        [dead_letter] = served_list(second)["deadLetters"]

    assert (dead_letter["code"], dead_letter["failures"]) == (503, 1)


def test_handover_waits_for_a_pod_and_splits_large_requests() -> None:
    with Recorder(accept) as successor:
        successor.statuses = [503, 503]
        sink = create({"DEADLETTER_HANDOVER": successor.url})
        for number in range(8):
            sink.handle(large_event(number))
        sink.close()

    assert [request.status for request in successor.requests] == [503, 503, *[200] * (len(successor.requests) - 2)]
    assert len(successor.accepted) > 1
    assert max(len(request.body) for request in successor.accepted) < read(LimitSettings, {}).max_body_bytes
    ids = [item["id"] for body in successor.bodies for item in body["deadLetters"]]
    assert ids == [str(number) for number in range(8)]


@pytest.mark.parametrize("status", [0, 400, 409])
def test_rejected_handover_is_logged_at_once(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder(lambda _: Response(status)) as successor:
        sink = create({"DEADLETTER_HANDOVER": successor.url})
        sink.handle(failed_event())
        sink.close()

    logged = capsys.readouterr().out
    assert "dead letters not handed over" in logged
    assert "waiting=1" in logged
    assert len(successor.requests) == 1


def test_handover_that_takes_too_long_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    store = DeadLetterStore(None, 10, 10**8, 3600)
    sink = DeadLetterSink(store, None)
    for number in range(8):
        sink.handle(large_event(number))

    with Recorder() as successor:
        successor.gate.clear()
        hand_over(store, Successor(successor.url, Secret(TOKEN)), sink.name, seconds=0.5)

    assert "waiting=8" in capsys.readouterr().out
    assert len(successor.requests) == 1, "the process has no time for the other requests"


def test_pod_accepts_nothing_from_itself() -> None:
    sink = create({})
    sink.handle(failed_event())

    response = api_client(sink).post("/api/dead-letters/handover", json={"from": sink.name, "deadLetters": []})

    assert response.status_code == 409


def test_pod_that_shuts_down_accepts_no_handover() -> None:
    sink = create({})
    api = api_client(sink)
    sink.close()

    assert api.post("/api/dead-letters/handover", json={"from": "another", "deadLetters": []}).status_code == 503


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"failures": "2"}, "missing or have another type: failures"),
        ({"source": None}, "missing or have another type: source"),
        ({"state": "lost"}, "state is 'lost'"),
        ({"firstFailed": "yesterday"}, "cannot be read"),
        ({"event": None}, "event is not text"),
        ({"event": '{"id": "1"}'}, "cannot be read"),
        ({"event": {}}, "event is not text"),
        ({"id": "2"}, "another id than its event"),
        ({"type": "other"}, "another type than its event"),
        ({"failures": 2**63}, "failures is"),
        ({"code": -1}, "code is"),
        ({"destination": "\ud800"}, "cannot be read"),
    ],
)
def test_request_with_an_invalid_dead_letter_is_rejected_whole(change: dict[str, Any], reason: str) -> None:
    with Recorder(accept) as successor:
        first = create({"DEADLETTER_HANDOVER": successor.url})
        first.handle(failed_event())
        first.close()
    [body] = successor.bodies
    body["deadLetters"].append({**body["deadLetters"][0], **change})
    sink = create({})
    api = api_client(sink)

    response = api.post("/api/dead-letters/handover", json=body)

    assert (response.status_code, reason in response.text) == (400, True), response.text
    assert listed(sink)["deadLetters"] == []
    assert api.post("/api/dead-letters/handover", json={"from": "another", "deadLetters": 3}).status_code == 400


@pytest.mark.parametrize("action", ["redrive", "drop", "handover"])
def test_request_without_the_token_is_rejected(action: str) -> None:
    body = {"from": "another", "all": True, "reason": "x", "deadLetters": []}
    sink = create({})
    sink.handle(failed_event())

    assert api_client(sink, token="guessed").post(f"/api/dead-letters/{action}", json=body).status_code == 403
    assert api_client(sink, token="").post(f"/api/dead-letters/{action}", json=body).status_code == 403
    unset = create({"DEADLETTER_TOKEN": ""})
    response = api_client(unset, token="").post(f"/api/dead-letters/{action}", json=body)
    assert (response.status_code, "DEADLETTER_TOKEN is not set" in response.text) == (403, True)


def test_nothing_is_handed_over_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder(accept) as successor:
        sink = create({"DEADLETTER_HANDOVER": successor.url, "DEADLETTER_TOKEN": ""})
        sink.handle(failed_event())
        sink.close()

    assert successor.requests == []
    assert "DEADLETTER_TOKEN is not set" in capsys.readouterr().out


def test_received_times_are_not_in_the_future() -> None:
    with Recorder(accept) as successor:
        first = create({"DEADLETTER_HANDOVER": successor.url})
        first.handle(failed_event())
        first.close()
    [body] = successor.bodies
    body["deadLetters"][0]["lastFailed"] = "9999-01-01T00:00:00+00:00"
    clock = Clock()
    second = create({}, clock)

    assert api_client(second).post("/api/dead-letters/handover", json=body).json == {"accepted": 1, "rejected": 0}

    assert only(second)["lastFailed"] == clock.now.isoformat(timespec="milliseconds")


def test_event_is_handed_over_as_it_came() -> None:
    data = b'{"a": 1e5, "a": 0.10000000000000000001}'
    with Recorder(accept) as successor:
        first = create({"DEADLETTER_HANDOVER": successor.url})
        first.handle(CloudEvent(failed_event().attributes, data))
        first.close()
    [body] = successor.bodies

    assert data.decode() in body["deadLetters"][0]["event"]


def test_token_may_have_a_header_of_its_own() -> None:
    api = api_client(create({}), token="of the API server")

    for token, status in ((TOKEN, 200), ("guessed", 403)):
        headers = {"X-Deadletter-Token": token}
        response = api.post("/api/dead-letters/handover", json={"from": "x", "deadLetters": []}, headers=headers)
        assert response.status_code == status
