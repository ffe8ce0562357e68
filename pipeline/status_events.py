"""What the poller itself has to say, as CloudEvents of its own types: pure, like `vsphere.event`.

What goes wrong between vCenter and the sink is worth a Trigger, too. The source is the vCenter's, so that several
pollers can be told apart; the id follows from what happened, so that saying it twice is recognised. `docs/events.md`
lists them.
"""

import datetime
from typing import Any

from pipeline.cloudevents import CloudEvent, create

TYPE_PREFIX = "dev.vcenter-events.poller."
UNREACHABLE = f"{TYPE_PREFIX}unreachable.v0"
RECOVERED = f"{TYPE_PREFIX}recovered.v0"
GAP = f"{TYPE_PREFIX}gap.v0"
UNDELIVERABLE = f"{TYPE_PREFIX}undeliverable.v0"


def unreachable(source: str, since: datetime.datetime, reason: str) -> CloudEvent:
    """vCenter cannot be read since *since* (UTC): *reason* says what was tried and what came back."""
    return _notice(UNREACHABLE, source, since, f"unreachable-{_text(since)}", {"since": _text(since), "reason": reason})


def recovered(source: str, since: datetime.datetime, now: datetime.datetime) -> CloudEvent:
    """vCenter is read again *now*, after it could not be since *since* (UTC)."""
    seconds = round((now - since).total_seconds(), 3)
    data = {"since": _text(since), "until": _text(now), "seconds": seconds}
    return _notice(RECOVERED, source, now, f"recovered-{_text(since)}", data)


def gap(source: str, first: int, last: int, now: datetime.datetime) -> CloudEvent:
    """The events with the keys *first* to *last*, both included, are no longer held by vCenter and were never read."""
    return _notice(GAP, source, now, f"gap-{first}-{last}", {"first": first, "last": last})


def undeliverable(
    source: str, count: int, last_id: str, last_type: str, reason: str, now: datetime.datetime
) -> CloudEvent:
    """*count* events were refused for good since the notice before; the last one's id and type, and why."""
    data = {"count": count, "lastId": last_id, "lastType": last_type, "reason": reason}
    return _notice(UNDELIVERABLE, source, now, f"undeliverable-{last_id}-{_text(now)}", data)


def _notice(kind: str, source: str, moment: datetime.datetime, identity: str, data: dict[str, Any]) -> CloudEvent:
    attributes = {
        "type": kind,
        "source": source,
        "id": identity,
        "time": _text(moment),
        "datacontenttype": "application/json",
    }
    return create(attributes, data)


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
