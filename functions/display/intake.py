"""What a POST brought: its events, in binary, structured or batched mode, or every reason why it has none.

Lenient where a reader can be: an odd time or a payload that is not what its content type says is shown, not refused.
Unlike the CloudEvents SDK it keeps the payload's own bytes and the other headers, and takes batches.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from pipeline.cloudevents import CloudEvent
from pipeline.errors import PermanentError

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")
VERSIONS = ("1.0", "0.3")

_KEPT_TO_THEMSELVES = ("authorization", "cookie", "proxy-authorization")
"""Headers that are never shown."""


@dataclass(frozen=True)
class Event:
    """One event as it came."""

    attributes: Mapping[str, str]
    """The context attributes and extensions, as texts."""
    data: bytes
    """The payload's own bytes; of a structured JSON payload, the JSON again."""
    headers: Mapping[str, str]
    """The request's headers that are no attributes, in lower case."""

    @cached_property
    def readable(self) -> CloudEvent:
        """The event as `pipeline.payload` reads it."""
        return CloudEvent(self.attributes, self.data)


def read(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of a request, in their order; *headers* as WSGI has them, one character a byte.

    Raises `PermanentError` with everything that keeps the request from being one or more CloudEvents. A batch is taken
    as a whole or not at all, so that sending it again is safe.
    """
    known = {name.lower(): _utf8(value) for name, value in headers.items()}
    media_type = media_type_of(known.get("content-type", ""))
    others = {
        name: value for name, value in known.items() if not name.startswith("ce-") and name not in _KEPT_TO_THEMSELVES
    }
    if media_type == BATCH:
        documents = _json(body)
        if not isinstance(documents, list):
            raise _refusal([f"the body is {_kind(documents)} where a batch is a list"])
        return _each_or_none(documents, others)
    if any(name.startswith("ce-") for name in known):
        attributes = {
            name[3:]: _utf8(unquote_to_bytes(value.encode()).decode("latin-1"))
            for name, value in known.items()
            if name.startswith("ce-")
        }
        if known.get("content-type"):
            attributes["datacontenttype"] = known["content-type"]
        return [Event(_checked(attributes, "headers", "ce-"), body, others)]
    if media_type and media_type != STRUCTURED and not media_type.endswith("json"):
        raise _refusal([f"no ce- headers, and the content type {media_type} is not {STRUCTURED}"])
    return [_structured(_json(body), others)]


def structured(attributes: Mapping[str, str], data: bytes) -> dict[str, Any]:
    """The event as a JSON object: structured mode, which can be posted again."""
    document: dict[str, Any] = dict(attributes)
    if not data:
        return document
    media_type = media_type_of(attributes.get("datacontenttype", "application/json"))
    if _is_json(media_type):
        try:
            return document | {"data": json.loads(data)}
        except (ValueError, RecursionError):
            pass
    else:
        try:
            return document | {"data": data.decode()}
        except UnicodeDecodeError:
            pass
    return document | {"data_base64": base64.b64encode(data).decode()}


def media_type_of(content_type: str) -> str:
    """`application/json` of `Application/JSON; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def _each_or_none(documents: list[Any], headers: Mapping[str, str]) -> list[Event]:
    events, faults = [], []
    for number, document in enumerate(documents, 1):
        try:
            events.append(_structured(document, headers))
        except PermanentError as error:
            faults.append(f"event {number} of {len(documents)}: {str(error).removeprefix(_NO_EVENT)}")
    if faults:
        raise _refusal(faults)
    return events


def _structured(document: Any, headers: Mapping[str, str]) -> Event:
    if not isinstance(document, dict):
        raise _refusal([f"the body is {_kind(document)} where an event is an object"])
    values = dict(document)
    data, encoded = values.pop("data", None), values.pop("data_base64", None)
    attributes = _checked({name: value for name, value in values.items() if value is not None}, "attributes", "")
    if encoded is not None:
        try:
            return Event(attributes, base64.b64decode(str(encoded), validate=True), headers)
        except ValueError as error:
            raise _refusal([f"data_base64 is no base64: {error}"]) from error
    if data is None:
        return Event(attributes, b"", headers)
    if isinstance(data, str) and not _is_json(media_type_of(attributes.get("datacontenttype", "application/json"))):
        return Event(attributes, data.encode("utf-8", "replace"), headers)
    return Event(attributes, json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"), headers)


def _checked(values: Mapping[str, Any], what: str, prefix: str) -> dict[str, str]:
    """*values* as texts. Raises `PermanentError` with every fault."""
    faults = []
    missing = [f"{prefix}{name}" for name in REQUIRED if name not in values]
    if missing:
        faults.append(f"missing {what}: {', '.join(missing)}")
    blank = [name for name in REQUIRED if name in values and not _is_text(values[name])]
    if blank:
        faults.append(f"{', '.join(blank)} must be text and not empty")
    elif "specversion" in values and values["specversion"] not in VERSIONS:
        faults.append(f"specversion {values['specversion']} is not one of {', '.join(VERSIONS)}")
    faults += [f"{name} is {_kind(value)}" for name, value in values.items() if isinstance(value, dict | list)]
    if faults:
        raise _refusal(faults)
    return {_storable(name): _text(value) for name, value in values.items()}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _text(value: Any) -> str:
    """An attribute's text as a header would hold it."""
    return _storable(value if isinstance(value, str) else json.dumps(value))


def _storable(text: str) -> str:
    """*text* without halves of surrogate pairs, which JSON can escape and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _utf8(text: str) -> str:
    """Bytes that WSGI gave as Latin-1, read as UTF-8 where they are that."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refusal([f"no ce- headers, and the body is not JSON that can be read: {error}"]) from error


def _is_json(media_type: str) -> bool:
    return media_type.endswith(("/json", "+json"))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


_NO_EVENT = "not a CloudEvent: "


def _refusal(faults: list[str]) -> PermanentError:
    return PermanentError(_NO_EVENT + "; ".join(faults))
