"""CloudEvents, and how they are read from HTTP and written to it. Pure.

The functions have the names and the shape of `cloudevents.core` in version 2 of the CloudEvents SDK, so that the SDK
can replace this package once parliament allows that version. What never belongs here: one function, one runtime.
"""

from pipeline.cloudevents.event import CloudEvent, create, is_json, media_type
from pipeline.cloudevents.http import (
    BATCH,
    STRUCTURED,
    HTTPMessage,
    events_from_http,
    from_batch,
    from_binary,
    from_http,
    from_structured,
    is_event,
    to_batch,
    to_binary,
    to_structured,
)
from pipeline.cloudevents.json_format import from_json, to_json
from pipeline.cloudevents.rules import LENIENT, STRICT, NotACloudEvent, Rules

__all__ = [
    "BATCH",
    "LENIENT",
    "STRICT",
    "STRUCTURED",
    "CloudEvent",
    "HTTPMessage",
    "NotACloudEvent",
    "Rules",
    "create",
    "events_from_http",
    "from_batch",
    "from_binary",
    "from_http",
    "from_json",
    "from_structured",
    "is_event",
    "is_json",
    "media_type",
    "to_batch",
    "to_binary",
    "to_json",
    "to_structured",
]
