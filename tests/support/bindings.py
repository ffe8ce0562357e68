"""The controller with its webhook at a test's API server, and objects that can be bound."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster.client import ClusterClient
from cluster.connection import Connection
from cluster.resources import LEASES
from functions import controller
from functions.controller.admission import AdmissionServer
from functions.controller.certificates import CertificateStore
from functions.controller.settings import ControllerSettings
from functions.controller.webhook import NAME
from pipeline import settings
from sources.binding import unbind
from tests.support.api_server import ApiServer, free_port
from tests.support.controller import ADAPTER_IMAGE, API_VERSION, connection
from tests.support.waiting import wait_until

Object = dict[str, Any]
Now = Callable[[], datetime.datetime]

SPEC = {"address": "https://vcenter.example", "secretRef": {"name": "vsphere-credentials"}}
VARIABLES = ["VC_URL", "VC_INSECURE", "VC_USERNAME", "VC_PASSWORD"]
CONFIGURATION = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", NAME)

DEPLOYMENT, STATEFUL_SET, DAEMON_SET = ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet")
JOB = ("batch/v1", "Job")
KSVC, KNATIVE_CONFIGURATION = ("serving.knative.dev/v1", "Service"), ("serving.knative.dev/v1", "Configuration")
KINDS = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, KSVC, KNATIVE_CONFIGURATION]


@contextmanager
def running_webhook(
    server: ApiServer,
    *namespaces: str,
    now: Now | None = None,
    own: Connection | None = None,
    holder: str = "tests",
    **environ: str,
) -> Iterator[controller.Controller]:
    """Run a controller that looks at *namespaces* (or at all) and belongs to the first of them, with its webhook.

    *now* is the clock of its certificates. *own* is its connection, an administrator's by default. *holder* is its name
    in the election. Yields once it serves and somebody leads.
    """
    port = free_port()
    values = {
        "ADAPTER_IMAGE": ADAPTER_IMAGE,
        "WATCH_NAMESPACES": ",".join(namespaces),
        "RETIRE_PREDECESSOR": "false",
        "ADMISSION_PORT": str(port),
        "ADMISSION_URL": f"https://127.0.0.1:{port}",
        **environ,
    }
    configured = settings.read(ControllerSettings, values)
    servers: list[AdmissionServer] = []
    with ClusterClient(own or connection(server, namespaces[0])) as client:
        work = controller.assemble(client, configured, holder, lambda: servers[0].authorities)
        admission = controller.admission_server(client, configured.admission, work, "127.0.0.1")
        if now is not None:
            admission._store = CertificateStore(client, configured.admission.secret, ("127.0.0.1",), now)
        servers.append(admission)
        running = controller.Controller(client, work, admission)
        running.start()
        try:
            wait_until(
                lambda: running.unready == "" and is_led(client, configured.lease), 10, "the controller is ready"
            )
            yield running
        finally:
            running.close()


def is_led(client: ClusterClient, lease: str) -> bool:
    """Return whether somebody holds the lease of the controllers."""
    stored = client.find(LEASES, client.namespace, lease)
    return bool(stored and stored["spec"].get("holderIdentity"))


def install_configuration(server: ApiServer) -> None:
    """Create the webhook's configuration without entries, as config/sources does."""
    api_version, kind, name = CONFIGURATION
    server.apply({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
    server.patch(*CONFIGURATION, "", {"webhooks": None})


def install_knative_kinds(server: ApiServer) -> None:
    """Create Knative's Service and Configuration, without Knative."""
    for kind in ("Service", "Configuration"):
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        server.apply(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.serving.knative.dev"},
                "spec": {
                    "group": "serving.knative.dev",
                    "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                    "versions": [{**version, "subresources": {"status": {}}}],
                },
            }
        )
    wait_until(lambda: _is_served(server), 10, "Knative's kinds are served")


def _is_served(server: ApiServer) -> bool:
    status, document = server.respond("GET", "/apis/serving.knative.dev/v1")
    return status == 200 and {"services", "configurations"} <= {entry["name"] for entry in document["resources"]}


def subject(
    kind: tuple[str, str], name: str = "x", template: Object | None = None, labels: Mapping[str, str] | None = None
) -> Object:
    """Return an object of *kind* with one container, or with a pod *template* of its own."""
    container = {"name": "c", "image": "i", "env": [{"name": "OWN", "value": "1"}]}
    pod = template or {"metadata": {"labels": {"pod": name}}, "spec": {"containers": [container]}}
    spec: Object = {"template": pod}
    if kind == JOB:
        pod["spec"]["restartPolicy"] = "Never"
    elif kind[0] == "apps/v1":
        spec["selector"] = {"matchLabels": {"pod": name}}
    if kind == STATEFUL_SET:
        spec["serviceName"] = name
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": spec,
    }


def binding(kind: tuple[str, str], name: str = "b", spec: Object | None = None, **chosen: Any) -> Object:
    """Return a VSphereBinding of all objects of *kind*, or with `name` or `selector` in *chosen*."""
    reference = {"apiVersion": kind[0], "kind": kind[1], **(chosen or {"selector": {}})}
    return {
        "apiVersion": API_VERSION,
        "kind": "VSphereBinding",
        "metadata": {"name": name},
        "spec": {**SPEC, **(spec or {}), "subject": reference},
    }


def is_bound(obj: Object | None, address: str = "https://vcenter.example") -> bool:
    """Return whether every container of *obj* has the login of *address*, once."""
    template = (obj or {}).get("spec", {}).get("template", {})
    for container in template["spec"]["containers"]:
        env = container.get("env", [])
        names = [entry["name"] for entry in env if entry["name"] in VARIABLES]
        if names != VARIABLES or {"name": "VC_URL", "value": address} not in env:
            return False
        if [mount["mountPath"] for mount in container.get("volumeMounts", [])] != ["/var/bindings/vsphere"]:
            return False
    return [volume["name"] for volume in template["spec"].get("volumes", [])] == ["vsphere-binding"]


def is_unbound(obj: Object | None) -> bool:
    """Return whether *obj* has nothing of a binding."""
    template = (obj or {})["spec"]["template"]
    return bool(unbind(template) == template)


def webhook_entries(server: ApiServer) -> list[Object]:
    """Return the entries of the webhook's configuration."""
    return list((server.get(*CONFIGURATION) or {}).get("webhooks") or ())
