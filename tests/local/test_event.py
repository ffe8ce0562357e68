"""Events on their way through the local Broker. The rest is in `tests/pipeline/test_cloudevents.py`."""

import json

from local.event import REPLY, Event, from_http, to_http

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/here", "ce-type": "a.b", "content-type": "text/xml"}


def test_event_keeps_the_headers_that_knative_passes_on() -> None:
    forwarded = {"x-request-id": "7", "x-b3-traceid": "8", "knative-a": "9"}

    event = from_http({**BINARY, "CE-EventClass": "eventex", "X-Request-Id": "7", **forwarded, "host": "a"}, b"<a/>")

    assert to_http(event) == ({**BINARY, "ce-eventclass": "eventex", **forwarded}, b"<a/>")
    assert event.with_attributes(id="2").headers == forwarded


def test_structured_event_holds_any_data_as_knative_writes_it() -> None:
    binary = from_http({**BINARY, "content-type": "image/png"}, b"\0\xff")
    broken = from_http({**BINARY, "content-type": "application/json"}, b"{")

    assert to_http(binary, structured=True).body.endswith(b',"datacontenttype":"image/png","data":"\\u0000\xff"}')
    assert to_http(broken, structured=True).body.endswith(b',"data":{}')
    assert json.loads(to_http(Event({"id": "1"}), structured=True).body) == {"id": "1"}


def test_attributes_of_a_reply_are_not_checked() -> None:
    reply = from_http({"ce-specversion": "7", "ce-time": "never", "ce-id": ""}, b"", REPLY)

    assert reply.attributes == {"specversion": "7", "time": "never", "id": ""}
