"""The same requests have the same outcome behind every server: launcher, parliament and func-python."""

import json
from collections.abc import Iterator

import pytest

from tests.support.headers import headers
from tests.support.malformed_requests import MALFORMED, MalformedRequest
from tests.support.recorder import Recorder
from tests.support.servers import RunningFunction, running

SERVERS = ["launcher", "parliament", "func-python http"]
"""Those that pass requests on as they are."""

REJECTED = [malformed for malformed in MALFORMED if malformed.name != "old version"]


@pytest.fixture(scope="module", params=[*SERVERS, "func-python cloudevent"])
def webhook(request: pytest.FixtureRequest) -> Iterator[RunningFunction]:
    """A reaction that calls a receiver, behind each server."""
    with Recorder() as receiver, running(request.param, "webhook", WEBHOOK_URL=receiver.url) as function:
        yield function


@pytest.fixture(scope="module", params=SERVERS)
def reaction(request: pytest.FixtureRequest) -> Iterator[RunningFunction]:
    with Recorder() as receiver, running(request.param, "webhook", WEBHOOK_URL=receiver.url) as function:
        yield function


@pytest.fixture(scope="module", params=SERVERS)
def display(request: pytest.FixtureRequest) -> Iterator[RunningFunction]:
    with running(request.param, "display") as function:
        yield function


def test_binary_event_is_accepted(webhook: RunningFunction) -> None:
    assert webhook.request("POST", "/", b'{"Key": 1}', headers(id="binary")).status == 202


def test_structured_event_is_accepted(webhook: RunningFunction) -> None:
    event = {"specversion": "1.0", "id": "structured", "source": "/s", "type": "t", "data": {"Key": 1}}
    sent = {"content-type": "application/cloudevents+json"}
    assert webhook.request("POST", "/", json.dumps(event).encode(), sent).status == 202


def test_health_is_answered(webhook: RunningFunction) -> None:
    assert webhook.request("GET", "/health/liveness").status == 200
    assert webhook.request("GET", "/health/readiness").status == 200


def test_request_that_is_not_an_event_gets_400(webhook: RunningFunction) -> None:
    assert webhook.request("POST", "/", b"hello", {"content-type": "text/plain"}).status == 400


@pytest.mark.parametrize("malformed", REJECTED, ids=lambda malformed: malformed.name)
def test_malformed_event_gets_400_with_the_reason(reaction: RunningFunction, malformed: MalformedRequest) -> None:
    rejected = reaction.request("POST", "/", malformed.body, malformed.headers)

    assert rejected.status == 400
    assert malformed.strict is not None
    assert rejected.body.decode().startswith(f"not a CloudEvent: {malformed.strict.partition(', not 1.0')[0]}")


def test_function_without_a_page_says_its_name(reaction: RunningFunction) -> None:
    assert b"the function webhook" in reaction.request("GET", "/").body


def test_event_nested_too_deeply_is_not_a_server_error(display: RunningFunction) -> None:
    xml = b"<a>" * 5000 + b"</a>" * 5000
    sent = headers(id="deep", datacontenttype="application/xml")
    assert display.request("POST", "/", xml, sent).status == 202
    body = b'{"a":' * 5000 + b"1" + b"}" * 5000
    assert display.request("POST", "/", body, headers(id="deep json")).status == 202


def test_page_is_served(display: RunningFunction) -> None:
    page = display.request("GET", "/")
    if page.status == 200:
        assert page.body.startswith(b"<!doctype html>") or b"the function display" in page.body
    assert page.status == 200
