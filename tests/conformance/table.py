"""The table of cases that the local Broker and Knative's both have to pass.

It has three parts, each a dictionary of named cases: the ingress's responses, the filters' selections, and deliveries.
The cases come from the source code of knative.dev/eventing v0.47. A real Broker of that version passes them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.recorder import Response

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

Headers = Mapping[str, str]
Spec = Mapping[str, Any]


def binary(event_id: str, event_type: str, **attributes: str) -> dict[str, str]:
    """The headers of an event in binary mode."""
    known = {"specversion": "1.0", "id": event_id, "source": "/conformance", "type": event_type, **attributes}
    return {f"ce-{name}": value for name, value in known.items()}


def structured(event_id: str, event_type: str, **members: Any) -> bytes:
    """The body of an event in structured mode."""
    known = {"specversion": "1.0", "id": event_id, "source": "/conformance", "type": event_type, **members}
    return json.dumps(known, separators=(",", ":")).encode()


# ── ingress ──


@dataclass(frozen=True)
class Request:
    """A request to the Broker's address, and the status of the response."""

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    method: str = "POST"
    below: str = ""
    """The path below the Broker's address."""


EVENT = binary("1", "ingress")

INGRESS: dict[str, Request] = {
    "binary event": Request(202, EVENT),
    "structured event": Request(202, {"content-type": STRUCTURED}, structured("1", "ingress")),
    "structured event with charset": Request(
        202, {"content-type": f"{STRUCTURED}; charset=utf-8"}, structured("1", "ingress")
    ),
    "address with a slash at its end": Request(202, EVENT, below="/"),
    "address with something below": Request(400, EVENT, below="/more"),
    "batch": Request(400, {"content-type": BATCH}, b"[" + structured("1", "ingress") + b"]"),
    "no event": Request(400, {"content-type": "application/json"}, b"{}"),
    "nothing": Request(400),
    "GET": Request(405, method="GET"),
    "PUT": Request(405, EVENT, method="PUT"),
    "OPTIONS": Request(200, method="OPTIONS"),
    "no id": Request(400, {name: value for name, value in EVENT.items() if name != "ce-id"}),
    "no source": Request(400, {name: value for name, value in EVENT.items() if name != "ce-source"}),
    "no type": Request(400, {name: value for name, value in EVENT.items() if name != "ce-type"}),
    "blank id": Request(400, binary(" ", "ingress")),
    "unknown version": Request(400, binary("1", "ingress", specversion="2.0")),
    "blank subject": Request(202, binary("1", "ingress", subject=" ")),
    "structured with a blank subject": Request(
        400, {"content-type": STRUCTURED}, structured("1", "ingress", subject=" ")
    ),
    "structured with an empty subject": Request(
        202, {"content-type": STRUCTURED}, structured("1", "ingress", subject="")
    ),
    "structured with null": Request(
        202, {"content-type": STRUCTURED}, structured("1", "ingress", subject=None, a=None)
    ),
    "structured with a number beyond 32 bits": Request(
        400, {"content-type": STRUCTURED}, structured("1", "ingress", a=2**31)
    ),
    "structured with a fraction": Request(202, {"content-type": STRUCTURED}, structured("1", "ingress", a=1.5)),
    "time that is none": Request(400, binary("1", "ingress", time="yesterday")),
    "time that does not exist": Request(400, binary("1", "ingress", time="2026-02-30T00:00:00Z")),
    "time without zone": Request(400, binary("1", "ingress", time="2026-01-01T00:00:00")),
    "schema that is not a URI": Request(400, binary("1", "ingress", dataschema="a schema")),
    "extension with an underscore": Request(400, binary("1", "ingress", a_b="1")),
    "structured without body": Request(400, {"content-type": STRUCTURED}),
    "structured that is not JSON": Request(400, {"content-type": STRUCTURED}, b"{"),
    "structured that is a list": Request(400, {"content-type": STRUCTURED}, b"[]"),
    "structured without id": Request(
        400, {"content-type": STRUCTURED}, b'{"specversion":"1.0","type":"a","source":"b"}'
    ),
    "structured with an object as extension": Request(
        400, {"content-type": STRUCTURED}, structured("1", "ingress", extension={"a": 1})
    ),
    "structured with a number as id": Request(
        400, {"content-type": STRUCTURED}, b'{"specversion":"1.0","type":"a","source":"b","id":1}'
    ),
    "structured with bad base64": Request(
        400, {"content-type": STRUCTURED}, structured("1", "ingress", data_base64="*")
    ),
    "went round too often": Request(400, binary("1", "ingress", knativebrokerttl="1")),
}

# ── filters ──

FILTERED: dict[str, Headers] = {
    "plain": {"type": "a.created"},
    "subject": {"type": "a.deleted", "subject": "vm-1", "time": "2026-01-01T00:00:00Z"},
    "colour": {"type": "b.created", "source": "https://vcenter/sdk", "colour": "red"},
    "upper": {"type": "A.CREATED", "colour": "RED", "dataschema": "urn:schema"},
    "json": {"type": "b.deleted", "datacontenttype": "application/json; charset=utf-8"},
}
"""Attributes of events by id, in addition to those of `binary`."""

EVERY = set(FILTERED)


@dataclass(frozen=True)
class Filter:
    """The selecting part of a Trigger's spec, and the events of `FILTERED` that it selects."""

    spec: Spec
    selects: set[str]
    local: bool = True
    """False if the local Broker rejects the Trigger by name."""


def attributes(**expected: str) -> Spec:
    """`filter`, the first dialect."""
    return {"filter": {"attributes": expected}}


def filters(*expressions: Spec) -> Spec:
    """`filters`, the newer dialects."""
    return {"filters": list(expressions)}


CREATED = {"prefix": {"type": "a."}}

FILTERS: dict[str, Filter] = {
    "no filter": Filter({}, EVERY),
    "empty filter": Filter({"filter": {}}, EVERY),
    "attribute": Filter(attributes(type="a.created"), {"plain"}),
    "two attributes": Filter(attributes(type="b.created", colour="red"), {"colour"}),
    "two attributes of which one differs": Filter(attributes(type="b.created", colour="blue"), set()),
    "any value": Filter(attributes(colour=""), {"colour", "upper"}),
    "any value of time": Filter(attributes(time=""), EVERY),
    "any value of subject": Filter(attributes(subject=""), {"subject"}),
    "missing attribute": Filter(attributes(size="1"), set()),
    "case of a value": Filter(attributes(colour="RED"), {"upper"}),
    "source": Filter(attributes(source="https://vcenter/sdk"), {"colour"}),
    "schema by its old name": Filter(attributes(schemaurl="urn:schema"), {"upper"}),
    "schema by its name": Filter(attributes(dataschema="urn:schema"), {"upper"}),
    "content type": Filter(attributes(datacontenttype="application/json; charset=utf-8"), {"json"}),
    "media type": Filter(attributes(datamediatype="application/json"), {"json"}),
    "version": Filter(attributes(specversion="1.0"), EVERY),
    "the Broker's own mark": Filter(attributes(knativebrokerttl=""), set()),
    "the Broker's arrival time": Filter(attributes(knativearrivaltime=""), EVERY),
    "exact": Filter(filters({"exact": {"type": "a.created"}}), {"plain"}),
    "exact of two": Filter(filters({"exact": {"type": "b.created", "colour": "red"}}), {"colour"}),
    "exact of what is missing": Filter(filters({"exact": {"subject": "vm-2"}}), set()),
    "exact time": Filter(filters({"exact": {"time": "2026-01-01T00:00:00Z"}}), {"subject"}),
    "prefix": Filter(filters(CREATED), {"plain", "subject"}),
    "prefix of two": Filter(filters({"prefix": {"type": "b.", "colour": "r"}}), {"colour"}),
    "prefix longer than the value": Filter(filters({"prefix": {"type": "a.created.more"}}), set()),
    "suffix": Filter(filters({"suffix": {"type": ".created"}}), {"plain", "colour"}),
    "suffix of what is missing": Filter(filters({"suffix": {"subject": "1"}}), {"subject"}),
    "all": Filter(filters({"all": [CREATED, {"suffix": {"type": ".created"}}]}), {"plain"}),
    "any": Filter(
        filters({"any": [{"exact": {"type": "a.created"}}, {"exact": {"colour": "red"}}]}), {"plain", "colour"}
    ),
    "not": Filter(filters({"not": CREATED}), {"colour", "upper", "json"}),
    "not of what is missing": Filter(filters({"not": {"exact": {"colour": "red"}}}), EVERY - {"colour"}),
    "not of any": Filter(filters({"not": {"any": [CREATED, {"prefix": {"type": "b."}}]}}), {"upper"}),
    "two expressions": Filter(filters(CREATED, {"suffix": {"type": ".deleted"}}), {"subject"}),
    "filters before filter": Filter({**attributes(type="none"), **filters(CREATED)}, {"plain", "subject"}),
    "no expressions": Filter({**attributes(type="a.created"), "filters": []}, {"plain"}),
    "cesql": Filter(filters({"cesql": "type LIKE 'a.%' AND EXISTS subject"}), {"subject"}, local=False),
}

# ── delivery ──


@dataclass(frozen=True)
class Delivery:
    """One event for one Trigger, of which it is the only one: its `type` is the case's name.

    `{}` in a text stands for the case's own name, `{recorder}` for the recorder's address.
    """

    responses: Sequence[Response] = (Response(),)
    """In order. The last one repeats."""
    spec: Spec = field(default_factory=dict)
    """The Trigger's `delivery`, beside its dead-letter sink."""
    subscriber: str = ""
    """An address in place of the recorder's."""
    dead_letter_responses: Sequence[Response] = (Response(),)

    headers: Headers = field(default_factory=dict)
    """In addition to those of a binary event."""
    body: bytes = b""
    structured: Mapping[str, Any] | None = None
    """Send in structured mode, with these members."""

    attempts: int = 1
    """Requests that the subscriber gets."""
    pauses: Sequence[float] = ()
    """Minimum seconds between them. The real pause is less than a second longer."""
    attributes: Headers = field(default_factory=dict)
    """The attributes that the subscriber receives, except id, source, type and specversion."""
    content_type: str | None = None
    received: bytes = b""
    members: Mapping[str, Any] | None = None
    """The members that it receives in structured mode, except id, source, type and specversion. None for binary
    mode."""
    dead_letters: int = 0
    """Requests that the dead-letter sink gets."""
    error: Headers | None = None
    """The attributes `knativeerror*` there, without that prefix. None if there are none."""
    reply: bytes | None = None
    """The body of the event that comes back, of the type `<name>-reply`. None without such an event."""


RETRY = {"retry": 1}
JSON = {"format": "json"}
ONCE_A_SECOND = {"backoffPolicy": "linear", "backoffDelay": "PT1S"}


def error(status: int, body: str = "") -> Headers:
    """Return the extensions of a dead letter whose subscriber responded with *status* and *body*."""
    return {"dest": "{recorder}/{}", "code": str(status), "data": base64.b64encode(body.encode()).decode()}


ACCEPTED = {f"{status} is accepted": Delivery((Response(status),)) for status in (200, 201, 202, 204)}
REJECTED = {
    f"{status} is not retried": Delivery((Response(status),), RETRY, dead_letters=1, error=error(status))
    for status in (300, 400, 401, 403, 405, 406, 410, 411, 412, 413, 415, 422, 431, 451)
}
RETRIED = {
    f"{status} is retried": Delivery((Response(status),), RETRY, attempts=2, dead_letters=1, error=error(status))
    for status in (404, 408, 409, 429, 500, 501, 502, 503, 504, 599)
}

DELIVERIES: dict[str, Delivery] = {
    **ACCEPTED,
    **REJECTED,
    **RETRIED,
    # attempts and pauses
    "no delivery spec": Delivery((Response(503),), dead_letters=1, error=error(503)),
    "accepted at the third attempt": Delivery((Response(503), Response(429), Response()), {"retry": 5}, attempts=3),
    "retried until it is rejected": Delivery(
        (Response(503), Response(400)), {"retry": 5}, attempts=2, dead_letters=1, error=error(400)
    ),
    "linear backoff": Delivery(
        (Response(503),), {"retry": 3, **ONCE_A_SECOND}, attempts=4, pauses=(0, 1, 2), dead_letters=1, error=error(503)
    ),
    "exponential backoff": Delivery(
        (Response(503),), {"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT0.5S"},
        attempts=4, pauses=(0.5, 1, 2), dead_letters=1, error=error(503),
    ),
    "304 is not retried, and has no reason": Delivery((Response(304),), RETRY, dead_letters=1),
    "delay without policy": Delivery(
        (Response(503),), {"retry": 2, "backoffDelay": "PT5S"},
        attempts=3, pauses=(0, 0), dead_letters=1, error=error(503),
    ),
    "Retry-After is ignored": Delivery(
        (Response(429, headers={"retry-after": "5"}), Response()), RETRY, attempts=2, pauses=(0,)
    ),
    "timeout": Delivery((Response(after_seconds=4),), {"retry": 1, "timeout": "PT1S"}, attempts=2, dead_letters=1),
    "nobody listens": Delivery(
        subscriber="http://127.0.0.1:9/", attempts=0, dead_letters=1,
        error={"dest": "http://127.0.0.1:9/", "code": "500"},
    ),
    # dead letters
    "reason of a rejection": Delivery(
        (Response(400, body="no such VM"),), dead_letters=1, error=error(400, "no such VM")
    ),
    # Not longer: Knative 0.47 encodes it into 1,024 bytes, and the dispatcher panics if it does not fit.
    "longest reason": Delivery((Response(400, body="x" * 768),), dead_letters=1, error=error(400, "x" * 768)),
    "dead-letter sink is retried, too": Delivery(
        (Response(400),), RETRY, dead_letter_responses=(Response(503), Response()), dead_letters=2, error=error(400)
    ),
    # responses with a body
    "response that is not an event": Delivery((Response(200, body="OK"),), RETRY, attempts=2, dead_letters=1),
    "JSON response that is not an event": Delivery(
        (Response(200, "{}", {"content-type": "application/json"}),), attempts=1, dead_letters=1
    ),
    "reply in binary mode": Delivery(
        (Response(200, "answered", {**binary("r", "{}-reply"), "content-type": "text/plain"}),), reply=b"answered"
    ),
    "reply in structured mode": Delivery(
        (Response(200, structured("r", "{}-reply", data={"a": 1}), {"content-type": STRUCTURED}),),
        reply=b'{"a":1}',
    ),
    "reply without data": Delivery((Response(200, headers=binary("r", "{}-reply")),), reply=b""),
    "reply that is not valid": Delivery(
        (Response(200, headers={"ce-specversion": "1.0", "ce-id": "r"}),), RETRY, dead_letters=1, error={"code": "400"}
    ),
    "reply that is not JSON": Delivery(
        (Response(200, "{", {"content-type": STRUCTURED}),), RETRY, attempts=2, dead_letters=1
    ),
    "reply that is a batch": Delivery(
        (Response(200, "[]", {"content-type": BATCH}),), RETRY, attempts=2, dead_letters=1
    ),
    "redirection is followed": Delivery((Response(307, headers={"location": "{}-elsewhere"}),), RETRY),
    "reply to itself ends": Delivery(
        (Response(200, headers=binary("{}", "{}")),), headers={"ce-knativebrokerttl": "4"}, attempts=3, dead_letters=1,
        error={"code": "400"},
    ),
    # what arrives
    "data as they are": Delivery(
        headers={"content-type": "text/xml; charset=utf-8"}, body=b"<a>\n</a>",
        content_type="text/xml; charset=utf-8", received=b"<a>\n</a>",
    ),
    "bytes": Delivery(
        headers={"content-type": "application/octet-stream"}, body=bytes(range(256)),
        content_type="application/octet-stream", received=bytes(range(256)),
    ),
    "no data but a content type": Delivery(
        headers={"content-type": "application/json"}, content_type="application/json"
    ),
    "large data": Delivery(
        headers={"content-type": "application/json"}, body=b'"' + b"x" * 900_000 + b'"',
        content_type="application/json", received=b'"' + b"x" * 900_000 + b'"',
    ),
    "extension attributes": Delivery(
        headers={"ce-colour": "red", "ce-Size": "12", "ce-subject": "vm-1"},
        attributes={"colour": "red", "size": "12", "subject": "vm-1"},
    ),
    "time in another zone": Delivery(
        headers={"ce-time": "2026-01-01T01:00:00.500+01:00"}, attributes={"time": "2026-01-01T00:00:00.5Z"}
    ),
    "blank attributes": Delivery(headers={"ce-subject": " ", "ce-colour": ""}, attributes={"colour": ""}),
    "percent signs": Delivery(headers={"ce-note": "100%25%20%E2%82%AC"}, attributes={"note": "100%25%20%E2%82%AC"}),
    "structured JSON": Delivery(
        structured={"datacontenttype": "application/json", "data": {"a": [1, 2]}, "size": 12, "big": True},
        attributes={"size": "12", "big": "true"}, content_type="application/json", received=b'{"a":[1,2]}',
    ),
    "structured JSON as it is written": Delivery(
        headers={"content-type": STRUCTURED},  # and those of binary mode, which do not count then
        body=b'{"specversion":"1.0","id":"delivery-structured-json-as-it-is-written","source":"/conformance",'
        b'"type":"delivery-structured-json-as-it-is-written","data" : { "a" : 1 } , "colour":"red"}',
        attributes={"colour": "red"}, received=b' { "a" : 1 }',
    ),
    "structured numbers": Delivery(
        structured={"a": 1.5, "b": 2.0, "c": -1, "d": 1e3}, attributes={"a": "1", "b": "2", "c": "-1", "d": "1000"}
    ),
    "structured without content type": Delivery(structured={"data": {"a": 1}}, received=b'{"a":1}'),
    "structured text": Delivery(
        structured={"datacontenttype": "text/plain", "data": "plain"}, content_type="text/plain", received=b"plain"
    ),
    "structured text as JSON": Delivery(
        structured={"datacontenttype": "application/json", "data": "plain"},
        content_type="application/json", received=b'"plain"',
    ),
    "structured bytes": Delivery(
        structured={"datacontenttype": "application/octet-stream", "data_base64": "AAEC"},
        content_type="application/octet-stream", received=b"\0\1\2",
    ),
    "structured without data": Delivery(structured={}),
    # the format that a Trigger asks for
    "format binary": Delivery(
        spec={"format": "binary"}, structured={"datacontenttype": "application/json", "data": {"a": 1}},
        content_type="application/json", received=b'{"a":1}',
    ),
    "format json": Delivery(
        spec=JSON, headers={"content-type": "application/json", "ce-colour": "red", "ce-size": "12"},
        body=b'{"a": [1]}', content_type=STRUCTURED,
        members={"datacontenttype": "application/json", "colour": "red", "size": "12", "data": {"a": [1]}},
    ),
    "format json of a structured event": Delivery(
        spec=JSON, structured={"time": "2026-01-01T01:00:00+01:00", "subject": "vm-1", "data": "plain", "size": 12},
        content_type=STRUCTURED,
        members={"time": "2026-01-01T00:00:00Z", "subject": "vm-1", "data": "plain", "size": "12"},
    ),
    "format json of XML": Delivery(
        spec=JSON, headers={"content-type": "application/xml"}, body=b'<a b="1">\n</a>',
        content_type=STRUCTURED, members={"datacontenttype": "application/xml", "data": '<a b="1">\n</a>'},
    ),
    "format json of bytes": Delivery(  # as text, never data_base64, so bytes that are not UTF-8 are lost
        spec=JSON, headers={"content-type": "application/octet-stream"}, body=b"\0\1\2",
        content_type=STRUCTURED, members={"datacontenttype": "application/octet-stream", "data": "\0\1\2"},
    ),
    "format json without data": Delivery(spec=JSON, content_type=STRUCTURED, members={}),
    "format json of a dead letter": Delivery(
        (Response(400),), JSON, body=b'{"a":1}', headers={"content-type": "application/json"}, content_type=STRUCTURED,
        members={"datacontenttype": "application/json", "data": {"a": 1}}, dead_letters=1, error=error(400),
    ),
}  # fmt: skip
