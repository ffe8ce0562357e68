"""The display in this process: its routes and its history."""

import json
from typing import Any

from flask.testing import FlaskClient

import func
from functions import display
from functions.display import row
from functions.display.history import History
from pipeline.cloudevents import CloudEvent

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
"""The smallest event, in structured mode."""


def display_client(**environ: str) -> FlaskClient:
    """Return a client of a new display's routes."""
    return func.application("display", display.create(environ)).test_client()


def stored_event(client: FlaskClient, seq: int = 1) -> Any:
    """Return the stored event number *seq*, as the API shows it."""
    return client.get(f"/api/events/{seq}").get_json()


def rejected_requests(client: FlaskClient) -> Any:
    """Return the rejected requests, as the API shows them."""
    return client.get("/api/rejected").get_json()


def history(capacity: int = 100, size_bytes: int = 10_000_000) -> History:
    """Return an empty history without a file."""
    return History(capacity, size_bytes)


def named_event(name: str, data: bytes = b"", **attributes: str) -> CloudEvent:
    """Return an event whose id is *name*."""
    required = {"specversion": "1.0", "id": name, "source": "/s", "type": "t", "time": "2026-11-20T15:45:13Z"}
    return CloudEvent(required | attributes, data)


def add(target: History, *events: CloudEvent | str, data: bytes = b"") -> None:
    """Add events, one request each. A text is the id of an event with *data*."""
    for event in events:
        cloud_event = named_event(event, data) if isinstance(event, str) else event
        target.add([(cloud_event, row.summary(cloud_event))], {})


def as_objects(rows: list[Any]) -> list[dict[str, Any]]:
    """Return rows as objects."""
    return [dict(zip(row.NAMES, values, strict=True)) for values in rows]


def changed_rows(source: History, since: int = 0) -> list[dict[str, Any]]:
    """Return the rows that changed after revision *since*, as objects."""
    changes = source.changes(since, 1000)
    assert changes is not None
    return as_objects([json.loads(text) for _, text in changes.rows])


def ids(source: History, since: int = 0) -> list[str]:
    """Return the ids of the events that changed after revision *since*."""
    return [values["id"] for values in changed_rows(source, since)]
