"""The controller of sources at a test's API server, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.client import SILENCE_SECONDS, ClusterClient
from cluster.connection import Connection
from functions import controller
from functions.controller.settings import ControllerSettings
from functions.controller.work import Work
from pipeline import settings
from sources.conditions import Condition, read
from tests.support.api_server import ApiServer
from tests.support.waiting import wait_until

Object = dict[str, Any]

ADAPTER_IMAGE = "vcenter-events:test"
API_VERSION = "sources.tanzu.vmware.com/v1alpha1"


def connection(server: ApiServer, namespace: str = "default", url: str = "") -> Connection:
    """Return an administrator's connection to *server*, or to the *url* of a proxy in front of it."""
    return Connection(url or server.url, str(server.ca_file), lambda: f"Bearer {server.token}", namespace=namespace)


@contextmanager
def running_controller(
    server: ApiServer,
    namespace: str,
    holder: str = "controller",
    url: str = "",
    silence_seconds: float = SILENCE_SECONDS,
    **environ: str,
) -> Iterator[Work]:
    """Run a controller that looks at *namespace* alone, and has its lease there. It leads unless another one does."""
    values = {"ADAPTER_IMAGE": ADAPTER_IMAGE, "WATCH_NAMESPACES": namespace, "RETIRE_PREDECESSOR": "false", **environ}
    configured = settings.read(ControllerSettings, values)
    with ClusterClient(connection(server, namespace, url), silence_seconds) as client:
        work = controller.assemble(client, configured, holder)
        work.start()
        try:
            yield work
        finally:
            work.close()


def new_namespace(server: ApiServer) -> str:
    """Create a namespace with the ServiceAccount `default`, which Kubernetes' own controller would create."""
    namespace = server.create_namespace()
    create_service_account(server, namespace, "default")
    return namespace


def create_service_account(server: ApiServer, namespace: str, name: str) -> None:
    """Create a ServiceAccount."""
    server.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, namespace)


def condition(server: ApiServer, kind: str, name: str, namespace: str, type_: str) -> Condition | None:
    """Return a condition of an object of one of the three kinds, or None."""
    obj = server.get(API_VERSION, kind, name, namespace)
    return read(((obj or {}).get("status") or {}).get("conditions"), type_)


def wait_condition(
    server: ApiServer,
    kind: str,
    name: str,
    namespace: str,
    type_: str,
    status: str,
    reason: str = "",
    seconds: float = 10,
) -> Condition:
    """Return a condition once it has *status* (and *reason*)."""

    def reached() -> Condition | None:
        current = condition(server, kind, name, namespace, type_)
        is_reached = current is not None and current.status == status and reason in ("", current.reason)
        return current if is_reached else None

    return wait_until(reached, seconds, f"{type_} of {kind} {name} is {status} {reason}") or Condition("")


def wait_deployment(server: ApiServer, name: str, namespace: str, seconds: float = 10) -> Object:
    """Return a Deployment once it exists."""
    wait_until(lambda: server.get("apps/v1", "Deployment", name, namespace), seconds, f"Deployment {name} exists")
    return server.get("apps/v1", "Deployment", name, namespace) or {}


def environment(deployment: Object) -> dict[str, str]:
    """Return the variables with a value of a Deployment's first container."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def set_available(
    server: ApiServer, name: str, namespace: str, status: str, reason: str = "", message: str = ""
) -> None:
    """Give a Deployment the condition Available, as Kubernetes' own controller would."""
    entry = {"type": "Available", "status": status, "reason": reason, "message": message}
    now = "2026-01-01T00:00:00Z"
    change = {"status": {"conditions": [{**entry, "lastTransitionTime": now, "lastUpdateTime": now}]}}
    server.patch("apps/v1", "Deployment", name, namespace, change, "status")


def events(server: ApiServer, namespace: str) -> list[tuple[str, str, str]]:
    """Return type, reason and message of the Events in *namespace*."""
    items = server.request("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
    return [(item["type"], item["reason"], item["message"]) for item in items]
