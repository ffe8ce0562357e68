"""The function adapter: limits of an event's attributes."""

import json

from pipeline import bounds
from pipeline.cloudevents import STRUCTURED, CloudEvent, HTTPMessage
from runtime.adapter import FunctionAdapter


class Recording:
    """A function that remembers what it handled."""

    blueprint = None

    def __init__(self) -> None:
        self.handled: list[str] = []

    def handle(self, event: CloudEvent) -> None:
        """Remember the id."""
        self.handled.append(event["id"])

    def close(self) -> None:
        """Do nothing."""


def respond(function: Recording, event_id: str, **extensions: str) -> int:
    document = {"specversion": "1.0", "id": event_id, "source": "/s", "type": "t", **extensions}
    message = HTTPMessage({"content-type": STRUCTURED}, json.dumps(document).encode())
    return FunctionAdapter("webhook", function).respond(message).status


def test_attribute_longer_than_headers_can_hold_is_rejected() -> None:
    function = Recording()

    assert respond(function, "x" * 1000) == 202
    assert respond(function, "x" * bounds.ATTRIBUTE_BYTES) == 400

    assert [len(event_id) for event_id in function.handled] == [1000]


def test_more_attributes_than_headers_can_hold_are_rejected() -> None:
    function = Recording()
    extensions = {f"x{number}": "" for number in range(bounds.ATTRIBUTES - 4)}

    assert respond(function, "fits", **extensions) == 202
    assert respond(function, "one more", **extensions, y="") == 400

    assert function.handled == ["fits"]
