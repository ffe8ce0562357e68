"""Every way of wiring in config/samples/, applied as it stands, with real events through it."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.table import binary
from tests.e2e.cluster import (
    BROKER,
    DEPLOYMENT,
    NAMESPACE,
    SERVICE,
    SINKBINDING,
    SUBSCRIPTION,
    TRIGGER,
    Cluster,
    Object,
    moved,
)
from tests.e2e.installation import ROOT, ClusterRecorder, kustomize_image, rows
from tests.support.administrator import Administrator
from tests.support.manifests import rendered
from tests.support.recorder import Request, Response

pytestmark = pytest.mark.cluster

SAMPLES = ROOT / "config/samples"
INGRESS = "knative-eventing/services/broker-ingress:80"
KINDS = {
    "Channel": ("messaging.knative.dev/v1", "Channel"),
    "Subscription": SUBSCRIPTION,
    "Sequence": ("flows.knative.dev/v1", "Sequence"),
    "Parallel": ("flows.knative.dev/v1", "Parallel"),
    "ApiServerSource": ("sources.knative.dev/v1", "ApiServerSource"),
    "ContainerSource": ("sources.knative.dev/v1", "ContainerSource"),
    "SinkBinding": SINKBINDING,
    "Trigger": TRIGGER,
}
"""The kinds with a condition for readiness."""


class Wiring:
    """A namespace with everything installed, in which samples are tried."""

    def __init__(self, cluster: Cluster, namespace: str, recorder: ClusterRecorder) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.recorder = recorder

    @contextmanager
    def applied(
        self, sample: str, change: Callable[[Object], Object] = lambda manifest: manifest
    ) -> Iterator[list[Object]]:
        """Apply the sample's objects until they are ready. Delete them at the end, so that the next may reuse the
        names."""
        objects = [change(manifest) for manifest in moved(objects_in(SAMPLES / f"{sample}.yaml"), self.namespace)]
        try:
            for manifest in objects:
                self.apply(manifest)
            for manifest in objects:
                if manifest["kind"] in KINDS:
                    self.cluster.wait_ready(KINDS[manifest["kind"]], manifest["metadata"]["name"], self.namespace)
            self.cluster.wait_subscribed(self.namespace)
            yield objects
        finally:
            for manifest in reversed(objects):
                self.cluster.delete(*identity(manifest))
            for manifest in objects:
                self.cluster.wait_gone(*identity(manifest))

    def apply(self, manifest: Object) -> None:
        """Apply, knowing kinds that have just been defined."""
        if manifest["kind"] != "CustomResourceDefinition":
            manifest["metadata"]["namespace"] = self.namespace
        self.cluster.apply(manifest)

    def recorded(self, manifest: Object, *names: str) -> Object:
        """*each* with the recorder in the place of the Services *names*: the box of the same name."""

        def replace(value: Any) -> Any:
            if isinstance(value, dict):
                name = value.get("ref", {}).get("name") if isinstance(value.get("ref"), dict) else None
                if name in names:
                    return {"uri": f"{self.recorder.address}/{name}-{manifest['kind'].lower()}"}
                return {key: replace(item) for key, item in value.items()}
            return [replace(item) for item in value] if isinstance(value, list) else value

        replaced: Object = replace(manifest)
        return replaced

    def send(self, event_id: str, event_type: str, **attributes: str) -> None:
        """An event to the Broker."""
        headers = {**binary(event_id, event_type, **attributes), "content-type": "application/json"}
        assert self.cluster.request("POST", INGRESS, f"{self.namespace}/default", headers, b"{}").status == 202

    def shown(self, column: str, value: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the display has a row with that value. Call *meanwhile* before each look."""

        def is_shown(rows: list[dict[str, str]]) -> bool:
            return any(value in str(row[column]) for row in rows)

        def look() -> bool:
            meanwhile()
            return is_shown(rows(self.cluster, self.namespace, is_shown))

        self.cluster.until(look, f"{column} {value} on the display", 60)

    def box(self, name: str, count: int = 1) -> list[Request]:
        """Return the recorded requests, as soon as there are *count*."""
        return self.cluster.until(
            lambda: box if len(box := self.recorder.box(name)) >= count else None, f"{count} events in {name}", 90
        )


def identity(manifest: Object) -> tuple[tuple[str, str], str, str]:
    """Its kind, name and namespace."""
    return (
        (manifest["apiVersion"], manifest["kind"]),
        manifest["metadata"]["name"],
        manifest["metadata"].get("namespace", ""),
    )


def objects_in(file: Path) -> list[Object]:
    """The objects of a file."""
    return list(yaml.safe_load_all(file.read_text()))


@pytest.fixture
def wiring(cluster: Cluster, installed: str, recorder: ClusterRecorder) -> Wiring:
    return Wiring(cluster, installed, recorder)


# ── the poller's sink ──


@pytest.fixture
def bound_again(cluster: Cluster, installed: str) -> Iterator[None]:
    """Afterwards the poller is bound to the Broker, as config/ has it."""
    yield
    [binding] = [
        manifest
        for manifest in moved(rendered(ROOT / "config"), installed)
        if (manifest["kind"], manifest["metadata"]["name"]) == ("SinkBinding", "vcenter-poller")
    ]
    cluster.apply(binding)
    cluster.wait_ready(SINKBINDING, "vcenter-poller", installed)
    cluster.wait_ready(SERVICE, "vcenter-poller", installed)


def sink_of_the_poller(cluster: Cluster, namespace: str) -> str:
    """Return K_SINK of the ready revision of the poller, or ""."""
    service = cluster.get(SERVICE, "vcenter-poller", namespace) or {}
    [container] = service["spec"]["template"]["spec"]["containers"]
    ready = service["status"].get("latestReadyRevisionName") == service["status"].get("latestCreatedRevisionName")
    return next((variable["value"] for variable in container["env"] if variable["name"] == "K_SINK" and ready), "")


def test_direct_sink(wiring: Wiring, administrator: Administrator, bound_again: None) -> None:
    with wiring.applied("direct"):
        wiring.cluster.until(
            lambda: "//display." in sink_of_the_poller(wiring.cluster, wiring.namespace), "poller bound to the display"
        )
        administrator.post("straight to the display")

        wiring.shown("message", "straight to the display")


def test_channel_with_two_subscriptions(wiring: Wiring, administrator: Administrator, bound_again: None) -> None:
    with wiring.applied("channel", lambda manifest: wiring.recorded(manifest, "notify")):
        wiring.cluster.until(
            lambda: "kn-channel" in sink_of_the_poller(wiring.cluster, wiring.namespace), "poller bound to the Channel"
        )
        administrator.post("over the Channel")

        wiring.shown("message", "over the Channel")
        wiring.box("notify-subscription")


# ── from the Broker ──


def test_sequence_hands_replies_on(wiring: Wiring) -> None:
    summary = Response(200, "{}", {**binary("s1", "e2e.summary"), "content-type": "application/json"})
    wiring.recorder.script("failover-sequence", [summary])
    wiring.recorder.script("notify-sequence", [Response(200, "{}", binary("s2", "e2e.sequence.end"))])

    with wiring.applied("sequence", lambda manifest: wiring.recorded(manifest, "failover", "notify")):
        wiring.send("s0", "com.vmware.vsphere.com.vmware.vc.ha.VmRestartedByHAEvent.v0")

        assert wiring.box("notify-sequence")[0].attributes["type"] == "e2e.summary"
        wiring.shown("type", "e2e.sequence.end")


def test_parallel_asks_its_filters(wiring: Wiring) -> None:
    passing = Response(200, headers=binary("p1", "e2e.passed"))
    wiring.recorder.script("capacity-parallel", [passing, Response(202)])

    with wiring.applied("parallel", lambda manifest: wiring.recorded(manifest, "capacity", "notify")):
        for number in range(2):
            wiring.send(f"alarm-{number}", "com.vmware.vsphere.AlarmStatusChangedEvent.v0")
            wiring.box("capacity-parallel", number + 1)

        wiring.shown("id", "alarm-1")
        assert [request.attributes["type"] for request in wiring.box("notify-parallel")] == ["e2e.passed"]


def test_dead_letter_sink_of_a_trigger(wiring: Wiring) -> None:
    wiring.recorder.script("notify-trigger", [Response(503, "not today")])

    with wiring.applied("dead-letter", lambda manifest: wiring.recorded(manifest, "notify")):
        wiring.send("removed-1", "com.vmware.vsphere.VmRemovedEvent.v0")

        assert len(wiring.box("notify-trigger", 4)) == 4
        wiring.shown("id", "removed-1")


def test_default_broker_by_label_of_the_namespace(cluster: Cluster, namespace: str) -> None:
    """Knative's sugar controller is configured to watch namespaces, and restored afterwards."""
    [sample] = objects_in(SAMPLES / "default-broker.yaml")
    name = sample["metadata"]["name"] = f"{namespace}-injected"
    chosen = "matchLabels: {eventing.knative.dev/injection: enabled}"
    before = (cluster.core.read_namespaced_config_map("config-sugar", "knative-eventing").data or {}).get(
        "namespace-selector"
    )
    selector: dict[str, dict[str, str | None]] = {"data": {"namespace-selector": chosen}}
    cluster.core.patch_namespaced_config_map("config-sugar", "knative-eventing", selector)
    looks = itertools.count()

    def broker_made() -> Object | None:
        # The controller may see the namespace before its configuration, and looks again only after a change.
        cluster.patch(NAMESPACE, name, "", {"metadata": {"annotations": {"e2e/look": str(next(looks))}}})
        return cluster.get(BROKER, "default", name)

    try:
        cluster.apply(sample)
        cluster.until(broker_made, "Broker made for the namespace", 60)
        cluster.wait_ready(BROKER, "default", name)
    finally:
        selector = {"data": {"namespace-selector": before}}
        cluster.core.patch_namespaced_config_map("config-sugar", "knative-eventing", selector)
        cluster.delete_namespace(name)


# ── other sources ──


def test_container_source(wiring: Wiring, administrator: Administrator, image: str) -> None:
    def change(manifest: Object) -> Object:
        [container] = manifest["spec"]["template"]["spec"]["containers"]
        container["image"] = image
        for variable in container["env"]:
            if variable["name"] == "CHECKPOINT":
                variable["value"] = "memory:"  # the installed poller holds the lease of the ConfigMap
        return manifest

    everything = {"uri": f"{wiring.recorder.address}/container-source"}
    trigger = {
        "apiVersion": TRIGGER[0],
        "kind": TRIGGER[1],
        "metadata": {"name": "by-container", "namespace": wiring.namespace},
        "spec": {
            "broker": "default",
            "filter": {"attributes": {"wiredby": "containersource"}},
            "subscriber": everything,
        },
    }
    wiring.cluster.apply(trigger)
    wiring.cluster.wait_ready(TRIGGER, "by-container", wiring.namespace)

    with wiring.applied("container-source", change):
        administrator.post("by the ContainerSource")

        wiring.cluster.until(
            lambda: any(
                b"by the ContainerSource" in request.body for request in wiring.recorder.box("container-source")
            ),
            "event by the ContainerSource",
            60,
        )


def stand_in(group: str, kind: str, plural: str, version: str = "v1") -> Object:
    """A definition that takes anything: all that a watcher needs."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


KUBEVIRT = [
    stand_in("kubevirt.io", "VirtualMachine", "virtualmachines"),
    stand_in("kubevirt.io", "VirtualMachineInstance", "virtualmachineinstances"),
]
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
LABELLED = {"app.kubernetes.io/part-of": "vcenter-events"}


def is_established(cluster: Cluster, name: str) -> bool:
    """Return whether objects of that definition can be created."""
    definition = cluster.get(CRD, name, "") or {}
    conditions = definition.get("status", {}).get("conditions") or []
    return any((condition["type"], condition["status"]) == ("Established", "True") for condition in conditions)


@pytest.fixture(scope="module")
def kubevirt(cluster: Cluster) -> Iterator[None]:
    """KubeVirt's kinds: its own where it is installed, else stand-ins."""
    missing = [manifest for manifest in KUBEVIRT if cluster.get(CRD, manifest["metadata"]["name"], "") is None]
    cluster.apply(*missing)
    names = [manifest["metadata"]["name"] for manifest in missing]
    cluster.until(lambda: all(is_established(cluster, name) for name in names), "KubeVirt's kinds", 60)
    yield
    for manifest in missing:
        cluster.delete(CRD, manifest["metadata"]["name"])


@pytest.mark.parametrize(
    ("sample", "created", "shown"),
    [
        ("api-events", None, "/events/"),
        (
            "api-deployments",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {
                        "metadata": {"labels": {"a": "b"}},
                        "spec": {"containers": [{"name": "none", "image": "none"}]},
                    },
                },
            },
            "/deployments/sample-api-deployments",
        ),
        (
            "api-kubevirt",
            {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": {"running": False}},
            "/virtualmachines/sample-api-kubevirt",
        ),
        (
            "api-guitars",
            {"apiVersion": "samples.vcenter-events.dev/v1", "kind": "Guitar", "spec": {"maker": "Gibson"}},
            "/guitars/sample-api-guitars",
        ),
    ],
    ids=["core events", "deployments", "kubevirt", "custom resource"],
)
def test_api_server_source(wiring: Wiring, kubevirt: None, sample: str, created: Object | None, shown: str) -> None:
    with wiring.applied(sample):
        name = f"sample-{sample}"
        manifest = created or {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": {"kind": "Namespace", "name": wiring.namespace, "namespace": wiring.namespace},
            "reason": "Sample",
            "message": "an Event of Kubernetes",
            "type": "Normal",
        }
        looks = itertools.count()

        def change() -> None:
            # Repeatedly: a source is ready a moment before it watches, and reports only what happens after that.
            annotations = {"looks": str(next(looks))}
            metadata = {
                "name": name, "namespace": wiring.namespace, "labels": LABELLED, "annotations": annotations,
            }  # fmt: skip
            wiring.cluster.apply({**manifest, "metadata": metadata})

        wiring.shown("subject", shown, change)
        wiring.cluster.delete((manifest["apiVersion"], manifest["kind"]), name, wiring.namespace)


# ── the poller as a Deployment ──


def test_overlay_deployment_polls_by_itself(
    cluster: Cluster,
    installed: str,
    administrator: Administrator,
    image: str,
    recorder: ClusterRecorder,
    tmp_path: Path,
) -> None:
    """The whole overlay in a namespace of its own, with the vCenter of the other one. SinkBinding on a Deployment."""
    namespace = f"{installed}-deployment"
    kustomization = {
        "resources": [os.path.relpath(ROOT / "overlays/deployment", tmp_path.resolve())],
        "images": [kustomize_image("dev.local/vcenter-events", image)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    objects = moved(rendered(tmp_path), namespace)
    for manifest in objects:
        if (manifest["kind"], manifest["metadata"]["name"]) == ("ConfigMap", "vcenter"):
            manifest["data"] = {"VC_URL": f"https://vcsim.{installed}.svc/sdk", "VC_INSECURE": "true"}
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Secret", "vcenter-credentials"):
            manifest["stringData"] = {"username": "user", "password": "pass"}
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Secret", "notify"):
            manifest["stringData"] = {"NOTIFY_URLS": f"json://recorder.{installed}.svc/deployment"}
    try:
        cluster.apply(*objects)
        cluster.wait_ready(DEPLOYMENT, "vcenter-poller", namespace, 300)
        cluster.wait_ready(SERVICE, "display", namespace)
        cluster.wait_ready(TRIGGER, "display", namespace)
        cluster.wait_subscribed(namespace)
        administrator.post("without a clock")

        def is_shown(rows: list[dict[str, str]]) -> bool:
            return any("without a clock" in row["message"] for row in rows)

        cluster.until(lambda: is_shown(rows(cluster, namespace, is_shown)), "event on the display", 90)
    finally:
        cluster.delete_namespace(namespace)


# ── Serving ──


def titled(box: list[Request]) -> list[str]:
    """The titles of notifications."""
    return [str(json.loads(request.body)["title"]) for request in box]


def test_traffic_between_two_revisions_and_back(wiring: Wiring, report_figure: Callable[[str], None]) -> None:
    """50/50 by the route, each by its tag, and all of it back to the first."""
    cluster, namespace = wiring.cluster, wiring.namespace
    notify = next(
        manifest
        for manifest in moved(rendered(ROOT / "config"), namespace)
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Service", "notify")
    )
    [container] = notify["spec"]["template"]["spec"]["containers"]
    live = cluster.get(SERVICE, "notify", namespace) or {}
    container["image"] = live["spec"]["template"]["spec"]["containers"][0]["image"]
    notify["metadata"]["name"] = "split"
    container["envFrom"] = []
    address = f"{wiring.recorder.address.replace('http', 'json')}/split"

    def revision(name: str, traffic: list[Object]) -> None:
        notify["spec"]["template"]["metadata"]["name"] = f"split-{name}"
        container["env"] = [
            {"name": "FUNCTION", "value": "notify"},
            {"name": "NOTIFY_URLS", "value": address},
            {"name": "NOTIFY_TITLE", "value": name},
            {"name": "NOTIFY_LIMIT", "value": "1000"},  # each event its notification: they are counted
        ]
        notify["spec"]["traffic"] = traffic
        cluster.apply(notify)
        cluster.wait_ready(SERVICE, "split", namespace)

    def split(first: int) -> list[Object]:
        return [
            {"revisionName": "split-first", "percent": first, "tag": "first"},
            {"revisionName": "split-second", "percent": 100 - first, "tag": "second"},
        ]

    def subscribe(name: str, host: str) -> None:
        cluster.apply(
            {
                "apiVersion": TRIGGER[0],
                "kind": TRIGGER[1],
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "broker": "default",
                    "filter": {"attributes": {"type": f"e2e.{name}"}},
                    "subscriber": {"uri": f"http://{host}.{namespace}.svc.cluster.local"},
                },
            }
        )
        cluster.wait_ready(TRIGGER, name, namespace)

    def outcome(event_type: str, events: int) -> list[str]:
        before = len(wiring.recorder.box("split"))
        for number in range(events):
            wiring.send(f"{event_type}-{before}-{number}", f"e2e.{event_type}")
        return titled(wiring.box("split", before + events))[before:]

    revision("first", [{"revisionName": "split-first", "percent": 100, "tag": "first"}])
    revision("second", split(50))
    subscribe("split", "split")
    subscribe("split-tagged", "second-split")
    cluster.wait_subscribed(namespace)

    both = outcome("split", 60)
    report_figure(
        f"traffic 50/50: {both.count('first')} to the first revision, {both.count('second')} to the second, of 60"
    )
    assert min(both.count("first"), both.count("second")) >= 10
    assert set(outcome("split-tagged", 5)) == {"second"}

    cluster.patch(SERVICE, "split", namespace, {"spec": {"traffic": split(100)}})
    cluster.wait_ready(SERVICE, "split", namespace)
    cluster.until(lambda: set(outcome("split", 5)) == {"first"}, "everything back at the first revision", 30)
    cluster.delete(SERVICE, "split", namespace)
