"""Events that a Broker could not deliver, and the deadletter function's API in this process."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient

import func
from functions import deadletter
from functions.deadletter.sink import DeadLetterSink
from pipeline import cloudevents
from pipeline.cloudevents import CloudEvent
from tests.support.manifests import TOKEN

VCENTER = "https://vcenter.example/sdk"


def failed_event(number: str = "1", arrival: str = "2026-11-20T10:00:00Z", **attributes: str) -> CloudEvent:
    """Return an event as a Broker sends it to its dead-letter sink. An attribute that is "" is left out."""
    attributes = {
        "id": number,
        "source": VCENTER,
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "subject": "VirtualMachine/vm-12",
        "datacontenttype": "application/json",
        "knativearrivaltime": arrival,
        "knativeerrordest": "http://tag.vcenter-events.svc",
        "knativeerrorcode": "500",
        "knativeerrordata": base64.b64encode(b"no such tag").decode(),
        **attributes,
    }
    return cloudevents.create({name: value for name, value in attributes.items() if value}, {"Key": int(number)})


def create(environ: Mapping[str, str], clock: Callable[[], datetime] | None = None) -> DeadLetterSink:
    """Return the function with *environ* and `TOKEN`."""
    settings = {"DEADLETTER_TOKEN": TOKEN, **environ}
    return deadletter.create(settings, clock) if clock else deadletter.create(settings)


class Clock:
    """A clock that tests move. Starts at 2026-11-20 12:00 UTC."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.now += timedelta(seconds=seconds)


def api_client(function: DeadLetterSink, token: str = TOKEN) -> FlaskClient:
    """Return a client of the function's routes, which sends *token*."""
    client = func.application("deadletter", function).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def listed(function: DeadLetterSink, query: str = "") -> dict[str, Any]:
    """Return the list of dead letters, as the API shows it."""
    return api_client(function).get(f"/api/dead-letters{query}").json or {}


def only(function: DeadLetterSink) -> dict[str, Any]:
    """Return the one dead letter that the API lists."""
    [dead_letter] = listed(function)["deadLetters"]
    return dict(dead_letter)
