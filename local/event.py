"""CloudEvents over HTTP, read and written as Knative's ingress and dispatcher do (cloudevents/sdk-go v2.16).

Why not the Python SDK: it parses structured data and prints it anew; here the bytes of `data` pass through unchanged,
whatever they are, as they do on a cluster.
"""

import base64
import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from pipeline.errors import PermanentError

STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_FORWARDED = ("knative-", "x-b3-")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


class NotACloudEvent(PermanentError):
    """The request or response holds no valid CloudEvent; the message says why."""


@dataclasses.dataclass(frozen=True)
class Event:
    """A CloudEvent: context attributes (extensions among them) as texts, and the data as bytes."""

    attributes: Mapping[str, str]
    data: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The headers that Knative passes on beside the event: request id, Zipkin's, its own."""

    def with_attributes(self, **changed: str | None) -> "Event":
        """The same event with attributes set, or removed where the value is None."""
        kept = {name: value for name, value in self.attributes.items() if name not in changed}
        added = {name: value for name, value in changed.items() if value is not None}
        return dataclasses.replace(self, attributes={**kept, **added})

    def size(self) -> int:
        """Bytes in memory, roughly: what a bound on memory counts."""
        return len(self.data) + sum(len(name) + len(value) for name, value in self.attributes.items()) + 1_000


def is_event(headers: Mapping[str, str]) -> bool:
    """Whether these headers announce a CloudEvent, valid or not."""
    return _media_type(headers).startswith("application/cloudevents") or "ce-specversion" in _lower(headers)


def from_http(headers: Mapping[str, str], body: bytes, *, checked: bool = True) -> Event:
    """The event of a request or response, binary or structured. Raises `NotACloudEvent` with every fault.

    Without *checked*, attributes may be missing or invalid.
    """
    media_type = _media_type(headers)
    if media_type == _BATCH:
        raise NotACloudEvent("is a batch; a Broker takes one event a request")
    known = _lower(headers)
    if media_type == STRUCTURED:
        attributes, data = _structured(body)
    elif "ce-specversion" in known:
        attributes, data = _binary(known), body
    else:
        raise NotACloudEvent(f"has neither a ce-specversion header nor the content type {STRUCTURED}")
    faults = _faults(attributes) if checked else []
    if faults:
        raise NotACloudEvent("; ".join(faults))
    if not attributes.get("subject"):
        attributes.pop("subject", None)
    if "time" in attributes:
        attributes["time"] = _go_time(attributes["time"])
    passed = {name: value for name, value in known.items() if name == "x-request-id" or name.startswith(_FORWARDED)}
    return Event(attributes, data, passed)


def to_http(event: Event, *, structured: bool = False) -> tuple[dict[str, str], bytes]:
    """The headers and body that carry *event*; binary unless *structured* is asked for."""
    if structured:
        return {**event.headers, "content-type": STRUCTURED}, _json(event)
    headers = {f"ce-{name}": value for name, value in event.attributes.items() if name != "datacontenttype"}
    if "datacontenttype" in event.attributes:
        headers["content-type"] = event.attributes["datacontenttype"]
    return {**event.headers, **headers}, event.data


def _binary(headers: Mapping[str, str]) -> dict[str, str]:
    attributes = {name[3:]: value.strip() for name, value in headers.items() if name.startswith("ce-")}
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"]
    return attributes


def _structured(body: bytes) -> tuple[dict[str, str], bytes]:
    try:
        members = _members(body.decode())
    except (ValueError, RecursionError) as error:
        raise NotACloudEvent(f"has a body that is no JSON object: {error}") from error
    plain, written = members.pop("data", (None, ""))
    encoded, _ = members.pop("data_base64", (None, ""))
    attributes = {name: _attribute_text(name, value) for name, (value, _) in members.items() if value is not None}
    if encoded is not None:
        return attributes, _base64(encoded)
    if plain is None:
        return attributes, b""
    if isinstance(plain, str) and not _is_json(attributes.get("datacontenttype", "application/json")):
        return attributes, plain.encode()
    return attributes, written.encode()


def _members(text: str) -> dict[str, tuple[object, str]]:
    """A JSON object's members, each parsed and as it was written. Raises ValueError."""
    if not isinstance(json.loads(text), dict):
        raise ValueError("it is another value")
    members: dict[str, tuple[object, str]] = {}
    decoder, skip = json.JSONDecoder(), re.compile(r"[\s,:]*")
    position = _after(skip, text, text.index("{") + 1)
    while text[position] != "}":
        name, end = decoder.raw_decode(text, position)
        colon = text.index(":", end)
        value, end = decoder.raw_decode(text, _after(skip, text, colon))
        members[name] = value, text[colon + 1 : end]  # with the spaces before it, as Knative passes it on
        position = _after(skip, text, end)
    return members


def _after(skip: re.Pattern[str], text: str, position: int) -> int:
    match = skip.match(text, position)
    return match.end() if match else position


def _base64(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise NotACloudEvent("data_base64: is no base64") from error


def _attribute_text(name: str, value: object) -> str:
    """An attribute's canonical text, as a header would hold it; of a fraction the whole number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and abs(value) < 2**31:
        return str(int(value))
    raise NotACloudEvent(f"{name}: is neither a text, a number of 32 bits, true nor false")


def _json(event: Event) -> bytes:
    """The event in structured mode. What is no JSON goes as text, also when it is none: so does Knative 0.47."""
    document: dict[str, object] = dict(event.attributes)
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    if not event.data:
        return body
    if _is_json(event.attributes.get("datacontenttype", "application/json")):
        return body[:-1] + b',"data":' + event.data + b"}"
    text = event.data.decode(errors="surrogateescape")
    return body[:-1] + b',"data":' + json.dumps(text, ensure_ascii=False).encode(errors="surrogateescape") + b"}"


def _faults(attributes: Mapping[str, str]) -> list[str]:
    required = ("id", "source", "type")
    faults = [f"{name}: is missing or blank" for name in required if not attributes.get(name, "").strip()]
    if attributes.get("specversion") != "1.0":
        faults.append(f"specversion: is {attributes.get('specversion', 'missing')!r}, not '1.0'")
    for name, value in attributes.items():
        if not re.fullmatch(r"[a-z0-9]+", name.lower(), re.ASCII):
            faults.append(f"{name}: is no attribute name: letters and digits only")
        elif name in _CHECKS and not _CHECKS[name](value):
            faults.append(f"{name}: is not valid: {value!r}")
    return faults


_CHECKS: dict[str, Callable[[str], bool]] = {
    "subject": lambda value: value == "" or bool(value.strip()),
    "time": lambda value: _RFC3339.fullmatch(value) is not None and _instant(value) is not None,
    "dataschema": lambda value: bool(urlsplit(value).scheme),
    "datacontenttype": lambda value: re.fullmatch(r"[^\s/;]+(/[^\s/;]+)?\s*(;.*)?", value) is not None,
}


def _instant(value: str) -> datetime.datetime | None:
    """The second of an RFC 3339 time in UTC, or None if there is no such time; its fraction is left out."""
    match = _RFC3339.fullmatch(value)
    if match is None:
        return None
    day, clock, _, zone = match.groups()
    try:
        return datetime.datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _go_time(value: str) -> str:
    """A valid RFC 3339 time as Go prints it: UTC, nanoseconds without trailing zeros."""
    match, instant = _RFC3339.fullmatch(value), _instant(value)
    if match is None or instant is None:
        return value
    fraction = (match.group(3) or "").rstrip("0")
    return f"{instant:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"


def _media_type(headers: Mapping[str, str]) -> str:
    return _lower(headers).get("content-type", "").partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
