"""Dead letters on the real Broker: retried, kept with the reason, redriven, handled."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import SERVICE, SINKBINDING, TRIGGER, Cluster
from tests.e2e.conftest import Recorders

pytestmark = pytest.mark.cluster

EVENT_TYPE = "dev.vcenter-events.test.refused.v0"
RETRIES = 2
SECONDS = 60


def letters(cluster: Cluster, namespace: str, method: str = "GET", path: str = "", body: Any = None) -> dict[str, Any]:
    """What deadletter's API answers."""
    # By the revision, for the one before the SinkBinding took effect may still be there.
    service = cluster.get(SERVICE, "deadletter", namespace) or {}
    revision = service["status"]["latestReadyRevisionName"]
    [pod] = cluster.ready_pods(namespace, f"serving.knative.dev/revision={revision}")
    sent = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    answer = cluster.request(method, f"{namespace}/pods/{pod}:8080", f"/api/letters{path}", headers, sent)
    assert answer.status == 200, answer
    return dict(json.loads(answer.body))


def test_event_that_a_reaction_refuses_comes_back_when_it_is_mended(
    cluster: Cluster, installed: str, recorder: Recorders, tell: Callable[[str], None]
) -> None:
    cluster.wait_ready(SINKBINDING, "deadletter", installed)
    cluster.wait_ready(SERVICE, "deadletter", installed)  # the revision of the binding, which keeps what it has
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
    recorder.answer("refusing", [{"status": 500, "body": "the tag is missing"}] * (1 + RETRIES) + [{"status": 202}])
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

    [kept] = cluster.until(lambda: letters(cluster, installed, path="?state=waiting")["letters"], "letter", SECONDS)
    kept_after = time.monotonic() - sent
    assert (kept["id"], kept["code"], kept["answer"], kept["failures"]) == ("4711", 500, "the tag is missing", 1)
    assert kept["destination"].startswith(f"{recorder.address}/refusing")
    assert len(recorder.box("refusing")) == 1 + RETRIES

    redriven = time.monotonic()
    answer = letters(cluster, installed, "POST", "/redrive", {"letters": [kept["letter"]]})
    assert answer == {"redriven": [kept["letter"]], "failed": []}
    cluster.until(lambda: len(recorder.box("refusing")) == 2 + RETRIES, "the redriven event", SECONDS)
    handled_after = time.monotonic() - redriven

    again = recorder.box("refusing")[-1]
    assert (again.id, again.body) == ("4711", b'{"a": 1}')
    assert letters(cluster, installed)["counts"] == {"waiting": 0, "redriven": 1, "dropped": 0, "unstored": 0}
    tell(f"dead letter: {1 + RETRIES} tries and kept in {kept_after:.1f} s, redriven, handled in {handled_after:.1f} s")
