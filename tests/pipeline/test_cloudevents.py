"""CloudEvents over HTTP: what is written is read again, and what is read stays as it came."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import bounds, cloudevents
from pipeline.cloudevents import BATCH, LENIENT, STRICT, STRUCTURED, CloudEvent, HTTPMessage, NotACloudEvent, Rules
from tests.support.malformed_requests import MALFORMED, MalformedRequest
from tests.support.time_zone import far_from_greenwich

# ── what is written is read again ──

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/here", "type": "a.b"}
DEFINED = {*REQUIRED, "subject", "time", "dataschema", "datacontenttype", "data"}
CONTENT_TYPES = (None, "application/json", "application/xml; charset=utf-8", "image/png")

texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1).filter(lambda name: name not in DEFINED)
times = st.datetimes().map(lambda time: re.sub(r"(\.\d*?)0+$", r"\1", time.isoformat()) + "Z")
json_values = st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda of: st.lists(of, max_size=3))
json_data = json_values.map(lambda value: json.dumps(value, ensure_ascii=False).encode())


@st.composite
def events(draw: st.DrawFn, values: st.SearchStrategy[str]) -> CloudEvent:
    """Valid events, whose attributes other than the times are of *values*."""
    filled = values.filter(lambda value: bool(value.strip()))
    attributes = {**REQUIRED, **{name: draw(filled) for name in ("id", "source", "type")}}
    attributes |= draw(st.dictionaries(names, values, max_size=3))
    if draw(st.booleans()):
        attributes["subject"] = draw(filled)
    if draw(st.booleans()):
        attributes["time"] = draw(times)
    content_type = draw(st.sampled_from(CONTENT_TYPES))
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    data = draw(json_data if cloudevents.is_json(content_type) else st.binary(max_size=50))
    return CloudEvent(attributes, data)


@given(events(texts.map(str.strip)))
def test_binary_event_of_knative_is_read_as_it_was_written(event: CloudEvent) -> None:
    assert cloudevents.from_http(cloudevents.to_binary(event, percent_encoded=False), STRICT) == event


@given(events(texts))
def test_binary_event_is_read_as_it_was_written(event: CloudEvent) -> None:
    message = cloudevents.to_binary(event)
    assert all(value.isascii() and value.isprintable() for value in message.headers.values())
    assert cloudevents.from_http(message, LENIENT) == event


@pytest.mark.parametrize(("rules", "space"), [(STRICT, b" "), (LENIENT, b"")], ids=["strict", "lenient"])
@given(events(texts))
def test_structured_event_is_read_as_it_was_written(rules: Rules, space: bytes, event: CloudEvent) -> None:
    read = cloudevents.from_http(cloudevents.to_structured(event), rules)
    assert read.attributes == event.attributes
    written_as_json = event.data not in (b"", b"null") and cloudevents.is_json(event.get("datacontenttype"))
    assert read.data == (space + event.data if written_as_json else event.data)


@given(st.lists(events(texts), max_size=4))
def test_batch_is_read_as_it_was_written(batch: list[CloudEvent]) -> None:
    assert cloudevents.events_from_http(cloudevents.to_batch(batch), LENIENT) == batch


# ── the strict rules accept nothing that the lenient ones reject ──

odd_values = st.sampled_from(["", " ", "%20", "%", "1.0", "0.3", "yesterday", "2026-01-01T00:00:00Z"]) | texts
odd_members = odd_values | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.none(), max_size=1)
odd_names = st.sampled_from([*DEFINED, "data_base64"]) | texts
content_types = st.sampled_from([STRUCTURED, BATCH, "application/json", "text/plain", "", f"{STRUCTURED}; charset=x"])


def nearly_events(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(odd_names, values, max_size=3).map(lambda odd: REQUIRED | odd)


odd_headers = st.builds(
    lambda attributes, other: {**{f"ce-{name}": value for name, value in attributes.items()}, **other},
    nearly_events(odd_values) | st.just({}),
    st.just({}) | content_types.map(lambda content_type: {"content-type": content_type}),
)
odd_bodies = nearly_events(odd_members).map(lambda members: json.dumps(members).encode()) | st.binary(max_size=20)


@given(odd_headers, odd_bodies)
def test_event_that_knative_accepts_is_accepted_everywhere(headers: dict[str, str], body: bytes) -> None:
    message = HTTPMessage(headers, body)
    try:
        cloudevents.from_http(message, STRICT)
    except NotACloudEvent:
        return
    cloudevents.from_http(message, LENIENT)


@given(nearly_events(odd_members | json_values), st.sampled_from([None, 1]), st.data())
def test_document_with_a_character_left_out_is_json_or_rejected(
    members: dict[str, Any], indent: int | None, data: st.DataObject
) -> None:
    document = json.dumps(members, indent=indent, ensure_ascii=False)
    position = data.draw(st.integers(0, len(document)))
    document = document[:position] + document[position + 1 :]
    try:
        cloudevents.from_json(document, LENIENT)
    except NotACloudEvent:
        return
    json.loads(document)


@pytest.mark.parametrize("request_", MALFORMED, ids=lambda request: request.name)
@pytest.mark.parametrize("rules", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_malformed_request_is_rejected_with_every_problem(request_: MalformedRequest, rules: Rules) -> None:
    problem = request_.strict if rules is STRICT else request_.lenient
    message = HTTPMessage(request_.headers, request_.body)
    if problem is None:
        cloudevents.events_from_http(message, rules)
        return
    with pytest.raises(NotACloudEvent) as raised:
        (cloudevents.from_http if rules is STRICT else cloudevents.events_from_http)(message, rules)
    assert str(raised.value).startswith(f"not a CloudEvent: {problem}")


# ── what is read stays as it came ──

BINARY = {f"ce-{name}": value for name, value in REQUIRED.items()}


def structured(**members: Any) -> HTTPMessage:
    return HTTPMessage({"Content-Type": f"{STRUCTURED}; charset=utf-8"}, json.dumps({**REQUIRED, **members}).encode())


def test_structured_data_keep_their_bytes() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"/","type":"t","data" : {"n": 1.10,  "big": 12345678901234567.5} }'
    message = HTTPMessage({"content-type": STRUCTURED}, body)

    assert cloudevents.from_http(message, STRICT).data == b' {"n": 1.10,  "big": 12345678901234567.5}'
    assert cloudevents.from_http(message, LENIENT).data == b'{"n": 1.10,  "big": 12345678901234567.5}'


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({}, b""),
        ({"data": None}, b""),
        ({"data": "text", "datacontenttype": "text/plain"}, b"text"),
        ({"data": "text"}, b'"text"'),
        ({"data_base64": base64.b64encode(b"\x00\xff").decode(), "datacontenttype": "image/png"}, b"\x00\xff"),
    ],
)
def test_structured_data_in_each_form(members: dict[str, object], data: bytes) -> None:
    assert cloudevents.from_http(structured(**members), LENIENT).data == data


@pytest.mark.parametrize("rules", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_extensions_become_texts(rules: Rules) -> None:
    attributes = cloudevents.from_http(structured(count=3, on=True, off=False, none=None), rules).attributes

    assert (attributes["count"], attributes["on"], attributes["off"]) == ("3", "true", "false")
    assert "none" not in attributes


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("2026-11-21T00:03:18.120000Z", "2026-11-21T00:03:18.12Z"),
        ("2026-11-21T00:03:18+02:00", "2026-11-20T22:03:18Z"),
        ("2026-11-21T00:03:18.123456789Z", "2026-11-21T00:03:18.123456789Z"),
    ],
)
def test_strict_rules_write_a_time_as_go_does(written: str, normal: str) -> None:
    message = HTTPMessage({**BINARY, "ce-time": written}, b"")

    assert cloudevents.from_http(message, STRICT)["time"] == normal
    assert cloudevents.from_http(message, LENIENT)["time"] == written


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("VirtualMachine/vm-12", "VirtualMachine/vm-12"),
        ("a b", "a%20b"),
        ('say "100%"', "say%20%22100%25%22"),
        ("Zürich", "Z%C3%BCrich"),
        ("€😀", "%E2%82%AC%F0%9F%98%80"),
        ("line\nbreak", "line%0Abreak"),
        ("\ud800", "?"),
    ],
)
def test_attribute_in_a_header_is_percent_encoded(value: str, encoded: str) -> None:
    assert cloudevents.to_binary(CloudEvent({**REQUIRED, "note": value})).headers["ce-note"] == encoded


def test_only_lenient_rules_decode_header_values() -> None:
    message = HTTPMessage({**BINARY, "CE-Note": "100%25%20%E2%82%AC"}, b"")

    assert cloudevents.from_http(message, STRICT)["note"] == "100%25%20%E2%82%AC"
    assert cloudevents.from_http(message, LENIENT)["note"] == "100% €"


# ── the event ──


@pytest.mark.parametrize(
    ("data", "content_type", "payload"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b"[1]", None, [1]),
        (b"<a/>", None, b"<a/>"),
        (b"{", "application/json", b"{"),
        (b"[" * 100_000, "application/json", b"[" * 100_000),
        (b"1", "text/plain", b"1"),
        (b"", "application/json", None),
    ],
    ids=str,
)
def test_payload_is_parsed_if_it_is_json(data: bytes, content_type: str | None, payload: object) -> None:
    event = CloudEvent({} if content_type is None else {"datacontenttype": content_type}, data)

    assert event.payload == payload
    assert event.payload is event.payload


@pytest.mark.parametrize(
    ("payload", "content_type", "data"),
    [
        (None, "application/json", b""),
        ({"a": "é"}, "application/json", '{"a": "é"}'.encode()),
        ("é", "application/json", '"é"'.encode()),
        ("é", "text/plain", "é".encode()),
        (b"\xff", "application/json", b"\xff"),
    ],
)
def test_created_event_holds_its_payload_as_data(payload: object, content_type: str, data: bytes) -> None:
    event = cloudevents.create({"id": "1", "datacontenttype": content_type}, payload)

    assert event == CloudEvent({"specversion": "1.0", "id": "1", "datacontenttype": content_type}, data)


def test_attributes_are_changed_in_a_copy() -> None:
    event = CloudEvent({"id": "1", "subject": "vm-1"}, b"x")

    assert event.with_attributes(id="2", subject=None) == CloudEvent({"id": "2"}, b"x")
    assert event == CloudEvent({"id": "1", "subject": "vm-1"}, b"x")


def test_event_has_no_data_and_lacks_attributes_by_default() -> None:
    event = CloudEvent({"id": "1"})

    assert (event.data, event.payload, event["id"]) == (b"", None, "1")
    assert (event.get("id", "other"), event.get("subject"), event.get("subject", "none")) == ("1", None, "none")


def test_event_is_its_attributes_and_data_alone() -> None:
    parsed, unparsed = CloudEvent({"id": "1"}, b"[1]"), CloudEvent({"id": "1"}, b"[1]")
    assert parsed.payload == [1]

    assert parsed == unparsed
    assert repr(parsed) == "CloudEvent(attributes={'id': '1'}, data=b'[1]')"
    assert parsed.with_attributes(id="2").payload == [1]
    with pytest.raises(TypeError):
        CloudEvent({}, b"", None)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, True),
        ("", True),
        ("application/json", True),
        ("Application/JSON ; charset=utf-8; x=y", True),
        ("application/vnd.api+json", True),
        ("text/plain", False),
        ("application/jsonl", False),
        ("json", False),
    ],
)
def test_content_types_of_json(content_type: str | None, expected: bool) -> None:
    assert cloudevents.is_json(content_type) is expected


# ── the strict rules, value by value ──


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (70, "70"), (2**31 - 1, "2147483647"), (1 - 2**31, "-2147483647"), (1.0, "1")]
)
def test_strict_extension_is_a_number_of_32_bits(number: float, text: str) -> None:
    assert cloudevents.from_http(structured(count=number), STRICT)["count"] == text


@pytest.mark.parametrize("number", [2**31, -(2**31), 2**40, 1e300])
def test_strict_extension_is_not_a_larger_number(number: float) -> None:
    with pytest.raises(NotACloudEvent, match="count is a number"):
        cloudevents.from_http(structured(count=number), STRICT)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("2026-11-21t00:03:18z", "2026-11-21T00:03:18Z"),
        ("2026-11-21T00:03:18.0010Z", "2026-11-21T00:03:18.001Z"),
        ("2026-11-21T00:03:18.000Z", "2026-11-21T00:03:18Z"),
        ("2026-11-21T00:03:18.1234567891Z", "2026-11-21T00:03:18.123456789Z"),
        ("2026-11-21T00:03:18.5-05:30", "2026-11-21T05:33:18.5Z"),
    ],
)
def test_strict_time_is_in_gos_form(written: str, normal: str) -> None:
    assert cloudevents.from_http(structured(time=written), STRICT)["time"] == normal


@pytest.mark.parametrize(
    ("attribute", "value", "valid"),
    [
        ("datacontenttype", "text", True),
        ("datacontenttype", "text/plain;charset=x", True),
        ("datacontenttype", "text/plain/more", False),
        ("datacontenttype", "text/", False),
        ("dataschema", "urn:a", True),
        ("dataschema", "/path", False),
        ("time", "0001-01-01T00:00:00+23:59", False),
        ("time", "2026-11-21 00:03:18Z", False),
        ("time", "2026-11-21T00:03:18.\u0663Z", False),
        ("a-b", "x", False),
        ("\u017f", "x", False),
        ("9to5", "x", True),
    ],
)
def test_strict_attribute_is_valid_or_named(attribute: str, value: str, valid: bool) -> None:
    message = structured(**{attribute: value})
    if valid:
        assert cloudevents.from_http(message, STRICT)[attribute] == value
        return
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_http(message, STRICT)
    assert [problem for problem in raised.value.problems if attribute in problem or repr(attribute) in problem]


@pytest.mark.parametrize("name", [*REQUIRED, "subject", "time", "dataschema", "datacontenttype"])
@pytest.mark.parametrize(("value", "kind"), [(1, "a number"), (True, "a Boolean"), ([], "a list"), ({}, "an object")])
def test_attributes_of_the_specification_are_strings(name: str, value: object, kind: str) -> None:
    for rules in (STRICT, LENIENT):
        with pytest.raises(NotACloudEvent) as raised:
            cloudevents.from_http(structured(**{name: value}), rules)
        assert raised.value.problems[0] == f"{name} is {kind} and must be a string"


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({"extra": []}, ["extra is a list"]),
        ({"id": "", "extra": {}}, ["missing attributes: id", "extra is an object"]),
        ({"id": " ", "specversion": "0.3"}, ["specversion is '0.3', not 1.0", "id is blank"]),
        ({"a-b": "x"}, ["'a-b' is not an attribute name: only a to z and digits are allowed"]),
        ({"time": "never", "subject": " "}, ["subject is not valid: ' '", "time is not valid: 'never'"]),
    ],
)
def test_strict_rules_report_every_problem(attributes: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_http(structured(**attributes), STRICT)
    assert sorted(raised.value.problems) == sorted(problems)


@pytest.mark.parametrize("rules", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_attributes_up_to_the_bounds_are_accepted(rules: Rules) -> None:
    many = {f"x{number}": "" for number in range(bounds.ATTRIBUTES - 4)}
    longest = "x" * (bounds.ATTRIBUTE_BYTES - len("note"))

    assert len(rules.check(REQUIRED | many)) == bounds.ATTRIBUTES
    assert rules.check(REQUIRED | {"note": longest})["note"] == longest
    with pytest.raises(NotACloudEvent) as raised:
        rules.check(REQUIRED | many | {"note": longest + "x"})
    assert raised.value.problems == ("more than 256 attributes", "attributes longer than 65536 bytes: note")


def test_first_five_names_of_long_attributes_are_reported() -> None:
    names = ["n" * 61, "b", "c", "d", "e", "f"]
    with pytest.raises(NotACloudEvent) as raised:
        LENIENT.check(REQUIRED | dict.fromkeys(names, "x" * bounds.ATTRIBUTE_BYTES))
    assert raised.value.problems == (f"attributes longer than 65536 bytes: {'n' * 59}…, b, c, d, e",)


def test_lenient_rules_name_the_versions_that_they_accept() -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_http(structured(specversion="2"), LENIENT)
    assert raised.value.problems == ("specversion is '2', not 1.0 or 0.3",)


def test_strict_time_does_not_depend_on_the_local_zone() -> None:
    with far_from_greenwich():
        assert cloudevents.from_http(structured(time="2026-11-21T00:03:18+02:00"), STRICT)["time"] == (
            "2026-11-20T22:03:18Z"
        )


def test_strict_rules_drop_an_empty_subject() -> None:
    assert "subject" not in cloudevents.from_http(structured(subject=""), STRICT).attributes
    assert cloudevents.from_http(structured(subject=""), LENIENT)["subject"] == ""


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert cloudevents.from_http(structured(note="\ud800é"), LENIENT)["note"] == "?é"


def test_problems_are_kept_one_by_one() -> None:
    error = NotACloudEvent(["a is bad", "b is worse"])

    assert error.problems == ("a is bad", "b is worse")
    assert str(error) == "not a CloudEvent: a is bad; b is worse"


def test_half_of_a_surrogate_pair_is_replaced_in_the_payload() -> None:
    event = CloudEvent({"id": "1", "type": "t", "source": "s"}, rb'{"UserName": "\ud800x", "Vm": ["\ud83d\ude00"]}')
    assert event.payload == {"UserName": "\ufffdx", "Vm": ["😀"]}
    assert b"\\ud800" in event.data
    assert CloudEvent({}, rb'"\uDFFFx"').payload == "\ufffdx"


# ── messages, byte by byte ──

PLAIN_JSON = {**REQUIRED, "datacontenttype": "application/json"}
ATTRIBUTES_JSON = b'"specversion": "1.0", "id": "1", "source": "/here", "type": "a.b"'
TYPED_JSON = ATTRIBUTES_JSON + b', "datacontenttype": '


def test_binary_message_has_attributes_as_headers() -> None:
    event = CloudEvent({**PLAIN_JSON, "note": "a b"}, b"[1]")
    headers = {**BINARY, "content-type": "application/json"}

    assert cloudevents.to_binary(event) == HTTPMessage({**headers, "ce-note": "a%20b"}, b"[1]")
    assert cloudevents.to_binary(event, percent_encoded=False) == HTTPMessage({**headers, "ce-note": "a b"}, b"[1]")


@pytest.mark.parametrize(
    ("event", "document"),
    [
        (CloudEvent(REQUIRED), b"{" + ATTRIBUTES_JSON + b"}"),
        (CloudEvent({"note": "é"}), '{"note": "é"}'.encode()),
        (CloudEvent({"note": "\ud800"}), b'{"note": "?"}'),
        (CloudEvent({}, b"[1]"), b'{"data": [1]}'),
        (CloudEvent({"id": "1"}, b' {"a":  1.0}\n'), b'{"id": "1", "data": {"a":  1.0}}'),
        (CloudEvent({}, b"null"), b'{"data_base64": "bnVsbA=="}'),
        (CloudEvent({}, b"NaN"), b'{"data_base64": "TmFO"}'),
        (CloudEvent({}, b"{"), b'{"data_base64": "ew=="}'),
        (CloudEvent({}, b"\xff"), b'{"data_base64": "/w=="}'),
        (CloudEvent({}, b"[" * 100_000), b'{"data_base64": "' + base64.b64encode(b"[" * 100_000) + b'"}'),
        (
            CloudEvent({"datacontenttype": "text/plain"}, 'é "'.encode()),
            '{"datacontenttype": "text/plain", "data": "é \\""}'.encode(),
        ),
    ],
    ids=lambda value: "",
)
def test_document_is_written_byte_by_byte(event: CloudEvent, document: bytes) -> None:
    assert cloudevents.to_json(event) == document
    assert cloudevents.to_structured(event) == HTTPMessage({"content-type": "application/cloudevents+json"}, document)
    assert cloudevents.to_batch([event, event]) == HTTPMessage(
        {"content-type": "application/cloudevents-batch+json"}, b"[" + document + b", " + document + b"]"
    )


WRITTEN = '{ "specversion" :\t"1.0",\r\n"id":"1","source":"/here", "type" : "a.b" %s}'


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ("", b""),
        (', "data": {"a": [1, {}]}', b'{"a": [1, {}]}'),
        (', "data" : 1.10 ', b"1.10"),
        (', "data": "text"', b'"text"'),
        (', "data": false', b"false"),
        (', "data": null, "data_base64": null', b""),
        (', "data": 1, "data_base64": "AP8="', b"\x00\xff"),
        (', "data": 1, "data": 2', b"2"),
        (', "data": "\\u00e9", "datacontenttype": "text/plain"', "é".encode()),
        (', "data": "\\ud800", "datacontenttype": "text/plain"', b"?"),
    ],
)
def test_document_is_read_whatever_its_spaces(members: str, data: bytes) -> None:
    document = f" \n{WRITTEN % members}\t\r "
    for form in (document, document.encode(), b"\xef\xbb\xbf" + document.encode()):
        event = cloudevents.from_json(form, LENIENT)
        assert {name: event[name] for name in REQUIRED} == REQUIRED
        assert event.data == data


NOT_JSON = {
    "": "Expecting value: line 1 column 1 (char 0)",
    " ": "Expecting value: line 1 column 2 (char 1)",
    "{": "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    "{ 1": "Expecting property name enclosed in double quotes: line 1 column 3 (char 2)",
    '{"a" 1}': "Expecting ':' delimiter: line 1 column 5 (char 4)",
    '{"a": 1': "Expecting ',' delimiter: line 1 column 8 (char 7)",
    '{"a": 1]': "Expecting ',' delimiter: line 1 column 8 (char 7)",
    '{"a": 1} {': "Extra data: line 1 column 10 (char 9)",
    "{}x": "Extra data: line 1 column 3 (char 2)",
    "[]x": "Extra data: line 1 column 3 (char 2)",
    "[{}": "Expecting ',' delimiter: line 1 column 4 (char 3)",
    "[{}}": "Expecting ',' delimiter: line 1 column 4 (char 3)",
    "[{} 1": "Expecting ',' delimiter: line 1 column 4 (char 3)",
    "[,": "Expecting value: line 1 column 2 (char 1)",
}


@pytest.mark.parametrize(("document", "reason"), NOT_JSON.items(), ids=repr)
def test_document_that_is_not_json_is_rejected_with_its_place(document: str, reason: str) -> None:
    for read in (cloudevents.from_json, lambda text, rules: cloudevents.from_batch(HTTPMessage({}, text), rules)):
        with pytest.raises(NotACloudEvent) as raised:
            read(document, LENIENT)
        assert raised.value.problems == (f"the body is not JSON that can be read: {reason}",)


@pytest.mark.parametrize(
    ("document", "described"),
    [("[]", "a list"), ("1", "a number"), ('"a"', "a string"), ("null", "null"), ("true", "a Boolean")],
)
def test_document_of_another_type_is_described(document: str, described: str) -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_json(document, LENIENT)
    assert raised.value.problems == (f"the body is {described}, and an event is an object",)


def test_batch_of_another_type_is_described() -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_batch(HTTPMessage({}, b"{}"), LENIENT)
    assert raised.value.problems == ("the body is an object, and a batch is a list",)


@pytest.mark.parametrize("batch", [b"[]", b" [ ] ", b"[\n]\t"])
def test_batch_may_be_empty(batch: bytes) -> None:
    assert cloudevents.from_batch(HTTPMessage({}, batch), LENIENT) == []


def test_batch_may_have_space_around_it() -> None:
    document = cloudevents.to_json(CloudEvent(REQUIRED))

    assert cloudevents.from_batch(HTTPMessage({}, b"\n [ " + document + b" ] "), LENIENT) == [CloudEvent(REQUIRED)]


def test_half_a_surrogate_pair_in_written_data_is_replaced() -> None:
    assert cloudevents.from_json(WRITTEN % ', "data": ["\ud800"]', LENIENT).data == b'["?"]'


def test_text_as_data_does_not_hide_a_problem() -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_http(structured(id="", data="text"), LENIENT)
    assert raised.value.problems == ("missing attributes: id",)


def test_data_that_are_not_base64_are_a_problem() -> None:
    with pytest.raises(NotACloudEvent) as raised:
        cloudevents.from_http(structured(data_base64="a%"), LENIENT)
    assert raised.value.problems == ("data_base64 is not base64: Only base64 data is allowed",)


# ── which mode a message has ──


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Content-Type": "application/json"}, False),
        ({"ce-id": "1"}, False),
        ({"CE-SpecVersion": "1.0"}, True),
        ({"Content-Type": "application/cloudevents+json; charset=utf-8"}, True),
        ({"content-type": "Application/CloudEvents-Batch+JSON"}, True),
    ],
)
def test_headers_announce_an_event(headers: dict[str, str], expected: bool) -> None:
    assert cloudevents.is_event(headers) is expected


def test_message_is_read_in_the_mode_that_the_caller_names() -> None:
    event = CloudEvent(REQUIRED, b"1")
    binary, document, batch = (
        cloudevents.to_binary(event),
        cloudevents.to_structured(event),
        cloudevents.to_batch([event]),
    )

    assert cloudevents.from_binary(binary, LENIENT) == event
    assert cloudevents.from_structured(document, LENIENT) == event
    assert cloudevents.from_batch(batch, LENIENT) == [event]
    assert [cloudevents.events_from_http(message, LENIENT) for message in (binary, document, batch)] == [[event]] * 3


@pytest.mark.parametrize("content_type", [None, "application/json", "text/json", "application/vnd.x+json"])
def test_lenient_rules_read_an_event_that_nothing_announces(content_type: str | None) -> None:
    body = json.dumps(REQUIRED).encode()
    message = HTTPMessage({} if content_type is None else {"content-type": content_type}, body)

    assert cloudevents.from_http(message, LENIENT) == CloudEvent(REQUIRED)
    with pytest.raises(NotACloudEvent):
        cloudevents.from_http(message, STRICT)


def test_lenient_rules_read_binary_mode_without_a_version() -> None:
    headers = {name: value for name, value in BINARY.items() if name != "ce-specversion"}
    for rules, problem in [
        (LENIENT, "missing attributes: specversion"),
        (STRICT, "neither a header ce-specversion nor the content type application/cloudevents+json"),
    ]:
        with pytest.raises(NotACloudEvent) as raised:
            cloudevents.from_http(HTTPMessage(headers, b"{}"), rules)
        assert raised.value.problems == (problem,)


def test_header_values_lose_the_space_around_them() -> None:
    message = HTTPMessage({**BINARY, "CE-Note": " a b\t", "Content-Type": "", "X-Other": "1"}, b"x")

    assert cloudevents.from_http(message, STRICT) == CloudEvent({**REQUIRED, "note": "a b"}, b"x")


@pytest.mark.parametrize(
    ("value", "decoded"),
    [("%C3%A9", "é"), ("%FF", "ÿ"), ("%", "%"), ("é%20", "é "), ("\ud800%20", "? "), ("a+b", "a+b")],
)
def test_percent_encoding_is_decoded(value: str, decoded: str) -> None:
    assert cloudevents.from_http(HTTPMessage({**BINARY, "ce-note": value}, b""), LENIENT)["note"] == decoded
