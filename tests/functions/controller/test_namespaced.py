"""overlays/sources-namespaced on a real API server: the rights in one namespace are enough for it."""

import json
from collections.abc import Iterator

import pytest

from cluster.client import ClusterClient
from cluster.connection import Connection
from functions import controller
from functions.controller.settings import ControllerSettings
from pipeline import settings
from tests.support.api_server import ApiServer, Object
from tests.support.bindings import DEPLOYMENT, binding, is_bound, subject
from tests.support.controller import new_namespace, set_available, wait_condition, wait_deployment
from tests.support.kinds import horizon_source, vsphere_source
from tests.support.manifests import ROOT, rendered
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

RIGHTS = ("ServiceAccount", "Role", "RoleBinding")
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "sink"},
    "spec": {"ports": [{"port": 80}]},
}
SINK = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}}


@pytest.fixture
def team(kinds: ApiServer) -> Iterator[str]:
    """A namespace for which a controller of the overlay runs, with a sink."""
    own, team = new_namespace(kinds), new_namespace(kinds)
    text = json.dumps(list(rendered(ROOT / "overlays/sources-namespaced")))
    objects: list[Object] = json.loads(text.replace("vmware-sources", own).replace("team-a", team))
    for content in objects:
        if content["kind"] in RIGHTS:
            kinds.create(content, content["metadata"]["namespace"])
    kinds.create(SERVICE, team)
    [deployment] = [content for content in objects if content["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    environ = {entry["name"]: entry["value"] for entry in container["env"]}
    token = kinds.service_account_token(own, "vsphere-controller")
    connection = Connection(kinds.url, str(kinds.ca_file), lambda: f"Bearer {token}", namespace=own)
    with ClusterClient(connection) as client:
        work = controller.assemble(client, settings.read(ControllerSettings, environ), "test")
        work.start()
        yield team
        work.close()


def test_sources_are_ready_without_rights_of_the_cluster(kinds: ApiServer, team: str) -> None:
    kinds.create(vsphere_source("vsphere", sink=SINK), team)
    kinds.create(horizon_source("horizon", sink=SINK, serviceAccountName="created"), team)
    for name in ("vsphere", "horizon"):
        wait_deployment(kinds, f"{name}-adapter", team)
        set_available(kinds, f"{name}-adapter", team, "True")

    for kind in ("VSphereSource", "HorizonSource"):
        wait_condition(kinds, kind, kind.removesuffix("Source").lower(), team, "Ready", "True")


def test_deployment_is_bound_without_rights_of_the_cluster(kinds: ApiServer, team: str) -> None:
    kinds.create(subject(DEPLOYMENT, "shell"), team)

    kinds.create(binding(DEPLOYMENT, "shells"), team)

    wait_until(lambda: is_bound(kinds.get(*DEPLOYMENT, "shell", team)), 10, "it is bound")
    wait_condition(kinds, "VSphereBinding", "shells", team, "Ready", "True")


def test_other_namespaces_are_not_looked_at(kinds: ApiServer, team: str) -> None:
    other = new_namespace(kinds)
    kinds.create(SERVICE, other)
    kinds.create(vsphere_source("other", sink=SINK), other)
    kinds.create(vsphere_source("mine", sink=SINK), team)

    wait_deployment(kinds, "mine-adapter", team)

    assert kinds.get("apps/v1", "Deployment", "other-adapter", other) is None
