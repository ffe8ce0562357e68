"""The controller with the rights of config/sources and no others: everything it does is permitted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.client import ClusterClient
from cluster.connection import Connection
from functions import controller
from functions.controller.settings import ControllerSettings
from pipeline import settings
from tests.support import api_server as kubernetes_api
from tests.support import predecessor
from tests.support.api_server import ApiServer, Object, Rejected
from tests.support.controller import ADAPTER_IMAGE, new_namespace, set_available, wait_condition, wait_deployment
from tests.support.kinds import horizon_source, install, vsphere_source
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

NAMESPACE = "vmware-sources"
DENIED = re.compile(r'^authorization_attempts_total\{result="(?:denied|no-opinion)"\} (\d+)', re.MULTILINE)
"""RBAC has no opinion about a request that it does not allow, which is then denied."""
PORTS = {"ports": [{"port": 80}]}
SERVICE: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sink"}, "spec": PORTS}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server of its own with config/sources and the predecessor's webhook configurations."""
    with kubernetes_api.running() as running:
        install(running)
        for configuration in predecessor.webhook_configurations():
            running.create(configuration)
        yield running


@contextmanager
def installed_controller(server: ApiServer) -> Iterator[None]:
    """Run the controller as the ServiceAccount that config/sources gives it, for all namespaces."""
    token = server.service_account_token(NAMESPACE, "vsphere-controller")
    connection = Connection(server.url, str(server.ca_file), lambda: f"Bearer {token}", namespace=NAMESPACE)
    configured = settings.read(ControllerSettings, {"ADAPTER_IMAGE": ADAPTER_IMAGE})
    with ClusterClient(connection) as client:
        work = controller.assemble(client, configured, "test")
        work.start()
        try:
            yield
        finally:
            work.close()


def denied(server: ApiServer) -> int:
    """Return how many requests the API server has denied."""
    _, body = server.respond("GET", "/metrics")
    return sum(int(number) for number in DENIED.findall(body["message"]))


def test_controller_needs_no_right_that_it_lacks(server: ApiServer) -> None:
    team = new_namespace(server)
    before = denied(server)
    with installed_controller(server):
        wait_until(lambda: left(server) == [], message="the predecessor's webhooks are gone")
        server.create(SERVICE, team)
        server.create(vsphere_source("to-uri", sink={"uri": "http://sink.example"}), team)
        to_service = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}}
        server.create(vsphere_source("to-service", sink=to_service), team)
        server.create(horizon_source("horizon", sink=to_service, serviceAccountName="created"), team)
        for name in ("to-uri", "to-service", "horizon"):
            wait_deployment(server, f"{name}-adapter", team)
        set_available(server, "to-uri-adapter", team, "False", "MinimumReplicasUnavailable", "no pod")
        wait_condition(server, "VSphereSource", "to-uri", team, "AdapterReady", "False")
        set_available(server, "to-service-adapter", team, "True")
        wait_condition(server, "VSphereSource", "to-service", team, "AdapterReady", "True")

    assert server.get("v1", "ServiceAccount", "created", team) is not None
    assert server.get("rbac.authorization.k8s.io/v1", "Role", "to-uri-checkpoint", team) is not None
    assert denied(server) == before


def left(server: ApiServer) -> list[str]:
    """Return the names of the predecessor's webhook configurations that are still there."""
    return [
        configuration["metadata"]["name"]
        for configuration in predecessor.webhook_configurations()
        if server.get(configuration["apiVersion"], configuration["kind"], configuration["metadata"]["name"])
    ]


def test_denied_request_is_counted(server: ApiServer) -> None:
    before = denied(server)
    team = new_namespace(server)
    token = server.service_account_token(NAMESPACE, "vsphere-controller")

    status, _ = server.respond("GET", f"/api/v1/namespaces/{team}/secrets", token=token)

    assert status == 403
    assert denied(server) == before + 1


def test_source_without_a_right_of_its_namespace_reports_it(server: ApiServer) -> None:
    """A sink of a kind that nobody lets the controller read."""
    team = new_namespace(server)
    sink = {"ref": {"apiVersion": "v1", "kind": "Secret", "name": "sink"}}
    with installed_controller(server):
        server.create(vsphere_source("to-secret", sink=sink), team)

        reported = wait_condition(server, "VSphereSource", "to-secret", team, "AdapterReady", "False", "SinkNotFound")

    assert "secrets" in reported.message
    with pytest.raises(Rejected, match="not found"):
        server.request("GET", f"/apis/apps/v1/namespaces/{team}/deployments/to-secret-adapter")
