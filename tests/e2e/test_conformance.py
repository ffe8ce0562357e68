"""Knative's Broker passes the table. tests/conformance/test_local.py checks the local one."""

from collections.abc import Mapping, Sequence

import pytest

from tests.conformance.play import Object, Played, check_delivery, check_filter, check_ingress, play
from tests.conformance.table import DELIVERIES, FILTERS, INGRESS
from tests.e2e.cluster import BROKER, TRIGGER, Cluster
from tests.e2e.installation import ClusterRecorder
from tests.support.recorder import Request, Response

pytestmark = pytest.mark.cluster

INGRESS_SERVICE = "knative-eventing/services/broker-ingress:80"


class ClusterEngine:
    """Knative's Brokers, and the recorder in the cluster."""

    def __init__(self, cluster: Cluster, namespace: str, recorder: ClusterRecorder) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._recorder = recorder
        self.recorder = recorder.address

    def open(self, objects: Sequence[Object]) -> None:
        for manifest in objects:
            manifest["metadata"]["namespace"] = self._namespace
            self._cluster.apply(manifest)
        for manifest in objects:
            kind = BROKER if manifest["kind"] == "Broker" else TRIGGER
            self._cluster.wait_ready(kind, manifest["metadata"]["name"], self._namespace, 300)
        self._cluster.wait_subscribed(self._namespace)

    def send(self, broker: str, method: str, below: str, headers: Mapping[str, str], body: bytes) -> int:
        path = f"{self._namespace}/{broker}{below}"
        return self._cluster.request(method, INGRESS_SERVICE, path, headers, body or None).status

    def script(self, box: str, responses: Sequence[Response]) -> None:
        self._recorder.script(box, responses)

    def boxes(self, names: Sequence[str]) -> dict[str, list[Request]]:
        return self._recorder.boxes(names)


@pytest.fixture(scope="module")
def played(cluster: Cluster, namespace: str, recorder: ClusterRecorder) -> Played:
    return play(ClusterEngine(cluster, namespace, recorder), everything=True)


@pytest.mark.parametrize("name", INGRESS)
def test_ingress(played: Played, name: str) -> None:
    check_ingress(played, name)


@pytest.mark.parametrize("name", FILTERS)
def test_filter(played: Played, name: str) -> None:
    check_filter(played, name)


@pytest.mark.parametrize("name", DELIVERIES)
def test_delivery(played: Played, name: str) -> None:
    check_delivery(played, name)
