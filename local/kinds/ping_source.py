"""PingSource."""

import base64
import json

from apscheduler.triggers.base import BaseTrigger

from local.fields import TOP, Field
from local.objects import Name
from local.ping import PingSource
from local.references import read_destination
from local.run import Kind, Run
from local.schedule import parse_schedule


def read_ping_source(name: Name, document: Field) -> PingSource:
    """Read a PingSource."""
    document.only(*TOP, "spec")
    spec = document["spec"].only("schedule", "timezone", "contentType", "data", "dataBase64", "sink", "ceOverrides")
    schedule: BaseTrigger = None
    try:
        schedule = parse_schedule(spec["schedule"].text("* * * * *"), spec["timezone"].text())
    except ValueError as error:
        spec["schedule"].reject(str(error))
    content_type = spec["contentType"].text()
    if spec["data"].text() and spec["dataBase64"].text():
        spec["data"].reject("is set, and dataBase64 too; Knative takes one")
    data = spec["data"].text().encode() or _decoded(spec["dataBase64"])
    if content_type == "application/json" and data and not _is_json_object(data):
        (spec["data"] or spec["dataBase64"]).reject("is not a JSON object, as its contentType says")
    return PingSource(
        name,
        document.origin,
        schedule=schedule,
        content_type=content_type,
        data=data,
        sink=read_destination(spec["sink"], name.namespace),
        extensions=spec["ceOverrides"].only("extensions")["extensions"].texts(),
    )


def _decoded(field: Field) -> bytes:
    try:
        return base64.b64decode(field.text(), validate=True)
    except ValueError:
        field.reject("is not base64")
        return b""


def _is_json_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _start(source: PingSource, run: Run) -> None:
    run.pings.add(source, run.address(source.sink))


KINDS = (
    Kind(
        "sources.knative.dev/v1",
        "PingSource",
        PingSource,
        read_ping_source,
        destinations=lambda source: [source.sink],
        start=_start,
    ),
)
