"""Dead letters on the real Broker: retried, kept with the reason, redriven, handled."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import SERVICE, SINKBINDING, TRIGGER, Cluster
from tests.e2e.cluster import Response as ProxyResponse
from tests.e2e.installation import ClusterRecorder
from tests.support.manifests import TOKEN
from tests.support.recorder import Response

pytestmark = pytest.mark.cluster

POD = ("v1", "Pod")
REPLICASET = ("apps/v1", "ReplicaSet")
REVISION = ("serving.knative.dev/v1", "Revision")
EVENT_TYPE = "dev.vcenter-events.test.rejected.v0"
RETRIES = 2
SECONDS = 60


@pytest.fixture
def one_revision(cluster: Cluster, installed: str) -> None:
    """Keep only the revision that the SinkBinding created: the one before would receive dead letters, too."""
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
        lambda: request(cluster, installed, "display", "/api/dead-letters").status == 200, "deadletter routed to"
    )


def request(cluster: Cluster, namespace: str, function: str, path: str, body: Any = None) -> ProxyResponse:
    """Return the response of the *function*'s pod to a GET, or to a POST of *body*."""
    [pod] = cluster.ready_pods(namespace, f"serving.knative.dev/service={function}")
    method, sent = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
    headers = {"content-type": "application/json", "x-deadletter-token": TOKEN}  # the API server keeps Authorization
    return cluster.request(method, f"{namespace}/pods/{pod}:8080", path, headers, sent)


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


def dead_letters(cluster: Cluster, namespace: str, query: str = "") -> dict[str, Any]:
    """Return the dead letters of the display, which reads them from deadletter."""
    response = request(cluster, namespace, "display", f"/api/dead-letters{query}")
    assert response.status == 200, response
    return dict(json.loads(response.body))


def test_rejected_event_is_redriven_after_the_repair(
    cluster: Cluster,
    installed: str,
    one_revision: None,
    recorder: ClusterRecorder,
    report_figure: Callable[[str], None],
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
        "subscriber": {"uri": f"{recorder.address}/failing"},
        "delivery": delivery,
    }
    metadata = {"name": "failing", "namespace": installed}
    cluster.apply({"apiVersion": TRIGGER[0], "kind": TRIGGER[1], "metadata": metadata, "spec": spec})
    cluster.wait_ready(TRIGGER, "failing", installed)
    cluster.wait_subscribed(installed)
    recorder.script("failing", [Response(500, "the tag is missing")] * (1 + RETRIES) + [Response(202)])
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

    [kept] = cluster.until(
        lambda: dead_letters(cluster, installed, "?state=waiting")["deadLetters"], "dead letter", SECONDS
    )
    kept_after = time.monotonic() - sent
    assert (kept["id"], kept["code"], kept["response"], kept["failures"]) == ("4711", 500, "the tag is missing", 1)
    assert kept["destination"].startswith(f"{recorder.address}/failing")
    assert len(recorder.box("failing")) == 1 + RETRIES

    redriven = time.monotonic()
    response = request(cluster, installed, "deadletter", "/api/dead-letters/redrive", {"numbers": [kept["number"]]})
    assert json.loads(response.body) == {"redriven": [kept["number"]], "failed": []}
    cluster.until(lambda: len(recorder.box("failing")) == 2 + RETRIES, "the redriven event", SECONDS)
    handled_after = time.monotonic() - redriven

    again = recorder.box("failing")[-1]
    assert (again.id, again.body) == ("4711", b'{"a": 1}')
    [settled] = dead_letters(cluster, installed, f"?destination={kept['destination']}")["deadLetters"]
    assert (settled["number"], settled["state"], settled["failures"]) == (kept["number"], "redriven", 1)
    report_figure(f"dead letter: {1 + RETRIES} attempts, kept in {kept_after:.1f} s, redriven in {handled_after:.1f} s")


def test_dead_letters_outlive_their_pod(
    cluster: Cluster, installed: str, one_revision: None, report_figure: Callable[[str], None]
) -> None:
    [pod] = cluster.ready_pods(installed, "serving.knative.dev/service=deadletter")
    for number in range(50):
        response = cluster.request("POST", f"{installed}/pods/{pod}:8080", "/", dead(str(number)), b'{"a": 1}')
        assert response.status == 202, response

    def listed() -> dict[str, dict[str, Any]]:
        kept = dead_letters(cluster, installed, "?destination=http://nobody.test")["deadLetters"]
        return {dead_letter["id"]: {**dead_letter, "number": 0} for dead_letter in kept}

    before = listed()
    assert len(before) == 50
    started = time.monotonic()
    cluster.delete(POD, pod, installed)
    cluster.wait_gone(POD, pod, installed)
    seconds = time.monotonic() - started

    assert listed() == before
    report_figure(
        f"dead letters: 50 handed to the next pod, none lost, when the one before had drained ({seconds:.0f} s)"
    )
