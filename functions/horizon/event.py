"""An event of Horizon's audit history, and the CloudEvent that it becomes. Pure."""

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from pipeline import bounds
from pipeline.cloudevents import CloudEvent
from pipeline.errors import PermanentError, cut
from pipeline.times import rfc3339

FIELDS = (
    "application_pool_name",
    "desktop_pool_name",
    "id",
    "machine_dns_name",
    "machine_id",
    "message",
    "module",
    "severity",
    "time",
    "type",
    "user_id",
)
"""The payload's keys, in the predecessor's order. Horizon's other fields are left out, as the predecessor did."""
MAX_ID = 2**63 - 1
MAX_TIME_MS = 253_402_300_799_999
"""The last millisecond of the calendar."""
TYPE_PREFIX = "com.vmware.horizon."
TYPE_SUFFIX = ".v0"


class EventUnreadable(PermanentError):
    """An item that Horizon sent as an event has no usable id, time or type."""


@dataclasses.dataclass(frozen=True, slots=True)
class HorizonEvent:
    """One event, as it was sent."""

    id: int
    time_ms: int
    """Horizon's clock, in milliseconds since 1970."""
    type: str
    """`VLSI_USERLOGGEDIN`, …"""
    fields: Mapping[str, Any]
    """Everything that Horizon sent of it."""


def from_item(item: object) -> HorizonEvent:
    """Return the event in *item*, an element of Horizon's list. Raises `EventUnreadable`."""
    if not isinstance(item, dict):
        raise EventUnreadable(f"the event is not a JSON object but {cut(repr(item), 100)}")
    identity, time_ms, type_ = item.get("id"), item.get("time"), item.get("type")
    if not _is_whole(identity, MAX_ID):
        raise EventUnreadable(f"event id {cut(repr(identity), 100)} is not a whole number")
    if not _is_whole(time_ms, MAX_TIME_MS):
        raise EventUnreadable(f"time {cut(repr(time_ms), 100)} of event {identity} is not a number of milliseconds")
    if not isinstance(type_, str) or not type_.strip() or len(type_) > bounds.HORIZON_TYPE_CHARACTERS:
        raise EventUnreadable(f"type {cut(repr(type_), 100)} of event {identity} is not a name")
    return HorizonEvent(identity, time_ms, type_.strip(), item)


def to_cloudevent(event: HorizonEvent, source: str) -> CloudEvent:
    """Return *event* as a CloudEvent with the predecessor's attributes and payload.

    *source* is Horizon's address as the user wrote it. The time has milliseconds, which the predecessor cut off. Raises
    `ValueError` if a field cannot be written as JSON.
    """
    attributes = {
        "specversion": "1.0",
        "type": f"{TYPE_PREFIX}{event.type.lower()}{TYPE_SUFFIX}",
        "source": source,
        "id": str(event.id),
        "time": event_time(event.time_ms),
        "datacontenttype": "application/json",
        "partitionkey": source,
    }
    payload = {name: event.fields[name] for name in FIELDS if event.fields.get(name)}
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return CloudEvent(attributes, text.encode("utf-8", "replace"))


def event_time(time_ms: int) -> str:
    """Return *time_ms* (milliseconds since 1970) in RFC 3339, UTC, `2026-01-02T03:04:05.678Z`."""
    seconds, milliseconds = divmod(time_ms, 1000)
    text = rfc3339(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    return f"{text.removesuffix('Z')}.{milliseconds:03}Z" if milliseconds else text


def _is_whole(value: object, maximum: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= maximum
