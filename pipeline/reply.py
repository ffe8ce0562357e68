"""Events that reactions reply with. The Broker accepts the reply to a delivery as a new event.

The reply's id is derived from the event's id, so that the replies to an event that was delivered twice are duplicates.
"""

from typing import Any

from pipeline import payload
from pipeline.cloudevents import CloudEvent, create

TYPE_PREFIX = "dev.vcenter-events."


def reply(event: CloudEvent, name: str, message: str, severity: str, **facts: Any) -> CloudEvent:
    """Return a reply to *event* of the type `dev.vcenter-events.NAME.v0` (*name* is `capacity.red`).

    It has the source, subject and time of *event*, and its id as `causationid` (the CloudEvents extension Correlation).
    Its data are *message* and *severity* (`info`, `warning` or `error`), which notify uses, the objects that *event*
    names, the reaction as `UserName`, and *facts*.
    """
    attributes = {
        "type": f"{TYPE_PREFIX}{name}.v0",
        "source": event["source"],
        "id": f"{name}-{event['id']}",
        "time": event.get("time") or "",
        "subject": event.get("subject") or "",
        "partitionkey": event.get("subject") or event["source"],
        "datacontenttype": "application/json",
        "causationid": event["id"],
    }
    properties = payload.fields(event)
    objects = {name: properties[name] for name, _ in payload.OBJECTS.values() if isinstance(properties.get(name), dict)}
    user = f"reaction {name.partition('.')[0]}"
    data = {"message": message, "severity": severity, "UserName": user, **objects, **facts}
    return create({name: value for name, value in attributes.items() if value}, data)
