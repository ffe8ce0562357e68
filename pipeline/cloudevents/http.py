"""The HTTP binding: binary, structured and batched mode.

Header values are text. A caller that has bytes decodes them as UTF-8 first.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from pipeline.cloudevents.event import CloudEvent, media_type
from pipeline.cloudevents.json_format import from_json, from_json_batch, join, to_json
from pipeline.cloudevents.rules import NotACloudEvent, Rules

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_PLAIN = re.compile(r"[!#$&-~]*").fullmatch
"""Header values that need no percent-encoding: printable ASCII without space, `"` and `%`."""
_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


class HTTPMessage(NamedTuple):
    """The headers and the body of a request or response."""

    headers: Mapping[str, str]
    body: bytes


def to_binary(event: CloudEvent, *, percent_encoded: bool = True) -> HTTPMessage:
    """Return *event* in binary mode: attributes as headers, data as the body.

    Values are percent-encoded as the HTTP binding 3.1.3.2 demands, or stay as they are, as Knative's do.
    """
    headers: dict[str, str] = {}
    for name, value in event.attributes.items():
        if name == "datacontenttype":
            headers["content-type"] = value
        elif not percent_encoded or _PLAIN(value):
            headers[f"ce-{name}"] = value
        else:
            headers[f"ce-{name}"] = quote(value, safe=_SAFE, errors="replace")
    return HTTPMessage(headers, event.data)


def to_structured(event: CloudEvent) -> HTTPMessage:
    """Return *event* in structured mode: a JSON object as the body."""
    return HTTPMessage({"content-type": STRUCTURED}, to_json(event))


def to_batch(events: Sequence[CloudEvent]) -> HTTPMessage:
    """Return *events* in batched mode: a JSON list as the body."""
    return HTTPMessage({"content-type": BATCH}, join(to_json(event) for event in events))


def is_event(headers: Mapping[str, str]) -> bool:
    """Return True if *headers* announce one or more CloudEvents, valid or not."""
    known = _lower(headers)
    return "ce-specversion" in known or media_type(known.get("content-type", "")).startswith("application/cloudevents")


def from_http(message: HTTPMessage, rules: Rules) -> CloudEvent:
    """Return the event of a request or response in binary or structured mode.

    Raises `NotACloudEvent` with every problem. A batch is one.
    """
    headers = _lower(message.headers)
    content_type = media_type(headers.get("content-type", ""))
    if content_type == BATCH:
        raise NotACloudEvent(["it is a batch; send one event in each request"])
    if content_type == STRUCTURED:
        return from_json(message.body, rules)
    if "ce-specversion" in headers or (not rules.announced and any(map(_is_attribute, headers))):
        return _binary(headers, message.body, rules)
    if not rules.announced and (not content_type or content_type.endswith("json")):
        return from_json(message.body, rules)
    raise NotACloudEvent([f"neither a header ce-specversion nor the content type {STRUCTURED}"])


def events_from_http(message: HTTPMessage, rules: Rules) -> list[CloudEvent]:
    """Return the events of a request or response in any mode, in their order.

    Raises `NotACloudEvent` with every problem. A batch with a problem is rejected as a whole, so that it can be sent
    again.
    """
    if media_type(_lower(message.headers).get("content-type", "")) == BATCH:
        return from_batch(message, rules)
    return [from_http(message, rules)]


def from_binary(message: HTTPMessage, rules: Rules) -> CloudEvent:
    """Return the event of a message in binary mode. Raises `NotACloudEvent` with every problem."""
    return _binary(_lower(message.headers), message.body, rules)


def from_structured(message: HTTPMessage, rules: Rules) -> CloudEvent:
    """Return the event of a message in structured mode. Raises `NotACloudEvent` with every problem."""
    return from_json(message.body, rules)


def from_batch(message: HTTPMessage, rules: Rules) -> list[CloudEvent]:
    """Return the events of a message in batched mode, in order. Raises `NotACloudEvent` with every problem of each."""
    return from_json_batch(message.body, rules)


def _binary(headers: Mapping[str, str], body: bytes, rules: Rules) -> CloudEvent:
    attributes = {name[3:]: value.strip() for name, value in headers.items() if _is_attribute(name)}
    if rules.percent_encoded:
        attributes = {name: _decoded(value) if "%" in value else value for name, value in attributes.items()}
    if headers.get("content-type"):
        attributes["datacontenttype"] = headers["content-type"]
    return CloudEvent(rules.check(attributes), body)


def _decoded(value: str) -> str:
    octets = unquote_to_bytes(value.encode("utf-8", "replace"))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _is_attribute(header: str) -> bool:
    return header.startswith("ce-")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
