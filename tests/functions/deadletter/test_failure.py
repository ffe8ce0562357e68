"""The attributes of a failed delivery."""

import base64

import pytest

from functions.deadletter.failure import Failure, original_event, read_failure
from tests.support.dead_letters import failed_event


def test_failure_is_what_the_broker_reports() -> None:
    assert read_failure(failed_event()) == Failure(
        "http://tag.vcenter-events.svc", 500, "no such tag", "2026-11-20T10:00:00Z"
    )


def test_arrival_on_kafka_is_the_place_of_the_event() -> None:
    event = failed_event(arrival="", knativekafkapartition="3", knativekafkaoffset="4711")

    assert read_failure(event).arrival == "3/4711"
    assert not {"knativekafkapartition", "knativekafkaoffset"} & {*original_event(event).attributes}


def test_failure_without_attributes_is_empty() -> None:
    event = failed_event(arrival="", knativeerrordest="", knativeerrorcode="", knativeerrordata="")

    assert read_failure(event) == Failure("", None, "", "")


@pytest.mark.parametrize(
    ("data", "response"),
    [
        ("no such tag!", "no such tag!"),
        (base64.b64encode("größer".encode()).decode(), "größer"),
        (base64.b64encode(b"\xff").decode(), "\ufffd"),
        ("!" * 5000, "!" * 1024),
    ],
    ids=["plain text", "base64", "not text", "too long"],
)
def test_response_is_decoded(data: str, response: str) -> None:
    assert read_failure(failed_event(knativeerrordata=data)).response == response


@pytest.mark.parametrize("code", ["x", "-1", "5000"])
def test_invalid_code_is_none(code: str) -> None:
    assert read_failure(failed_event(knativeerrorcode=code)).code is None


def test_original_event_has_nothing_that_the_broker_added() -> None:
    event = original_event(failed_event(knativebrokerttl="254", partitionkey="a"))

    assert not [name for name in event.attributes if name.startswith("knative")]
    assert event["partitionkey"] == "a"
    assert event.data == b'{"Key": 1}'
