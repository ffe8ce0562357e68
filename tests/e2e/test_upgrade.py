"""From VSphereSource to here by the commands of the how-to guides: its users' Triggers and functions do not
notice. Nor do they when the Broker changes.
"""

import contextlib
import datetime
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.cluster import BROKER, SERVICE, SUBSCRIPTION, TRIGGER, Cluster, Object
from tests.e2e.installation import RESTRICTED
from tests.e2e.shell import Shell
from tests.e2e.sources import install_vcsim
from tests.support import recorder as recorder_module
from tests.support.administrator import Administrator
from tests.support.delivery_check import check_delivery
from tests.support.documentation import commands
from tests.support.recorder import Request, from_json
from tests.support.waiting import NotInTime

pytestmark = pytest.mark.cluster

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
CONFIG_MAP = ("v1", "ConfigMap")
CHANNEL = ("messaging.knative.dev/v1", "InMemoryChannel")
VSPHERESOURCE = ("sources.tanzu.vmware.com/v1alpha1", "VSphereSource")
SOURCE = "vc-source"
FUNCTION = "kn-py-echo"
POSTED = "com.vmware.vsphere.GeneralUserEvent.v0"

SECONDS = 180
"""Everything of config/ starts meanwhile."""
PACE_SECONDS = 0.05


@pytest.fixture(scope="module")
def vspheresources(cluster: Cluster) -> Iterator[None]:
    """The predecessor's kind, without what is behind it. A cluster that has the kind keeps it."""
    name = "vspheresources.sources.tanzu.vmware.com"
    if cluster.get(CRD, name, ""):
        yield
        return
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    names = {"kind": "VSphereSource", "plural": "vspheresources", "singular": "vspheresource"}
    cluster.apply(
        {
            "apiVersion": CRD[0],
            "kind": CRD[1],
            "metadata": {"name": name},
            "spec": {"group": "sources.tanzu.vmware.com", "scope": "Namespaced", "names": names, "versions": [version]},
        }
    )
    expected = {"Established", "NamesAccepted"}

    def is_served() -> bool:
        conditions = (cluster.get(CRD, name, "") or {}).get("status", {}).get("conditions") or []
        return expected <= {condition["type"] for condition in conditions if condition["status"] == "True"}

    cluster.until(is_served, "VSphereSource's kind", 60)
    yield
    cluster.delete(CRD, name)


class Predecessor:
    """A namespace as VSphereSource and its users leave it."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._image = image

    def make(self, vcenter: str, newest: object) -> None:
        """A Broker, a function and its Trigger, and the source, whose last event was *newest*."""
        self.cluster.create_namespace(self.namespace)
        self.cluster.apply(self._object(*BROKER, "default"))
        self.cluster.apply(*self._function(), self._trigger())
        self.cluster.apply(self._object(*VSPHERESOURCE, SOURCE, spec=self._source(vcenter)))
        source = self.cluster.get(VSPHERESOURCE, SOURCE, self.namespace)
        assert source is not None
        self.cluster.apply(self._checkpoint(source, vcenter, newest))
        self.cluster.wait_ready(TRIGGER, FUNCTION, self.namespace)
        self.cluster.wait_ready(SERVICE, FUNCTION, self.namespace)

    def specs(self) -> dict[str, Object]:
        """Return the specs that its users wrote, with their generation."""
        live = {kind[1]: self.cluster.get(kind, FUNCTION, self.namespace) or {} for kind in (SERVICE, TRIGGER)}
        return {
            name: {"generation": manifest["metadata"]["generation"], **manifest["spec"]}
            for name, manifest in live.items()
        }

    def received(self) -> list[Request]:
        """Return the requests to its function."""
        [pod] = self.cluster.ready_pods(self.namespace, f"serving.knative.dev/service={FUNCTION}")
        response = self.cluster.request("GET", f"{self.namespace}/pods/{pod}:8080", "")
        return from_json(json.loads(response.body).get("", []))

    def _object(self, version: str, kind: str, name: str, **content: object) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}

    def _source(self, vcenter: str) -> Object:
        """A source whose events nobody reads: only its checkpoint matters."""
        sink = {"ref": {"apiVersion": BROKER[0], "kind": BROKER[1], "name": "default"}}
        return {"address": f"https://{vcenter}", "secretRef": {"name": "vsphere-credentials"}, "sink": sink}

    def _checkpoint(self, source: Object, vcenter: str, newest: object) -> Object:
        """As the source in Go writes it, and owned by the source: it goes with it."""
        created = newest.createdTime.astimezone(datetime.UTC)  # type: ignore[attr-defined]  # a vim.event.Event
        record = {
            "vCenter": vcenter,
            "lastEventKey": newest.key,  # type: ignore[attr-defined]
            "lastEventType": "GeneralUserEvent",
            "lastEventKeyTimestamp": f"{created:%Y-%m-%dT%H:%M:%S.%f}Z",
            "createdTimestamp": f"{created + datetime.timedelta(seconds=3):%Y-%m-%dT%H:%M:%S.%f}123Z",
        }
        config_map = self._object("v1", "ConfigMap", f"{SOURCE}-configmap", data={"checkpoint": json.dumps(record)})
        owner = {"apiVersion": VSPHERESOURCE[0], "kind": VSPHERESOURCE[1], "controller": True, "name": SOURCE}
        config_map["metadata"]["ownerReferences"] = [{**owner, "uid": source["metadata"]["uid"]}]
        return config_map

    def _function(self) -> list[Object]:
        """A function of theirs, which remembers what it got."""
        container = {
            "image": self._image,
            "command": ["python", "/recorder/recorder.py", "8080"],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ready"}},
            "securityContext": RESTRICTED,
            "volumeMounts": [{"name": "code", "mountPath": "/recorder"}],
        }
        code = Path(recorder_module.__file__).read_text()
        template = {
            "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}},
            "spec": {"containers": [container], "volumes": [{"name": "code", "configMap": {"name": FUNCTION}}]},
        }
        return [
            self._object("v1", "ConfigMap", FUNCTION, data={"recorder.py": code}),
            self._object(*SERVICE, FUNCTION, spec={"template": template}),
        ]

    def _trigger(self) -> Object:
        subscriber = {"ref": {"apiVersion": SERVICE[0], "kind": SERVICE[1], "name": FUNCTION}}
        selected = {"attributes": {"type": POSTED}}
        return self._object(
            *TRIGGER, FUNCTION, spec={"broker": "default", "filter": selected, "subscriber": subscriber}
        )


def messages(box: list[Request]) -> list[str]:
    """Return the messages of the posted events, in order."""
    return [str(json.loads(request.body)["Message"]) for request in box]


@contextlib.contextmanager
def posted_meanwhile(administrator: Administrator) -> Iterator[list[str]]:
    """Post events without a pause. Yield their messages."""
    marker = secrets.token_hex(3)
    posted: list[str] = []
    over = threading.Event()

    def post() -> None:
        while not over.wait(PACE_SECONDS):
            posted.append(f"{marker} {len(posted)}")
            administrator.post(posted[-1])

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield posted
    finally:
        over.set()
        thread.join()


class Upgraded(NamedTuple):
    """A namespace of the predecessor that was upgraded while events came."""

    predecessor: Predecessor
    shell: Shell
    before: dict[str, Object]
    """The manifests of its users."""
    expected: list[str]
    """The messages of the events since its checkpoint."""


@pytest.fixture(scope="module")
def someone(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administrator]:
    """Somebody at a simulated vCenter."""
    install_vcsim(cluster, namespace, tmp_path_factory.mktemp("vcsim"))
    with cluster.forwarded(namespace, "vcsim", 443) as port, Administrator(port) as someone:
        yield someone


@pytest.fixture(scope="module")
def upgraded(
    cluster: Cluster,
    namespace: str,
    someone: Administrator,
    image: str,
    vspheresources: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Upgraded]:
    """By the commands of the page."""
    vcenter = f"vcsim.{namespace}.svc"
    namespace = f"{namespace}-upgrade"
    values = {
        "old=my-namespace source=my-source": f"old={namespace} source={SOURCE}",
        "VC_URL=https://vcenter.example/sdk": f"VC_URL=https://{vcenter}/sdk --from-literal VC_INSECURE=true",
        "events-reader@vsphere.local": "user",
        "a long password": "pass",
    }
    shell = Shell(tmp_path_factory.mktemp("upgrade"), namespace, image, values)
    predecessor = Predecessor(cluster, namespace, image)
    try:
        for number in range(20):
            someone.post(f"before {number}")
        predecessor.make(vcenter, someone.events()[-1])
        before = predecessor.specs()
        with posted_meanwhile(someone) as expected:
            shell.paste("".join(commands("docs/how-to/move-from-vspheresource.md", "Upgrade from VSphereSource")))
            cluster.wait_ready(SERVICE, "vcenter-poller", namespace)
            cluster.until(predecessor.received, "events at the function", SECONDS)
        yield Upgraded(predecessor, shell, before, expected)
    finally:
        cluster.delete_namespace(namespace)


def received(upgraded: Upgraded, expected: Sequence[str]) -> list[Request]:
    """Everything that the function got, once that has the events with the messages *wanted*. Fails with the missing."""

    def missing() -> list[str]:
        got = {*messages(upgraded.predecessor.received())}
        return [message for message in expected if message not in got]

    with contextlib.suppress(NotInTime):
        upgraded.predecessor.cluster.until(lambda: not missing(), f"{len(expected)} events", SECONDS)
    assert missing() == []
    return upgraded.predecessor.received()


def test_users_of_vspheresource_lose_nothing_and_change_nothing(
    cluster: Cluster, upgraded: Upgraded, report_figure: Callable[[str], None]
) -> None:
    predecessor, _, before, expected = upgraded

    got = received(upgraded, expected)

    assert {*messages(got)} == {*expected}
    assert len({request.id for request in got}) == len(expected)  # what came twice says so by its id
    cluster.wait_subscribed(predecessor.namespace)
    assert subscribers_of_the_channel(predecessor) == subscriptions(predecessor)
    assert predecessor.specs() == before
    assert cluster.get(VSPHERESOURCE, SOURCE, predecessor.namespace) is None
    cluster.wait_gone(CONFIG_MAP, f"{SOURCE}-configmap", predecessor.namespace)
    report_figure(f"upgrade while {len(expected)} events came: {check_delivery(expected, messages(got))}")


def test_broker_is_changed_without_loss(
    cluster: Cluster, upgraded: Upgraded, someone: Administrator, report_figure: Callable[[str], None]
) -> None:
    predecessor, shell, *_ = upgraded
    shell.move()
    broker = shell.checkout / "config/040-broker.yaml"
    broker.write_text(broker.read_text().replace("retry: 10", "retry: 9"))
    cluster.delete(TRIGGER, "notify", predecessor.namespace)  # never ready, since nobody is to be notified here

    with posted_meanwhile(someone) as expected:
        shell.paste("".join(commands("docs/how-to/upgrade.md", "Change the Broker")))
        cluster.wait_ready(SERVICE, "vcenter-poller", predecessor.namespace)

    got = [message for message in messages(received(upgraded, expected)) if message in expected]
    assert {
        subscription["spec"]["delivery"]["retry"] for subscription in cluster.every(SUBSCRIPTION, predecessor.namespace)
    } == {9}
    cluster.wait_subscribed(predecessor.namespace)
    assert subscribers_of_the_channel(predecessor) == subscriptions(predecessor)
    report_figure(f"Broker changed while {len(expected)} events came: {check_delivery(expected, got)}")


def subscriptions(predecessor: Predecessor) -> set[str]:
    """The uids of those that are."""
    return {
        subscription["metadata"]["uid"]
        for subscription in predecessor.cluster.every(SUBSCRIPTION, predecessor.namespace)
    }


def subscribers_of_the_channel(predecessor: Predecessor) -> set[str]:
    """The uids of the Subscriptions that the Broker's channel hands events to."""
    [channel] = predecessor.cluster.every(CHANNEL, predecessor.namespace)
    return {subscriber["uid"] for subscriber in channel["spec"]["subscribers"]}
