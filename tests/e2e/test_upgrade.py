"""From VSphereSource to here by the commands of docs/deploy.md: its users' Triggers and functions do not notice."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.administrator import Administrator
from tests.conformance import recorder as recorder_module
from tests.conformance.requests import Box, as_box
from tests.e2e.cluster import BROKER, SERVICE, TRIGGER, Cluster, Object
from tests.e2e.conftest import RESTRICTED
from tests.e2e.shell import Shell, commands

pytestmark = pytest.mark.cluster

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
VSPHERESOURCE = ("sources.tanzu.vmware.com/v1alpha1", "VSphereSource")
SOURCE = "vc-source"
FUNCTION = "kn-py-echo"
POSTED = "com.vmware.vsphere.GeneralUserEvent.v0"

SECONDS = 180
"""Everything of config/ starts meanwhile."""


@pytest.fixture(scope="module")
def vspheresources(cluster: Cluster) -> Iterator[None]:
    """The predecessor's kind, without what is behind it."""
    name = "vspheresources.sources.tanzu.vmware.com"
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
    wanted = {"Established", "NamesAccepted"}

    def is_served() -> bool:
        conditions = (cluster.get(CRD, name, "") or {}).get("status", {}).get("conditions") or []
        return wanted <= {each["type"] for each in conditions if each["status"] == "True"}

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
        self.cluster.apply(self._object(*VSPHERESOURCE, SOURCE, spec={"vAddress": f"https://{vcenter}"}))
        source = self.cluster.get(VSPHERESOURCE, SOURCE, self.namespace)
        assert source is not None
        self.cluster.apply(self._checkpoint(source, vcenter, newest))
        self.cluster.wait_ready(TRIGGER, FUNCTION, self.namespace)
        self.cluster.wait_ready(SERVICE, FUNCTION, self.namespace)

    def specs(self) -> dict[str, Object]:
        """What its users wrote, and how often it was changed."""
        found = {kind[1]: self.cluster.get(kind, FUNCTION, self.namespace) or {} for kind in (SERVICE, TRIGGER)}
        return {name: {"generation": each["metadata"]["generation"], **each["spec"]} for name, each in found.items()}

    def received(self) -> Box:
        """What its function got."""
        [pod] = self.cluster.ready_pods(self.namespace, f"serving.knative.dev/service={FUNCTION}")
        answer = self.cluster.request("GET", f"{self.namespace}/pods/{pod}:8080", "")
        return as_box(json.loads(answer.body).get("", []))

    def _object(self, version: str, kind: str, name: str, **content: object) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}

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
        made = self._object("v1", "ConfigMap", f"{SOURCE}-configmap", data={"checkpoint": json.dumps(record)})
        owner = {"apiVersion": VSPHERESOURCE[0], "kind": VSPHERESOURCE[1], "controller": True, "name": SOURCE}
        made["metadata"]["ownerReferences"] = [{**owner, "uid": source["metadata"]["uid"]}]
        return made

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
        wanted = {"attributes": {"type": POSTED}}
        return self._object(*TRIGGER, FUNCTION, spec={"broker": "default", "filter": wanted, "subscriber": subscriber})


def messages(box: Box) -> list[str]:
    """What was said in the posted events, in order."""
    return [str(json.loads(each.body)["Message"]) for each in box]


def test_users_of_vspheresource_lose_nothing_and_change_nothing(
    cluster: Cluster,
    installed: str,
    image: str,
    vspheresources: None,
    administrator: Administrator,
    tmp_path: Path,
) -> None:
    namespace = f"{installed}-upgrade"
    vcenter = f"vcsim.{installed}.svc"
    values = {
        "old=my-namespace source=my-source": f"old={namespace} source={SOURCE}",
        "VC_URL=https://vcenter.example/sdk": f"VC_URL=https://{vcenter}/sdk --from-literal VC_INSECURE=true",
        "events-reader@vsphere.local": "user",
        "a long password": "pass",
    }
    before, missed, later = ([f"{when} {number}" for number in range(20)] for when in ("before", "missed", "later"))
    [upgrade] = commands("Upgrade from VSphereSource")
    predecessor = Predecessor(cluster, namespace, image)
    try:
        for message in before:
            administrator.post(message)
        predecessor.make(vcenter, administrator.events()[-1])
        theirs = predecessor.specs()
        for message in missed:
            administrator.post(message)

        Shell(tmp_path, namespace, image, values).paste(upgrade)

        cluster.wait_ready(SERVICE, "vcenter-poller", namespace)
        for message in later:
            administrator.post(message)
        wanted = {*missed, *later}
        received = cluster.until(
            lambda: box if wanted <= {*messages(box := predecessor.received())} else None,
            f"{len(wanted)} events after the checkpoint",
            SECONDS,
        )
        assert {*messages(received)} == wanted
        assert len({each.id for each in received}) == len(wanted)  # what came twice says so by its id
        assert predecessor.specs() == theirs
        assert cluster.get(VSPHERESOURCE, SOURCE, namespace) is None
        cluster.until(
            lambda: cluster.get(("v1", "ConfigMap"), f"{SOURCE}-configmap", namespace) is None, "its ConfigMap gone", 60
        )
    finally:
        cluster.delete_namespace(namespace)
