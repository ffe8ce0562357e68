"""HorizonSource on a cluster: the predecessor's manifest works, a killed adapter loses nothing, a wrong login heals."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import DEPLOYMENT, Cluster, Object
from tests.e2e.installation import ClusterRecorder, server_objects
from tests.e2e.sources import (
    API_VERSION,
    CONFIG_MAP,
    HORIZON_SOURCE,
    conditions,
    install,
    sync_secrets,
    wait_condition,
)
from tests.support import horizon
from tests.support.recorder import Request

pytestmark = pytest.mark.cluster

NOW = round(time.time() * 1000) - 3_600_000


class Site:
    """A namespace with a Horizon server, whose events come in the order of their numbers."""

    def __init__(self, cluster: Cluster, namespace: str, recorder: ClusterRecorder) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.recorder = recorder
        self.address = f"http://horizon.{namespace}.svc.cluster.local"
        self.count = 0

    def audit(self, count: int) -> None:
        """Store further events."""
        numbers = range(self.count, self.count + count)
        events = json.dumps([horizon.event(number, NOW + number) for number in numbers]).encode()
        target = f"{self.namespace}/services/horizon:80"
        assert self.cluster.request("POST", target, "control/events", body=events).status == 200
        self.count += count

    def apply(self, name: str, password: str = horizon.PASSWORD) -> None:
        """Apply a HorizonSource and its Secret, as the predecessor's sample has them."""
        self.cluster.apply(self.login(name, password), self.manifest(name))

    def login(self, name: str, password: str) -> Object:
        """Return the Secret of the source *name*."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{name}-login", "namespace": self.namespace},
            "stringData": {"domain": horizon.DOMAIN, "username": horizon.USERNAME, "password": password},
        }

    def manifest(self, name: str) -> Object:
        """Return the HorizonSource *name*, whose events go to the recorder's box of its name."""
        return {
            "apiVersion": API_VERSION,
            "kind": "HorizonSource",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "sink": {"uri": f"{self.recorder.address}/{name}"},
                "address": self.address,
                "skipTLSVerify": False,
                "secretRef": {"name": f"{name}-login"},
                "serviceAccountName": f"{name}-account",
            },
        }

    def received(self, name: str) -> list[Request]:
        """Return the events of Horizon in the box of the source *name*."""
        box = self.recorder.box(name)
        return [request for request in box if request.headers["ce-type"].startswith("com.vmware.horizon.")]

    def wait_received(self, name: str, first: int) -> list[int]:
        """Return the ids that came, each at its first time, once they are all from *first* on."""
        expected = set(range(first, self.count))

        def all_ids() -> list[int] | None:
            ids = list(dict.fromkeys(int(request.id) for request in self.received(name)))
            return ids if expected <= set(ids) else None

        return self.cluster.until(all_ids, f"events {first} to {self.count} in {name}", 120)


@pytest.fixture(scope="module")
def site(
    cluster: Cluster,
    namespace: str,
    image: str,
    recorder: ClusterRecorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """config/sources, and a Horizon server with 30 events in the namespace of the run."""
    install(cluster, image, tmp_path_factory.mktemp("sources"))
    cluster.apply(*server_objects("horizon", namespace, image, Path(horizon.__file__)))
    cluster.wait_ready(DEPLOYMENT, "horizon", namespace)
    created = Site(cluster, namespace, recorder)
    created.audit(30)
    return created


@pytest.fixture
def source(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a test's own source, which is deleted at its end."""
    name = request.node.name.removeprefix("test_")[:20].strip("_").replace("_", "-")
    yield name
    site.cluster.delete(HORIZON_SOURCE, name, site.namespace)
    site.cluster.wait_gone(DEPLOYMENT, f"{name}-adapter", site.namespace, 90)


def test_manifest_of_the_predecessor_sends_events(site: Site, source: str) -> None:
    site.apply(source)
    site.cluster.wait_ready(HORIZON_SOURCE, source, site.namespace)
    first = site.count - 10
    site.wait_received(source, first)
    site.audit(5)
    ids = site.wait_received(source, first)
    assert ids == list(range(first, site.count))
    event = site.received(source)[-1]
    assert event.headers["ce-source"] == site.address
    assert event.headers["ce-type"] == "com.vmware.horizon.vlsi_userloggedin.v0"
    state = conditions(site.cluster, HORIZON_SOURCE, source, site.namespace)
    assert {type_: entry["status"] for type_, entry in state.items()} == {
        "Deployed": "True",
        "Ready": "True",
        "SinkProvided": "True",
    }


def test_killed_adapter_loses_nothing(site: Site, source: str) -> None:
    site.apply(source)
    first = site.count - 10
    site.wait_received(source, first)

    def saved_time() -> int:
        live = site.cluster.get(CONFIG_MAP, f"{source}-configmap", site.namespace) or {}
        return int(json.loads((live.get("data") or {}).get("checkpoint", "{}")).get("lastEventTime", 0))

    site.cluster.until(lambda: saved_time() == NOW + site.count - 1 or None, "the checkpoint", 60)
    site.cluster.delete_pods(site.namespace, f"knative-eventing-source-name={source}")
    site.audit(50)
    ids = site.wait_received(source, first)
    assert ids == list(range(first, site.count))
    assert len(site.received(source)) == len(ids)


def test_wrong_login_is_a_condition_and_heals(site: Site, source: str) -> None:
    site.apply(source, password="hunter2")

    def rejection() -> str | None:
        pods = site.cluster.pods(site.namespace, f"knative-eventing-source-name={source}")
        logs = [site.cluster.log(site.namespace, pod.metadata.name) for pod in pods]
        return next((log for log in logs if "rejects the credentials" in log), None)

    assert "hunter2" not in site.cluster.until(rejection, "the adapter's rejected login", 90)
    wait_condition(site.cluster, HORIZON_SOURCE, source, site.namespace, "Deployed", "DeploymentUnavailable")
    site.cluster.apply(site.login(source, horizon.PASSWORD))
    sync_secrets(site.cluster, site.namespace, f"knative-eventing-source-name={source}")
    site.cluster.wait_ready(HORIZON_SOURCE, source, site.namespace)
    site.wait_received(source, site.count - 10)
