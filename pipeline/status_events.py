"""Status events: the poller's reports about itself, as CloudEvents of its own types. Pure.

A Trigger can select them like any other event. The source is the vCenter's, which distinguishes several pollers. The
id follows from the occurrence, so that a repeated report is recognised. `docs/events.md` lists them.
"""

import datetime
import hashlib
from typing import Any

from pipeline.cloudevents import CloudEvent, create
from pipeline.times import rfc3339

TYPE_PREFIX = "dev.vcenter-events.poller."
UNREACHABLE = f"{TYPE_PREFIX}unreachable.v0"
RECOVERED = f"{TYPE_PREFIX}recovered.v0"
GAP = f"{TYPE_PREFIX}gap.v0"
UNDELIVERABLE = f"{TYPE_PREFIX}undeliverable.v0"
UNREADABLE = f"{TYPE_PREFIX}unreadable.v0"


def unreachable(source: str, since: datetime.datetime, reason: str) -> CloudEvent:
    """Return the report that vCenter cannot be read since *since* (UTC) because of *reason*."""
    return _status_event(
        UNREACHABLE, source, since, f"unreachable-{rfc3339(since)}", {"since": rfc3339(since), "reason": reason}
    )


def recovered(source: str, since: datetime.datetime, now: datetime.datetime) -> CloudEvent:
    """Return the report that vCenter is read again at *now* after an outage since *since* (UTC)."""
    seconds = max(0.0, round((now - since).total_seconds(), 3))  # the clock may have been set back meanwhile
    data = {"since": rfc3339(since), "until": rfc3339(now), "seconds": seconds}
    return _status_event(RECOVERED, source, now, f"recovered-{rfc3339(since)}", data)


def gap(source: str, first: int, last: int, now: datetime.datetime) -> CloudEvent:
    """Return the report that vCenter no longer holds the events *first* to *last* (inclusive), never read here."""
    return _status_event(GAP, source, now, f"gap-{first}-{last}", {"first": first, "last": last})


def undeliverable(
    source: str, count: int, last_id: str, last_type: str, reason: str, now: datetime.datetime
) -> CloudEvent:
    """Return the report that *count* events were rejected permanently since the previous report.

    *last_id*, *last_type* and *reason* describe the last one.
    """
    data = {"count": count, "lastId": last_id, "lastType": last_type, "reason": reason}
    return _status_event(UNDELIVERABLE, source, now, f"undeliverable-{last_id}-{rfc3339(now)}", data)


def unreadable(source: str, key: int | None, text: str, reason: str, now: datetime.datetime) -> CloudEvent:
    """Return the report that vCenter sent *text* as an event that cannot be delivered as one because of *reason*.

    *key* is the event's, if it has one. The id follows from *text*, so that a repeated report is recognised.
    """
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    data = {"key": key, "reason": reason, "text": text}
    return _status_event(UNREADABLE, source, now, f"unreadable-{digest if key is None else key}", data)


def _status_event(
    event_type: str, source: str, moment: datetime.datetime, identity: str, data: dict[str, Any]
) -> CloudEvent:
    attributes = {
        "type": event_type,
        "source": source,
        "id": identity,
        "time": rfc3339(moment),
        "datacontenttype": "application/json",
    }
    return create(attributes, data)
