"""The test of a Trigger against the stored events."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.display import EVENT, STRUCTURED


def matches(client: FlaskClient, trigger: str) -> tuple[int, Any]:
    response = client.post("/api/match", data=trigger, content_type="application/yaml")
    return response.status_code, response.get_json(silent=True) or response.text


@pytest.mark.parametrize(
    ("trigger", "number"),
    [
        ("", 3),
        ("filter: {attributes: {type: a}}", 1),
        ("filters: [{prefix: {type: a}}]", 2),
        ("filters: [{not: {exact: {type: a}}}]", 2),
        ("spec: {broker: default, filter: {attributes: {type: ab, source: /s}}}", 1),
        ("filter: {attributes: {subject: ''}}", 0),
    ],
)
def test_events_that_a_trigger_selects_are_counted(trigger: str, number: int, client: FlaskClient) -> None:
    for name in ("a", "ab", "b"):
        client.post("/", data=json.dumps({**EVENT, "id": name, "type": name}), headers=STRUCTURED)
    assert matches(client, trigger) == (200, {"matches": number, "held": 3})


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        ("filter: {attributes: {Type: a}}", "filter.attributes.Type: is not an attribute name"),
        ("filters: [{cesql: x}]", "the dialect cesql is not supported"),
        ("a: [", "this is not YAML"),
        ("- 1", "a Trigger is an object"),
        ("attributes: {type: a}", "neither filter nor filters, but attributes"),
        ("filters: &a [{all: *a}]", "has a YAML alias"),
        ("filters: [" + "{not: " * 60 + "{exact: {type: a}}" + "}" * 60 + "]", "more than 50 levels deep"),
        ("[" * 5000, "more than 50 levels deep"),
        ("x" * 30_000, "has 30000 characters"),
        ("filter: !!python/object/apply:os.system [x]", "this is not YAML"),
    ],
)
def test_problem_of_a_trigger_is_reported(trigger: str, reason: str, client: FlaskClient) -> None:
    status, text = matches(client, trigger)
    assert status == 400
    assert reason in text
