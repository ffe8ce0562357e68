"""CloudEvents, and how they are read from HTTP and written to it. Pure.

The functions have the names and the shape of `cloudevents.core` in version 2 of the CloudEvents SDK, so that the SDK
can replace this package once parliament allows that version. What never belongs here: one function, one runtime.
"""

from pipeline.cloudevents.event import CloudEvent, create
from pipeline.cloudevents.http import NotACloudEvent, from_json, to_binary, to_json

__all__ = ["CloudEvent", "NotACloudEvent", "create", "from_json", "to_binary", "to_json"]
