"""The JSON form of a dead letter."""

import dataclasses
import json
from datetime import datetime

import pytest

from functions.deadletter import document
from functions.deadletter.document import InvalidDeadLetter
from functions.deadletter.store import DeadLetter
from pipeline.cloudevents import LENIENT, from_json, to_json
from tests.support.dead_letters import VCENTER, failed_event

MOMENT = "2026-11-20T12:00:00.000+00:00"
NOW = datetime.fromisoformat(MOMENT)
DEAD_LETTER = DeadLetter(
    number=7,
    source=VCENTER,
    id="1",
    destination="http://tag",
    type="t",
    subject="",
    time="",
    code=None,
    response="",
    arrival="",
    failures=1,
    first_failed=MOMENT,
    last_failed=MOMENT,
    state="waiting",
    redrives=0,
    changed=MOMENT,
    note="",
)


def test_document_has_every_field_in_camel_case() -> None:
    written = document.write(DEAD_LETTER)

    assert len(written) == len(dataclasses.fields(DeadLetter))
    assert (written["number"], written["firstFailed"]) == (7, MOMENT)


def test_read_returns_what_write_wrote() -> None:
    event = {"specversion": "1.0", "id": "1", "source": VCENTER, "type": "t"}

    assert document.read({**document.write(DEAD_LETTER), "event": json.dumps(event)}, NOW)[0] == DEAD_LETTER


def test_event_is_returned_as_structured_json() -> None:
    event = failed_event()

    same = dataclasses.replace(DEAD_LETTER, type=event["type"], subject=event["subject"])
    _, structured = document.read({**document.write(same), "event": to_json(event).decode()}, NOW)

    assert from_json(structured, LENIENT) == event


@pytest.mark.parametrize("item", [None, 3, [], "x", {}])
def test_other_json_is_rejected(item: object) -> None:
    with pytest.raises(InvalidDeadLetter):
        document.read(item, NOW)
