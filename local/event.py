"""Events on their way through the local Broker: a CloudEvent and the headers that Knative passes on with it."""

import dataclasses
import json
from collections.abc import Mapping

from pipeline import cloudevents
from pipeline.cloudevents import STRICT, STRUCTURED, CloudEvent, HTTPMessage, Rules

_FORWARDED = ("knative-", "x-b3-")

REPLY = dataclasses.replace(STRICT, required=(), specversions=(), invalid=lambda _: [])
"""The rules for a reply: the ingress judges its attributes, when the reply gets there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event(CloudEvent):
    """A CloudEvent with the headers that Knative passes on: request id, Zipkin's, its own."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def size(self) -> int:
        """Return the bytes in memory, roughly, for the limit on memory."""
        return len(self.data) + sum(len(name) + len(value) for name, value in self.attributes.items()) + 1_000


def from_http(headers: Mapping[str, str], body: bytes, rules: Rules = STRICT) -> Event:
    """Return the event of a request or response, binary or structured. Raises `NotACloudEvent` with every problem."""
    event = cloudevents.from_http(HTTPMessage(headers, body), rules)
    forwarded = {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() == "x-request-id" or name.lower().startswith(_FORWARDED)
    }
    return Event(event.attributes, event.data, forwarded)


def to_http(event: Event, *, structured: bool = False) -> HTTPMessage:
    """Return *event* in binary mode, or in *structured* mode."""
    if structured:
        return HTTPMessage({**event.headers, "content-type": STRUCTURED}, _to_json(event))
    headers, body = cloudevents.to_binary(event, percent_encoded=False)
    return HTTPMessage({**event.headers, **headers}, body)


def _to_json(event: Event) -> bytes:
    """The event as Knative 0.47 writes it: JSON data unchecked, all other data as a string, also if it is not text."""
    body = json.dumps(dict(event.attributes), ensure_ascii=False, separators=(",", ":")).encode()
    if not event.data:
        return body
    if cloudevents.is_json(event.get("datacontenttype")):
        return body[:-1] + b',"data":' + event.data + b"}"
    text = event.data.decode(errors="surrogateescape")
    return body[:-1] + b',"data":' + json.dumps(text, ensure_ascii=False).encode(errors="surrogateescape") + b"}"
