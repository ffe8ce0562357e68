"""The health of the sources, by what their adapters report: heartbeats, outages and recoveries. Pure.

A heartbeat arrives if the adapter runs and the Broker delivers. So its absence is a fault, which silence of the source
is not.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pipeline import bounds, status_events
from pipeline.cloudevents import CloudEvent

MAX_SOURCES = 20
"""More than a display has vCenters. Anybody can send heartbeats."""


@dataclass(frozen=True)
class SourceHealth:
    """The last reports about one source. Times are in ms since 1970."""

    source: str
    reporter: str
    beat: int = 0
    """When the last heartbeat arrived, or 0."""
    interval: float = 0
    """Seconds between two heartbeats, or 0 if there are none."""
    since: int | None = None
    """Since when the source cannot be read, or None."""
    reason: str = ""


class Health:
    """The health of all sources."""

    def __init__(self) -> None:
        self._sources: dict[str, SourceHealth] = {}

    def observe(self, event: CloudEvent, now_ms: int) -> bool:
        """Learn from *event* and return whether it is a heartbeat, which is nothing but this."""
        if not status_events.is_status_type(event["type"]):
            return False
        reporter, _, occurrence = event["type"].removeprefix(status_events.PREFIX).partition(".")
        occurrence = occurrence.partition(".")[0]
        source = event["source"][: bounds.SUMMARY_CHARACTERS]
        known = self._sources.get(source, SourceHealth(source, reporter))
        data = _data(event)
        if occurrence == "heartbeat":
            seconds = data.get("interval")
            interval = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e6 else 0.0
            known = replace(known, beat=now_ms, interval=interval)
        elif occurrence == "unreachable":
            reason = str(data.get("reason", ""))[: bounds.SUMMARY_CHARACTERS]
            known = replace(known, since=_milliseconds(data.get("since"), now_ms), reason=reason)
        elif occurrence == "recovered":
            known = replace(known, since=None, reason="")
        else:
            return False
        if source in self._sources or len(self._sources) < MAX_SOURCES:
            self._sources[source] = known
        return occurrence == "heartbeat"

    def document(self) -> list[dict[str, Any]]:
        """Return the sources as the page gets them."""
        return [asdict(source) for source in self._sources.values()]


def _data(event: CloudEvent) -> dict[str, Any]:
    try:
        data = json.loads(event.data)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _milliseconds(time: object, otherwise: int) -> int:
    try:
        return round(datetime.fromisoformat(str(time)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return otherwise
