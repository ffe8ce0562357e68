"""The API: list, show, drop, and requests that it rejects."""

from typing import Any

import pytest

from pipeline import bounds
from tests.support.dead_letters import VCENTER, Clock, api_client, create, failed_event, listed, only


def test_list_has_the_failure_its_count_and_its_times() -> None:
    sink = create({}, Clock())

    sink.handle(failed_event())

    assert only(sink) == {
        "number": 1,
        "source": VCENTER,
        "id": "1",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "subject": "VirtualMachine/vm-12",
        "time": only(sink)["time"],
        "destination": "http://tag.vcenter-events.svc",
        "code": 500,
        "response": "no such tag",
        "arrival": "2026-11-20T10:00:00Z",
        "failures": 1,
        "firstFailed": "2026-11-20T12:00:00.000+00:00",
        "lastFailed": "2026-11-20T12:00:00.000+00:00",
        "state": "waiting",
        "redrives": 0,
        "changed": "2026-11-20T12:00:00.000+00:00",
        "note": "",
    }


def test_one_dead_letter_has_the_event_as_it_first_arrived() -> None:
    sink = create({})
    sink.handle(failed_event(knativebrokerttl="254"))

    event = (api_client(sink).get("/api/dead-letters/1").json or {})["event"]

    assert not [name for name in event["attributes"] if name.startswith("knative")]
    assert event["payload"] == '{\n  "Key": 1\n}'


def test_list_is_paged_and_filtered() -> None:
    sink = create({})
    for number in range(5):
        sink.handle(failed_event(str(number), knativeerrordest="http://even" if number % 2 == 0 else "http://odd"))

    first = listed(sink, "?limit=2")
    second = listed(sink, f"?limit=2&before={first['next']}")
    even = listed(sink, "?destination=http://even&state=waiting")

    assert [item["number"] for item in first["deadLetters"] + second["deadLetters"]] == [5, 4, 3, 2]
    assert [item["id"] for item in even["deadLetters"]] == ["4", "2", "0"]
    assert api_client(sink).get("/api/dead-letters?state=lost").status_code == 400


def test_dropped_dead_letter_keeps_its_reason() -> None:
    sink = create({})
    sink.handle(failed_event())

    body = {"numbers": [1, 7], "reason": " the VM is gone "}
    response = api_client(sink).post("/api/dead-letters/drop", json=body)

    assert response.json == {"dropped": [1], "failed": [{"number": 7, "reason": "there is no such dead letter"}]}
    assert (only(sink)["state"], only(sink)["note"]) == ("dropped", "the VM is gone")


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("redrive", {}, "select with"),
        ("redrive", {"numbers": ["1"]}, "not a list of whole numbers"),
        ("redrive", {"numbers": 1}, "not a list of whole numbers"),
        ("redrive", {"numbers": [True]}, "not a list of whole numbers"),
        ("redrive", {"numbers": [2**63]}, "not a list of whole numbers"),
        ("redrive", {"numbers": [-1]}, "not a list of whole numbers"),
        ("redrive", {"type": "\ud800"}, "must be text"),
        ("drop", {"numbers": [1], "reason": "x" * 1001}, "at most 1000 characters"),
        ("drop", {"numbers": [1], "reason": "\ud800"}, "at most 1000 characters"),
        ("redrive", [1], "not a JSON object"),
        ("redrive", {"type": 3}, "must be text"),
        ("drop", {"numbers": [1]}, "the reason is missing"),
        ("drop", {"numbers": [1], "reason": " "}, "the reason is missing"),
    ],
)
def test_incomplete_request_changes_nothing(path: str, body: Any, reason: str) -> None:
    sink = create({})
    sink.handle(failed_event())

    response = api_client(sink).post(f"/api/dead-letters/{path}", json=body)

    assert response.status_code == 400
    assert reason in (response.json or {})["error"]
    assert only(sink)["state"] == "waiting"


def test_form_of_another_website_changes_nothing() -> None:
    sink = create({})
    sink.handle(failed_event())

    body = '{"all": true, "reason": "x"}'
    response = api_client(sink).post("/api/dead-letters/drop", data=body, content_type="text/plain")

    assert response.status_code == 415
    assert only(sink)["state"] == "waiting"


def test_odd_numbers_are_answered() -> None:
    sink = create({})
    sink.handle(failed_event())

    assert len(listed(sink, "?limit=0")["deadLetters"]) == 1
    assert api_client(sink).get(f"/api/dead-letters/{'9' * 30}").status_code == 404
    assert api_client(sink).get("/api/dead-letters/0").status_code == 404


def test_selection_of_too_many_values_is_rejected() -> None:
    numbers = [1] * (bounds.JSON_VALUES + 1)

    response = api_client(create({})).post("/api/dead-letters/drop", json={"numbers": numbers})

    assert response.status_code == 400
    assert "more than 50,000 values" in (response.json or {})["error"]
