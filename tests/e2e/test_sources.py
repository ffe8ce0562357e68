"""VSphereSource on a cluster: the predecessor's manifests work, its objects are adopted, and what is missing heals."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sources import names
from tests.e2e.cluster import BROKER, DEPLOYMENT, TRIGGER, Cluster
from tests.e2e.installation import ClusterRecorder
from tests.e2e.sources import (
    CONFIG_MAP,
    SYSTEM,
    VSPHERE_BINDING,
    VSPHERE_SOURCE,
    administrator_of,
    conditions,
    credentials,
    install,
    install_vcsim,
    scale_controller,
    sync_secrets,
    timed,
    vsphere_source,
    wait_condition,
)
from tests.support import predecessor
from tests.support.administrator import Administrator
from tests.support.recorder import Request, Response

pytestmark = pytest.mark.cluster

POWERED_OFF = "com.vmware.vsphere.VmPoweredOffEvent.v0"


class Site:
    """A namespace with a simulated vCenter, where sources are tried."""

    def __init__(self, cluster: Cluster, namespace: str, address: str, recorder: ClusterRecorder) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.address = address
        self.recorder = recorder

    def apply(self, name: str, sink: dict[str, Any] | None = None, **spec: Any) -> None:
        """Apply a VSphereSource, whose events go to the recorder's box of its name unless there is another sink."""
        address = spec.pop("address", self.address)
        self.cluster.apply(
            vsphere_source(name, self.namespace, address, sink or {"uri": f"{self.recorder.address}/{name}"}, **spec)
        )

    def wait_ready(self, name: str, seconds: float = 120) -> None:
        """Wait until a source is ready."""
        self.cluster.wait_ready(VSPHERE_SOURCE, name, self.namespace, seconds)

    def delete(self, name: str) -> None:
        """Delete a source, and wait until its adapter is gone."""
        self.cluster.delete(VSPHERE_SOURCE, name, self.namespace)
        self.cluster.wait_gone(DEPLOYMENT, f"{name}-adapter", self.namespace, 90)

    def received(self, box: str, event_type: str = POWERED_OFF) -> list[Request]:
        """Return the requests to a box with events of one type."""
        return [request for request in self.recorder.box(box) if request.headers["ce-type"] == event_type]

    def wait_received(self, box: str, count: int, seconds: float = 60) -> list[Request]:
        """Return the requests of powered-off VMs to a box, once there are *count*."""
        message = f"{count} events in {box}"
        return self.cluster.until(
            lambda: events if len(events := self.received(box)) >= count else None, message, seconds
        )


@pytest.fixture(scope="module")
def sources(
    cluster: Cluster,
    namespace: str,
    image: str,
    recorder: ClusterRecorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """config/sources and a simulated vCenter in the namespace of the run."""
    install(cluster, image, tmp_path_factory.mktemp("sources"))
    address = install_vcsim(cluster, namespace, tmp_path_factory.mktemp("vcsim"), "vcsim-sources")
    return Site(cluster, namespace, address, recorder)


@pytest.fixture
def someone(sources: Site) -> Iterator[Administrator]:
    """Somebody at the simulated vCenter of the sources."""
    with administrator_of(sources.cluster, sources.namespace, "vcsim-sources") as person:
        yield person


@pytest.fixture
def source(sources: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a test's own source, which is deleted at its end."""
    words = request.node.name.removeprefix("test_")[:20].strip("_").replace("_", "-")
    name = f"{words}-{secrets.token_hex(2)}"  # a second run of the test finds an empty box
    yield name
    sources.delete(name)


def power_cycle(person: Administrator, number: int = 0) -> None:
    """Power a VM off and on."""
    vm = person.vms[number]
    person.power_off(vm)
    person.power_on(vm)


# ── the manifest of the issue ──


def test_manifest_of_the_predecessor_sends_events(
    sources: Site, source: str, someone: Administrator, report_figure: Callable[[str], None]
) -> None:
    cluster, namespace = sources.cluster, sources.namespace
    cluster.apply(
        {"apiVersion": BROKER[0], "kind": "Broker", "metadata": {"name": "inmem-broker", "namespace": namespace}},
        {
            "apiVersion": TRIGGER[0],
            "kind": "Trigger",
            "metadata": {"name": "inmem-broker", "namespace": namespace},
            "spec": {
                "broker": "inmem-broker",
                "filter": {"attributes": {"type": POWERED_OFF}},
                "subscriber": {"uri": f"{sources.recorder.address}/{source}"},
            },
        },
    )
    cluster.wait_ready(BROKER, "inmem-broker", namespace)
    cluster.wait_ready(TRIGGER, "inmem-broker", namespace)
    cluster.wait_subscribed(namespace)
    started = time.monotonic()
    sources.apply(source, {"ref": {"apiVersion": BROKER[0], "kind": "Broker", "name": "inmem-broker"}})
    cluster.until(lambda: cluster.get(DEPLOYMENT, f"{source}-adapter", namespace), "the Deployment", 30)
    deployed_seconds = time.monotonic() - started
    sources.wait_ready(source)
    ready_seconds = time.monotonic() - started
    power_cycle(someone)
    [event] = sources.wait_received(source, 1)
    event_seconds = time.monotonic() - started - ready_seconds

    report_figure(f"VSphereSource: Deployment after {deployed_seconds:.1f} s, Ready after {ready_seconds:.1f} s")
    report_figure(f"VSphereSource: first event {event_seconds:.1f} s after a VM was powered off")
    assert deployed_seconds < 2
    assert event.headers["ce-source"] == f"{sources.address}/sdk"
    assert json.loads(event.body)["Vm"]["Name"]
    state = {type_: entry["status"] for type_, entry in conditions(cluster, VSPHERE_SOURCE, source, namespace).items()}
    assert state == {"AdapterReady": "True", "AuthReady": "True", "Ready": "True"}


def test_deleted_source_takes_everything_with_it(sources: Site) -> None:
    sources.apply("deleted")
    sources.wait_ready("deleted")

    sources.delete("deleted")

    for kind, name in ((VSPHERE_BINDING, "deleted-vspherebinding"), (CONFIG_MAP, "deleted-configmap")):
        sources.cluster.wait_gone(kind, name, sources.namespace)


# ── cases E3 and E4 ──


@pytest.mark.parametrize("account", ["", "own"], ids=["default", "own"])
def test_prepared_checkpoint_replays_nine_minutes(
    sources: Site, someone: Administrator, account: str, request: pytest.FixtureRequest
) -> None:
    """The predecessor's e2e test: a ConfigMap with only a time, and two VMs that were powered off since."""
    cluster, namespace, name = sources.cluster, sources.namespace, f"replay-{account or 'default'}"
    request.addfinalizer(lambda: cluster.delete(CONFIG_MAP, f"{name}-configmap", namespace))
    power_cycle(someone, 0)
    power_cycle(someone, 1)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 9 * 60))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{name}-configmap", "namespace": namespace},
            "data": {"checkpoint": json.dumps({"lastEventKeyTimestamp": since})},
        }
    )
    if account:
        cluster.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
    sources.apply(name, checkpointConfig={"maxAgeSeconds": 600, "periodSeconds": 10}, serviceAccountName=account)
    sources.wait_ready(name)

    events = sources.wait_received(name, 2)

    assert {event.headers["ce-eventclass"] for event in events} == {"event"}
    assert all(event.headers["ce-vsphereapiversion"] for event in events)
    sources.delete(name)
    assert cluster.get(CONFIG_MAP, f"{name}-configmap", namespace) is not None, "it was prepared, so it stays"


# ── what is missing, and heals ──


def test_wrong_password_is_the_reason_until_it_is_right(
    sources: Site, source: str, report_figure: Callable[[str], None]
) -> None:
    cluster, namespace = sources.cluster, sources.namespace
    cluster.apply(credentials(namespace, "wrong", "rotated"))
    sources.apply(source, secretRef={"name": "rotated"})
    rejected = wait_condition(cluster, VSPHERE_SOURCE, source, namespace, "AdapterReady", "not logged in")
    report_figure(f"Wrong password: {rejected['reason']}: {rejected['message']}")

    cluster.apply(credentials(namespace, "pass", "rotated"))
    sync_secrets(cluster, namespace, f"{names.SOURCE_LABEL}={source}")
    with timed() as healed:
        sources.wait_ready(source)
    report_figure(f"Right password: Ready after {healed['seconds']:.0f} s")


def test_missing_secret_is_named_and_heals(sources: Site, source: str) -> None:
    cluster, namespace = sources.cluster, sources.namespace
    sources.apply(source, secretRef={"name": "late-credentials"})
    wait_condition(cluster, VSPHERE_SOURCE, source, namespace, "AdapterReady", "late-credentials")

    cluster.apply(credentials(namespace, name="late-credentials"))

    sources.wait_ready(source, 180)


def test_sink_that_vanishes_and_returns(sources: Site, source: str, someone: Administrator) -> None:
    cluster, namespace = sources.cluster, sources.namespace
    recorder = cluster.get(("v1", "Service"), "recorder", namespace) or {}
    sink = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "late-sink", "namespace": namespace},
        "spec": {"selector": recorder["spec"]["selector"], "ports": [{"port": 80, "targetPort": 8080}]},
    }
    sources.apply(source, {"ref": {"apiVersion": "v1", "kind": "Service", "name": "late-sink"}, "uri": f"/{source}"})
    wait_condition(cluster, VSPHERE_SOURCE, source, namespace, "AdapterReady", 'services "late-sink" not found')

    cluster.apply(sink)
    sources.wait_ready(source)
    cluster.delete(("v1", "Service"), "late-sink", namespace)
    wait_condition(cluster, VSPHERE_SOURCE, source, namespace, "AdapterReady", 'services "late-sink" not found')
    power_cycle(someone)
    cluster.apply(sink)
    sources.wait_ready(source)

    sources.wait_received(source, 1, 90)


def test_missing_service_account_is_named_and_heals(sources: Site, source: str) -> None:
    cluster, namespace = sources.cluster, sources.namespace
    sources.apply(source, serviceAccountName="late-account")
    wait_condition(cluster, VSPHERE_SOURCE, source, namespace, "AdapterReady", '"late-account" not found')

    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late-account", "namespace": namespace}}
    )

    sources.wait_ready(source)


# ── adoption ──


def test_predecessors_source_is_adopted_without_a_loss(
    sources: Site, source: str, someone: Administrator, report_figure: Callable[[str], None]
) -> None:
    """The predecessor's controller is away. Its adapter cannot run here, so its last checkpoint stands for its work."""
    cluster, namespace = sources.cluster, sources.namespace
    power_cycle(someone)
    newest = someone.events()[-1]
    checkpoint = {
        "vCenter": sources.address.removeprefix("https://"),
        "lastEventKey": newest.key,
        "lastEventType": type(newest).__name__.rpartition(".")[2],
        "lastEventKeyTimestamp": newest.createdTime.isoformat(),
        "createdTimestamp": newest.createdTime.isoformat(),
    }
    scale_controller(cluster, 0)
    try:
        sources.apply(source)
        live = cluster.get(VSPHERE_SOURCE, source, namespace) or {}
        for child in predecessor.children(live, json.dumps(checkpoint)):
            child["metadata"]["namespace"] = namespace
            cluster.apply(child)
        adopted = cluster.get(DEPLOYMENT, f"{source}-adapter", namespace) or {}
        power_cycle(someone, 1)
    finally:
        scale_controller(cluster, 1)
    with timed() as taken:
        sources.wait_ready(source)
    power_cycle(someone, 2)
    events = sources.wait_received(source, 2)
    time.sleep(3)  # a repetition would come by now

    report_figure(f"Adoption: Ready {taken['seconds']:.0f} s after the controller")
    names = sorted(json.loads(event.body)["Vm"]["Name"] for event in events)  # of two VMs, so in any order
    assert names == [vm.name for vm in someone.vms[1:3]]
    assert len(sources.received(source)) == 2, "nothing twice"
    after = cluster.get(DEPLOYMENT, f"{source}-adapter", namespace) or {}
    assert after["metadata"]["uid"] == adopted["metadata"]["uid"]


# ── failures of the controller ──


def test_controller_killed_during_a_rollout_finishes_it(
    sources: Site, source: str, someone: Administrator, report_figure: Callable[[str], None]
) -> None:
    cluster = sources.cluster
    sources.apply(source)
    sources.wait_ready(source)
    sources.apply(source, {"uri": f"{sources.recorder.address}/{source}-moved"})
    cluster.delete_pods(SYSTEM, "app=vsphere-source-webhook")
    power_cycle(someone)  # one of the two adapters sends it

    with timed() as recovered:
        cluster.until(lambda: sink_uri(cluster, source, sources.namespace).endswith("-moved"), "the new sink", 90)
        sources.wait_ready(source)
    power_cycle(someone)
    sources.wait_received(f"{source}-moved", 1, 60)
    cluster.until(
        lambda: len(sources.received(source)) + len(sources.received(f"{source}-moved")) >= 2, "both events", 60
    )
    report_figure(f"Controller killed during a rollout: Ready with the change after {recovered['seconds']:.0f} s")


def test_sources_go_on_without_a_controller(sources: Site, source: str, someone: Administrator) -> None:
    sources.apply(source)
    sources.wait_ready(source)
    scale_controller(sources.cluster, 0)
    try:
        power_cycle(someone)
        sources.wait_received(source, 1)
    finally:
        scale_controller(sources.cluster, 1)


def test_sink_that_fails_for_a_while_loses_nothing(sources: Site, source: str, someone: Administrator) -> None:
    sources.recorder.script(source, [Response(503)] * 3 + [Response()])
    sources.apply(source)
    sources.wait_ready(source)

    power_cycle(someone)

    sources.cluster.until(lambda: len(sources.received(source)) >= 1, "the event after its retries", 60)


def sink_uri(cluster: Cluster, name: str, namespace: str) -> str:
    """Return the address that a source's events are sent to."""
    live = cluster.get(VSPHERE_SOURCE, name, namespace) or {}
    return str((live.get("status") or {}).get("sinkUri", ""))
