"""CloudEvents over HTTP."""

import base64
import json
from typing import Any, NamedTuple

from pipeline.cloudevents.event import CloudEvent, is_json
from pipeline.errors import PermanentError


class NotACloudEvent(PermanentError):
    """The request, response or document holds no valid CloudEvent; the message lists every reason."""


class HTTPMessage(NamedTuple):
    """The headers and the body of a request or response."""

    headers: dict[str, str]
    body: bytes


def to_binary(event: CloudEvent) -> HTTPMessage:
    """Return *event* in binary mode: attributes as headers, data as the body."""
    headers = {f"ce-{name}": value for name, value in event.attributes.items() if name != "datacontenttype"}
    if "datacontenttype" in event.attributes:
        headers["content-type"] = event.attributes["datacontenttype"]
    return HTTPMessage(headers, event.data)


def to_json(event: CloudEvent) -> bytes:
    """Return *event* as a JSON object (UTF-8), as structured mode carries it."""
    document: dict[str, Any] = dict(event.attributes)
    if event.data:
        document |= _data_member(event)
    return json.dumps(document).encode()


def _data_member(event: CloudEvent) -> dict[str, Any]:
    try:
        if is_json(event.attributes.get("datacontenttype", "application/json")):
            return {"data": json.loads(event.data)}
        return {"data": event.data.decode()}
    except (ValueError, RecursionError):
        return {"data_base64": base64.b64encode(event.data).decode()}


def from_json(document: bytes | str) -> CloudEvent:
    """Return the event that the JSON object *document* holds. Raises `NotACloudEvent`."""
    try:
        values = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise NotACloudEvent(f"not a CloudEvent: {error}") from error
    missing = [name for name in ("specversion", "id", "source", "type") if name not in values]
    if missing:
        raise NotACloudEvent(f"not a CloudEvent: missing attributes: {', '.join(missing)}")
    data, encoded = values.pop("data", None), values.pop("data_base64", None)
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }
    if encoded is not None:
        return CloudEvent(attributes, base64.b64decode(encoded))
    if data is None:
        return CloudEvent(attributes)
    if isinstance(data, str) and not is_json(attributes.get("datacontenttype", "application/json")):
        return CloudEvent(attributes, data.encode())
    return CloudEvent(attributes, json.dumps(data, ensure_ascii=False).encode())
