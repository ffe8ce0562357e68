"""The delivery spec: its arithmetic, and invalid ones."""

import base64

import pytest

from local.delivery import Failure, Retries, dead_letter, read_retries
from local.event import Event
from local.fields import Field


def read(spec: object) -> tuple[Retries, list[str]]:
    field = Field(spec, "spec.delivery", "broker.yaml: Broker default", [])
    return read_retries(field), field.errors


def test_exponential_pauses_double_from_the_delay() -> None:
    retries, errors = read({"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"})

    assert errors == []
    assert [retries.pause_seconds(done) for done in range(3)] == pytest.approx([0.2, 0.4, 0.8])


def test_linear_pauses_begin_with_none() -> None:
    retries, _ = read({"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT1M"})

    assert [retries.pause_seconds(done) for done in range(3)] == [0, 60, 120]


@pytest.mark.parametrize("spec", [{"backoffPolicy": "linear"}, {"backoffDelay": "PT1S"}, {"retry": 5}])
def test_no_pause_without_both_policy_and_delay(spec: dict[str, object]) -> None:
    assert read(spec)[0].pause_seconds(4) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT30S", 30), ("PT0.2S", 0.2), ("PT1H30M", 5400), ("P1D", 86400), ("P1DT1S", 86401)]
)
def test_durations(text: str, seconds: float) -> None:
    assert read({"timeout": text})[0].timeout_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"retry": -1}, "retry"),
        ({"retry": "3"}, "retry"),
        ({"retry": True}, "retry"),
        ({"backoffPolicy": "random"}, "backoffPolicy"),
        ({"backoffDelay": "0.2s"}, "backoffDelay"),
        ({"backoffDelay": "PT0.25S"}, "backoffDelay"),
        ({"backoffDelay": "P1M"}, "backoffDelay"),
        ({"backoffDelay": "PT"}, "backoffDelay"),
        ({"timeout": "PT0S"}, "timeout"),
        ({"format": "xml"}, "format"),
        ({"retryAfterMax": "PT1M"}, "retryAfterMax"),
        ({"retries": 3}, "retries"),
    ],
)
def test_spec_that_knative_rejects_is_rejected(spec: dict[str, object], path: str) -> None:
    _, errors = read(spec)

    assert len(errors) == 1
    assert errors[0].startswith(f"broker.yaml: Broker default: spec.delivery.{path}: ")


@pytest.mark.parametrize(
    ("status", "retried"),
    [
        (500, True),
        (503, True),
        (404, True),
        (408, True),
        (409, True),
        (429, True),
        (400, False),
        (403, False),
        (301, False),
    ],
)
def test_statuses_that_are_retried(status: int, retried: bool) -> None:
    assert Failure(status, b"").is_retried() is retried


def test_dead_letter_has_destination_and_reason() -> None:
    event = dead_letter(Event({"id": "1"}, b"x"), "http://tag/", Failure(503, b"no database"))

    assert event.data == b"x"
    assert event.attributes == {
        "id": "1",
        "knativeerrordest": "http://tag/",
        "knativeerrorcode": "503",
        "knativeerrordata": base64.b64encode(b"no database").decode(),
    }


def test_dead_letter_cuts_a_long_response() -> None:
    event = dead_letter(Event({}), "http://tag/", Failure(500, b"x" * 5_000))

    assert len(event.attributes["knativeerrordata"]) == 1024


def test_dead_letter_of_an_undescribed_failure_is_the_bare_event() -> None:
    event = Event({"id": "1"})

    assert dead_letter(event, "http://tag/", Failure(500, b"timeout", described=False)) == event
