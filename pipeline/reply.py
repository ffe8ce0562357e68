"""What a reaction has to say of an event, as an event of its own, which its Broker takes as the reply.

The id follows from the event's, so that the reply to an event that was delivered twice is known as the same. The data
are `message` and `severity`, which people are told, and the facts they are made of.
"""

from typing import Any

from pipeline.cloudevents import CloudEvent, create

TYPE_PREFIX = "dev.vcenter-events."


def reply(event: CloudEvent, what: str, message: str, severity: str, **facts: Any) -> CloudEvent:
    """The reply *what*, `capacity.red` for the type `dev.vcenter-events.capacity.red.v0`, to *event*."""
    attributes = {
        "type": f"{TYPE_PREFIX}{what}.v0",
        "source": event["source"],
        "id": f"{what}-{event['id']}",
        "time": event.get("time"),
        "subject": event.get("subject"),
        "datacontenttype": "application/json",
    }
    data = {"message": message, "severity": severity, **facts}
    return create({name: value for name, value in attributes.items() if value}, data)
