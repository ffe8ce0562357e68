"""Dead letters on the real Broker: retried, kept with the reason, redriven, handled."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import SERVICE, SINKBINDING, TRIGGER, Cluster
from tests.e2e.cluster import Response as ProxyResponse
from tests.e2e.installation import ClusterRecorder
from tests.support.recorder import Response

pytestmark = pytest.mark.cluster

POD = ("v1", "Pod")
REPLICASET = ("apps/v1", "ReplicaSet")
REVISION = ("serving.knative.dev/v1", "Revision")
EVENT_TYPE = "dev.vcenter-events.test.refused.v0"
RETRIES = 2
SECONDS = 60


@pytest.fixture
def one_revision(cluster: Cluster, installed: str) -> None:
    """Leave deadletter the revision that its SinkBinding made: the one before takes letters as long as it is there."""
    cluster.wait_ready(SINKBINDING, "deadletter", installed)
    cluster.wait_ready(SERVICE, "deadletter", installed)
    last = (cluster.get(SERVICE, "deadletter", installed) or {})["status"]["latestReadyRevisionName"]
    for revision in cluster.every(REVISION, installed, "serving.knative.dev/service=deadletter"):
        if revision["metadata"]["name"] != last:
            cluster.delete(REVISION, revision["metadata"]["name"], installed)
    selector = f"serving.knative.dev/service=deadletter,serving.knative.dev/revision!={last}"
    cluster.until(lambda: not cluster.every(REPLICASET, installed, selector), "no more pods of the revision before")
    for pod in cluster.every(POD, installed, selector):  # they would end by themselves, half a minute later
        cluster.delete(POD, pod["metadata"]["name"], installed, grace_seconds=0)
    cluster.until(
        lambda: asked(cluster, installed, "display", "/api/dead-letters").status == 200, "deadletter routed to"
    )


def asked(cluster: Cluster, namespace: str, function: str, path: str, body: Any = None) -> ProxyResponse:
    """Return the response of the *function*'s pod to a GET, or to a POST of *body*."""
    [pod] = cluster.ready_pods(namespace, f"serving.knative.dev/service={function}")
    method, sent = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
    return cluster.request(method, f"{namespace}/pods/{pod}:8080", path, {"content-type": "application/json"}, sent)


def dead(number: str) -> dict[str, str]:
    """The headers of an event as the Broker sends it when it gives it up."""
    return {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": number,
        "ce-source": "/test",
        "ce-type": EVENT_TYPE,
        "ce-knativearrivaltime": "2026-11-20T10:00:00Z",
        "ce-knativeerrordest": "http://nobody.test",
        "ce-knativeerrorcode": "503",
    }


def letters(cluster: Cluster, namespace: str, query: str = "") -> dict[str, Any]:
    """The letters as the display has them, which asks deadletter at its address."""
    answer = asked(cluster, namespace, "display", f"/api/dead-letters{query}")
    assert answer.status == 200, answer
    return dict(json.loads(answer.body))


def test_rejected_event_is_redriven_after_the_repair(
    cluster: Cluster, installed: str, one_revision: None, recorder: ClusterRecorder, tell: Callable[[str], None]
) -> None:
    # As the Broker's own delivery, with fewer retries: ten of them take 3.4 minutes.
    delivery = {
        "retry": RETRIES,
        "backoffPolicy": "exponential",
        "backoffDelay": "PT0.2S",
        "deadLetterSink": {"ref": {"apiVersion": SERVICE[0], "kind": SERVICE[1], "name": "deadletter"}},
    }
    spec = {
        "broker": "default",
        "filter": {"attributes": {"type": EVENT_TYPE}},
        "subscriber": {"uri": f"{recorder.address}/refusing"},
        "delivery": delivery,
    }
    metadata = {"name": "refusing", "namespace": installed}
    cluster.apply({"apiVersion": TRIGGER[0], "kind": TRIGGER[1], "metadata": metadata, "spec": spec})
    cluster.wait_ready(TRIGGER, "refusing", installed)
    cluster.wait_subscribed(installed)
    recorder.script("refusing", [Response(500, "the tag is missing")] * (1 + RETRIES) + [Response(202)])
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "4711",
        "ce-source": "/test",
        "ce-type": EVENT_TYPE,
    }

    sent = time.monotonic()
    broker = "knative-eventing/services/broker-ingress:80"
    assert cluster.request("POST", broker, f"/{installed}/default", headers, b'{"a": 1}').status == 202

    [kept] = cluster.until(lambda: letters(cluster, installed, "?state=waiting")["deadLetters"], "letter", SECONDS)
    kept_after = time.monotonic() - sent
    assert (kept["id"], kept["code"], kept["response"], kept["failures"]) == ("4711", 500, "the tag is missing", 1)
    assert kept["destination"].startswith(f"{recorder.address}/refusing")
    assert len(recorder.box("refusing")) == 1 + RETRIES

    redriven = time.monotonic()
    answer = asked(cluster, installed, "deadletter", "/api/dead-letters/redrive", {"numbers": [kept["number"]]})
    assert json.loads(answer.body) == {"redriven": [kept["number"]], "failed": []}
    cluster.until(lambda: len(recorder.box("refusing")) == 2 + RETRIES, "the redriven event", SECONDS)
    handled_after = time.monotonic() - redriven

    again = recorder.box("refusing")[-1]
    assert (again.id, again.body) == ("4711", b'{"a": 1}')
    [settled] = letters(cluster, installed, f"?destination={kept['destination']}")["deadLetters"]
    assert (settled["number"], settled["state"], settled["failures"]) == (kept["number"], "redriven", 1)
    tell(f"dead letter: {1 + RETRIES} tries and kept in {kept_after:.1f} s, redriven, handled in {handled_after:.1f} s")


def test_letters_outlive_a_pod_that_ends(
    cluster: Cluster, installed: str, one_revision: None, tell: Callable[[str], None]
) -> None:
    [pod] = cluster.ready_pods(installed, "serving.knative.dev/service=deadletter")
    for number in range(50):
        answer = cluster.request("POST", f"{installed}/pods/{pod}:8080", "/", dead(str(number)), b'{"a": 1}')
        assert answer.status == 202, answer

    def listed() -> dict[str, dict[str, Any]]:
        found = letters(cluster, installed, "?destination=http://nobody.test")["deadLetters"]
        return {each["id"]: {**each, "number": 0} for each in found}

    before = listed()
    assert len(before) == 50
    started = time.monotonic()
    cluster.delete(POD, pod, installed)
    cluster.wait_gone(POD, pod, installed)
    seconds = time.monotonic() - started

    assert listed() == before
    tell(f"dead letters: 50 handed to the next pod, none lost, when the one before had drained ({seconds:.0f} s)")
