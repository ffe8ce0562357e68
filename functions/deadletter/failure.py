"""The attributes that a Broker adds to an event that it could not deliver: which delivery failed, and why."""

import base64
import binascii
import dataclasses

from pipeline import bounds
from pipeline.cloudevents import CloudEvent

ADDED_BY_BROKER = (
    "knativeerrordest",
    "knativeerrorcode",
    "knativeerrordata",
    "knativearrivaltime",
    "knativebrokerttl",
    "knativekafkapartition",
    "knativekafkaoffset",
)
"""Attributes that a Broker adds to an event, and adds again at each redrive."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failed delivery, as the Broker reports it."""

    destination: str
    """The subscriber's address, or "" if the Broker does not report it."""
    code: int | None
    """The HTTP status, or None if the subscriber did not respond."""
    response: str
    """The beginning of the subscriber's response."""
    arrival: str
    """The time when the event arrived at the Broker, or its place in Kafka, `3/4711`. Two failures of one event have
    different ones."""


def read_failure(event: CloudEvent) -> Failure:
    """Return the failed delivery that *event* reports. Every field is empty if the request timed out."""
    code = str(event.get("knativeerrorcode") or "")
    return Failure(
        destination=str(event.get("knativeerrordest") or ""),
        code=int(code) if code.isdecimal() and len(code) < 4 else None,
        response=_decoded(str(event.get("knativeerrordata") or "")),
        arrival=str(event.get("knativearrivaltime") or _place(event)),
    )


def original_event(event: CloudEvent) -> CloudEvent:
    """Return *event* as it first arrived at the Broker."""
    attributes = {name: value for name, value in event.attributes.items() if name not in ADDED_BY_BROKER}
    return CloudEvent(attributes, event.data)


def _place(event: CloudEvent) -> str:
    """Return partition and offset, which a Broker on Kafka adds, or ""."""
    partition, offset = (event.get(f"knativekafka{name}") for name in ("partition", "offset"))
    return "" if partition is None or offset is None else f"{partition}/{offset}"


def _decoded(data: str) -> str:
    """Decode `knativeerrordata`: base64 since Knative 1.0, plain text before."""
    try:
        response = base64.b64decode(data, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        response = data
    return response[: bounds.FAILURE_RESPONSE_CHARACTERS].strip()
