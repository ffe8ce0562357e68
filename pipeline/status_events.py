"""Status events: an adapter's reports about itself, as CloudEvents of its own types. Pure.

A Trigger can select them like any other event. The source is that of the adapter's events, which distinguishes several
adapters. The id follows from the occurrence, so that a repeated report is recognised.
`docs/reference/events.md` lists them.
"""

import dataclasses
import datetime
import hashlib
from typing import Any

from pipeline.cloudevents import CloudEvent, create
from pipeline.times import rfc3339

PREFIX = "dev.vcenter-events."
REPORTERS = ("poller", "horizon")
"""The functions that send status events, as in their types."""


def status_type(occurrence: str, reporter: str = "poller") -> str:
    """Return the type of the status event *occurrence* of *reporter*."""
    return f"{PREFIX}{reporter}.{occurrence}.v0"


UNREACHABLE = status_type("unreachable")
RECOVERED = status_type("recovered")
GAP = status_type("gap")
UNDELIVERABLE = status_type("undeliverable")
UNREADABLE = status_type("unreadable")
HEARTBEAT = status_type("heartbeat")


def is_status_type(event_type: str) -> bool:
    """Return whether *event_type* is that of a status event."""
    return event_type.startswith(tuple(f"{PREFIX}{reporter}." for reporter in REPORTERS))


@dataclasses.dataclass(frozen=True)
class StatusEvents:
    """The status events of one adapter."""

    source: str
    """The source of the adapter's events."""
    reporter: str = "poller"
    """One of `REPORTERS`."""

    def unreachable(self, since: datetime.datetime, reason: str) -> CloudEvent:
        """Return the report that the server cannot be read since *since* (UTC) because of *reason*."""
        data = {"since": rfc3339(since), "reason": reason}
        return self._event("unreachable", since, rfc3339(since), data)

    def recovered(self, since: datetime.datetime, now: datetime.datetime) -> CloudEvent:
        """Return the report that the server is read again at *now* after an outage since *since* (UTC)."""
        seconds = max(0.0, round((now - since).total_seconds(), 3))  # the clock may have been set back meanwhile
        data = {"since": rfc3339(since), "until": rfc3339(now), "seconds": seconds}
        return self._event("recovered", now, rfc3339(since), data)

    def gap(self, first: int, last: int, now: datetime.datetime) -> CloudEvent:
        """Return the report that the server no longer holds the events *first* to *last* (inclusive), never read."""
        return self._event("gap", now, f"{first}-{last}", {"first": first, "last": last})

    def undeliverable(
        self, count: int, last_id: str, last_type: str, reason: str, now: datetime.datetime
    ) -> CloudEvent:
        """Return the report that *count* events were rejected permanently since the previous report.

        *last_id*, *last_type* and *reason* describe the last one.
        """
        data = {"count": count, "lastId": last_id, "lastType": last_type, "reason": reason}
        return self._event("undeliverable", now, f"{last_id}-{rfc3339(now)}", data)

    def unreadable(self, key: int | None, text: str, reason: str, now: datetime.datetime) -> CloudEvent:
        """Return the report that the server sent *text* as an event that cannot be delivered because of *reason*.

        *key* is the event's, if it has one. The id follows from *text*, so that a repeated report is recognised.
        """
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        data = {"key": key, "reason": reason, "text": text}
        return self._event("unreadable", now, digest if key is None else str(key), data)

    def heartbeat(self, interval_seconds: float, now: datetime.datetime) -> CloudEvent:
        """Return the report that the adapter runs at *now*. The next one follows after *interval_seconds*."""
        return self._event("heartbeat", now, rfc3339(now), {"interval": interval_seconds})

    def _event(self, occurrence: str, moment: datetime.datetime, identity: str, data: dict[str, Any]) -> CloudEvent:
        attributes = {
            "type": status_type(occurrence, self.reporter),
            "source": self.source,
            "partitionkey": self.source,
            "id": f"{occurrence}-{identity}",
            "time": rfc3339(moment),
            "datacontenttype": "application/json",
        }
        return create(attributes, data)
