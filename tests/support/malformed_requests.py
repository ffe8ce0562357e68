"""One table of requests that are not, or hardly, CloudEvents, and what each rule set says of them.

The tests of the rules, of the function adapter, of the display and of the local Broker all use it.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


class MalformedRequest(NamedTuple):
    """A request, and the start of the reason for which the strict and the lenient rules reject it. `None` is
    accepted."""

    name: str
    headers: Mapping[str, str]
    body: bytes
    strict: str | None
    lenient: str | None


def _binary(name: str, changes: dict[str, str | None], strict: str, lenient: str | None) -> MalformedRequest:
    """An event in binary mode with *changes* to its attributes."""
    headers = {f"ce-{name}": value for name, value in {**EVENT, **changes}.items() if value is not None}
    return MalformedRequest(name, headers, b"", strict, lenient)


def _structured(name: str, changes: dict[str, Any], strict: str, lenient: str | None) -> MalformedRequest:
    """An event in structured mode with *changes* to its members. Members that are `...` are omitted."""
    members = {name: value for name, value in {**EVENT, **changes}.items() if value is not ...}
    return MalformedRequest(f"structured: {name}", STRUCTURED, json.dumps(members).encode(), strict, lenient)


def _body(name: str, headers: Mapping[str, str], body: bytes, strict: str, lenient: str | None) -> MalformedRequest:
    return MalformedRequest(name, headers, body, strict, lenient)


NEITHER = "neither a header ce-specversion nor the content type application/cloudevents+json"
A_BATCH = "it is a batch; send one event in each request"

MALFORMED = [
    _binary("no id", {"id": None}, "missing attributes: id", "missing attributes: id"),
    _binary(
        "no source and type",
        {"source": None, "type": None},
        "missing attributes: source, type",
        "missing attributes: source, type",
    ),
    _binary("blank id", {"id": " "}, "missing attributes: id", "missing attributes: id"),
    _binary("no version", {"specversion": None}, NEITHER, "missing attributes: specversion"),
    _binary("unknown version", {"specversion": "2"}, "specversion is '2', not 1.0", "specversion is '2', not 1.0 or"),
    _binary("old version", {"specversion": "0.3"}, "specversion is '0.3', not 1.0", None),
    _binary("time that is none", {"time": "yesterday"}, "time is not valid: 'yesterday'", None),
    _binary("time that does not exist", {"time": "2026-02-30T00:00:00Z"}, "time is not valid", None),
    _binary("time without zone", {"time": "2026-01-01T00:00:00"}, "time is not valid", None),
    _binary("schema without a scheme", {"dataschema": "a"}, "dataschema is not valid: 'a'", None),
    _binary("extension with a dash", {"not-a-name": "x"}, "'not-a-name' is not an attribute name", None),
    _binary(
        "several problems",
        {"id": None, "specversion": "7", "time": "never"},
        "missing attributes: id; specversion is '7', not 1.0; time is not valid: 'never'",
        "missing attributes: id; specversion is '7', not 1.0 or 0.3",
    ),
    _body("odd content type", {**{f"ce-{n}": v for n, v in EVENT.items()}, "content-type": "a b"}, b"",
          "datacontenttype is not valid: 'a b'", None),
    _body("nothing", {}, b"", NEITHER, "the body is not JSON that can be read: Expecting value"),
    _body("text", {"content-type": "text/plain"}, b"hello", NEITHER, NEITHER),
    _body("JSON without attributes", {"content-type": "application/json"}, b"{}", NEITHER,
          "missing attributes: specversion, id, source, type"),
    _body("event as plain JSON", {"content-type": "application/json"}, json.dumps(EVENT).encode(), NEITHER, None),
    _body("event without a content type", {}, json.dumps(EVENT).encode(), NEITHER, None),
    _body("broken JSON", STRUCTURED, b'{"id": ',
          "the body is not JSON that can be read: Expecting value: line 1 column 8",
          "the body is not JSON that can be read: Expecting value: line 1 column 8"),
    _body("comma too many", STRUCTURED, b'{"id": "1",}',
          "the body is not JSON that can be read: Expecting property name",
          "the body is not JSON that can be read: Expecting property name"),
    _body("more than one value", STRUCTURED, json.dumps(EVENT).encode() * 2,
          "the body is not JSON that can be read: Extra data", "the body is not JSON that can be read: Extra data"),
    _body("bytes", STRUCTURED, b"\xff\xfe\xfd", "the body is not JSON that can be read: 'utf-8'",
          "the body is not JSON that can be read: 'utf-8'"),
    _body("deep nesting", STRUCTURED, b"[" * 20_000, "the body is not JSON that can be read: maximum recursion",
          "the body is not JSON that can be read: maximum recursion"),
    _body("list", STRUCTURED, b"[1]", "the body is a list, and an event is an object",
          "the body is a list, and an event is an object"),
    _body("empty batch", BATCH, b"[]", A_BATCH, None),
    _body("batch", BATCH, json.dumps([EVENT]).encode(), A_BATCH, None),
    _body("batch that is an object", BATCH, b"{}", A_BATCH, "the body is an object, and a batch is a list"),
    _body("batch with problems", BATCH, json.dumps([EVENT, {"id": "2"}, 3]).encode(), A_BATCH,
          "event 2 of 3: missing attributes: specversion, source, type; "
          "event 3 of 3: the body is a number, and an event is an object"),
    _structured("no id", {"id": ...}, "missing attributes: id", "missing attributes: id"),
    _structured("null as id", {"id": None}, "missing attributes: id", "missing attributes: id"),
    _structured("empty id", {"id": ""}, "missing attributes: id", "missing attributes: id"),
    _structured("blank id", {"id": " "}, "id is blank", None),
    _structured("number as id", {"id": 4711}, "id is a number and must be a string",
                "id is a number and must be a string"),
    _structured("object as source", {"source": {"a": 1}}, "source is an object and must be a string",
                "source is an object and must be a string"),
    _structured("number as version", {"specversion": 1}, "specversion is a number and must be a string",
                "specversion is a number and must be a string"),
    _structured("blank subject", {"subject": " "}, "subject is not valid: ' '", None),
    _structured("list as extension", {"extension": [1]}, "extension is a list", "extension is a list"),
    _structured("object as extension", {"extension": {"a": 1}}, "extension is an object", "extension is an object"),
    _structured("number of more than 32 bits", {"number": 2**31}, "number is a number", None),
    _structured("bad base64", {"data_base64": "%"}, "data_base64 is not base64", "data_base64 is not base64"),
    _structured("several problems", {"id": ..., "extension": [1], "data_base64": "%"},
                "missing attributes: id; extension is a list; data_base64 is not base64",
                "missing attributes: id; extension is a list; data_base64 is not base64"),
]  # fmt: skip
