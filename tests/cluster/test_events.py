"""Tests of Kubernetes Events against a real API server: equal ones are counted."""

import pytest

from cluster.client import ClusterClient
from cluster.events import COUNT_SECONDS, SAME_SECONDS, EventRecorder
from cluster.resources import CONFIG_MAPS, EVENTS, Object

pytestmark = pytest.mark.cluster


@pytest.fixture
def about(client: ClusterClient, namespace: str) -> Object:
    """An object to report on."""
    return client.create(CONFIG_MAPS, {"metadata": {"namespace": namespace, "name": "a"}})


def counts(client: ClusterClient) -> list[tuple[str, int]]:
    """Return message and count of all Events."""
    return [(item["message"], item["count"]) for item in client.list(EVENTS, client.namespace).items]


def test_equal_events_are_counted(client: ClusterClient, about: Object) -> None:
    now = [0.0]
    recorder = EventRecorder(client, "tests", lambda: now[0])
    for _ in range(3):
        recorder.record(about, "Warning", "InternalError", "it failed")
    assert counts(client) == [("it failed", 1)]

    now[0] = COUNT_SECONDS
    recorder.record(about, "Warning", "InternalError", "it failed")

    assert counts(client) == [("it failed", 4)]


def test_event_after_a_long_time_is_a_new_one(client: ClusterClient, about: Object) -> None:
    now = [0.0]
    recorder = EventRecorder(client, "tests", lambda: now[0])
    recorder.record(about, "Normal", "Created", "it is there")
    now[0] = SAME_SECONDS
    recorder.record(about, "Normal", "Created", "it is there")

    assert counts(client) == [("it is there", 1)] * 2


def test_event_names_its_object_and_its_source(client: ClusterClient, about: Object) -> None:
    EventRecorder(client, "tests").record(about, "Warning", "InternalError", "x" * 3000)

    (event,) = client.list(EVENTS, client.namespace).items
    assert event["involvedObject"]["uid"] == about["metadata"]["uid"]
    assert event["involvedObject"]["kind"] == "ConfigMap"
    assert event["source"] == {"component": "tests"}
    assert len(event["message"]) == 1024


def test_event_that_cannot_be_written_fails_nothing(client: ClusterClient, about: Object) -> None:
    about["metadata"]["namespace"] = "does-not-exist"

    EventRecorder(client, "tests").record(about, "Warning", "InternalError", "it failed")

    assert counts(client) == []
