"""CloudEvents over HTTP: what passes through unchanged, and what is refused."""

import base64
import json

import pytest

from local.event import Event, NotACloudEvent, from_http, to_http

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/here", "ce-type": "a.b", "content-type": "text/xml"}


def structured(**members: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/here", "type": "a.b", **members}).encode()


def read(body: bytes) -> Event:
    return from_http({"Content-Type": "application/cloudevents+json; charset=utf-8"}, body)


def test_binary_event_comes_out_as_it_went_in() -> None:
    event = from_http({**BINARY, "CE-EventClass": "eventex"}, b"<a/>")

    assert event.attributes["eventclass"] == "eventex"
    assert to_http(event) == ({**BINARY, "ce-eventclass": "eventex"}, b"<a/>")


def test_structured_data_keeps_its_bytes() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"/","type":"t","data":{"n": 1.10,  "big": 12345678901234567890.5}}'

    assert read(body).data == b'{"n": 1.10,  "big": 12345678901234567890.5}'


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({}, b""),
        ({"data": None}, b""),
        ({"data": "text", "datacontenttype": "text/plain"}, b"text"),
        ({"data": "text"}, b' "text"'),
        ({"data_base64": base64.b64encode(b"\x00\xff").decode(), "datacontenttype": "image/png"}, b"\x00\xff"),
    ],
)
def test_structured_data_in_each_form(members: dict[str, object], data: bytes) -> None:
    assert read(structured(**members)).data == data


def test_structured_event_is_read_again_as_itself() -> None:
    for content_type, data in (("application/json", b'{"a": 1}'), ("text/plain", "\0é".encode())):
        event = from_http({**BINARY, "content-type": content_type}, data)

        headers, body = to_http(event, structured=True)

        assert from_http(headers, body) == event


def test_extensions_become_texts() -> None:
    attributes = read(structured(count=3, flag=True)).attributes

    assert (attributes["count"], attributes["flag"]) == ("3", "true")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("2026-11-21T00:03:18.120000Z", "2026-11-21T00:03:18.12Z"),
        ("2026-11-21T00:03:18+02:00", "2026-11-20T22:03:18Z"),
        ("2026-11-21T00:03:18.123456789Z", "2026-11-21T00:03:18.123456789Z"),
    ],
)
def test_time_is_written_as_go_does(written: str, normal: str) -> None:
    assert from_http({**BINARY, "ce-time": written}, b"").attributes["time"] == normal


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"content-type": "application/json"}, b"{}", "neither"),
        ({}, b"", "neither"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "batch"),
        ({**BINARY, "ce-id": " "}, b"", "id: is missing"),
        ({"ce-specversion": "1.0"}, b"", "id: is missing or blank; source: is missing or blank; type: is missing"),
        ({**BINARY, "ce-specversion": "0.3"}, b"", "specversion"),
        ({**BINARY, "ce-time": "yesterday"}, b"", "time"),
        ({**BINARY, "ce-time": "2026-02-30T00:00:00Z"}, b"", "time"),
        ({**BINARY, "ce-not-a-name": "x"}, b"", "not-a-name"),
        ({"content-type": "application/cloudevents+json"}, b"{", "no JSON object"),
        ({"content-type": "application/cloudevents+json"}, b"[1]", "no JSON object"),
        ({"content-type": "application/cloudevents+json"}, structured(subject=" "), "subject"),
        ({"content-type": "application/cloudevents+json"}, structured(nested={"a": 1}), "nested"),
        ({"content-type": "application/cloudevents+json"}, structured(number=2**31), "number"),
        ({"content-type": "application/cloudevents+json"}, structured(data_base64="%"), "data_base64"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(headers: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(NotACloudEvent, match=reason):
        from_http(headers, body)
