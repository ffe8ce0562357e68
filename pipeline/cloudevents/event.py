"""The CloudEvent: context attributes as texts, and data as bytes."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, Self

from pipeline.cloudevents import json_text

_NOT_PARSED: Any = object()


@dataclasses.dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event. *attributes* are the context attributes and extensions. *data* is the payload as it arrived, or
    b""."""

    attributes: Mapping[str, str]
    data: bytes = b""
    _payload: Any = dataclasses.field(default=_NOT_PARSED, init=False, repr=False, compare=False)

    def __getitem__(self, name: str) -> str:
        """Return the attribute *name*. Raises `KeyError` if the event has no such attribute."""
        return self.attributes[name]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the attribute *name*, or *default* if the event has no such attribute."""
        return self.attributes.get(name, default)

    def with_attributes(self, **changes: str | None) -> Self:
        """Return the event with the attributes in *changes*, and without those that are `None` there."""
        if not changes:
            return self
        kept = {name: value for name, value in self.attributes.items() if name not in changes}
        added = {name: value for name, value in changes.items() if value is not None}
        return dataclasses.replace(self, attributes={**kept, **added})

    @property
    def payload(self) -> Any:
        """The data, parsed if their content type is JSON or absent, else bytes. `None` if the event has no data.

        Parsed at the first access only. Data stay bytes if they are not valid JSON, or have more than
        `bounds.JSON_VALUES` values.
        """
        if self._payload is _NOT_PARSED:
            object.__setattr__(self, "_payload", self._parse())
        return self._payload

    def _parse(self) -> Any:
        if not self.data:
            return None
        if is_json(self.attributes.get("datacontenttype")):
            try:
                payload = json_text.loads(self.data)
                return _encodable(payload) if _SURROGATE(self.data) else payload
            except (ValueError, RecursionError):
                pass
        return self.data


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]").search
"""Finds JSON's escape of a half of a surrogate pair. Most are one of two halves, as they should be."""


def _encodable(value: Any) -> Any:
    """Return *value*, of JSON, with each half of a surrogate pair that stands alone replaced: no encoding has it."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return value


def create(attributes: Mapping[str, str], payload: Any = None) -> CloudEvent:
    """Return an event with *attributes*, `specversion` 1.0 and *payload* as its data.

    Bytes stay as they are, and `None` gives an event without data. Text stays text unless the content type is JSON.
    Anything else is written as JSON. Raises `TypeError` or `ValueError` if that is impossible.
    """
    return CloudEvent({"specversion": "1.0", **attributes}, _data(attributes.get("datacontenttype"), payload))


def _data(content_type: str | None, payload: Any) -> bytes:
    if payload is None:
        return b""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str) and not is_json(content_type):
        return payload.encode()
    return json.dumps(payload, ensure_ascii=False).encode()


def media_type(content_type: str) -> str:
    """Return `application/json` for `Application/JSON; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str | None) -> bool:
    """Return True if data of *content_type* are JSON, which they also are without one (`None` or "")."""
    return not content_type or media_type(content_type).endswith(("/json", "+json"))
