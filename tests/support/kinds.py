"""The kinds of config/sources on an API server, and manifests of them."""

import copy
from typing import Any

from tests.support.api_server import ApiServer, Object, Rejected
from tests.support.manifests import ROOT
from tests.support.waiting import wait_until

API_VERSION = "sources.tanzu.vmware.com/v1alpha1"
KINDS = ("VSphereSource", "VSphereBinding", "HorizonSource")

INSTALL_SECONDS = 30

LOGIN = {"address": "https://vcenter.example", "secretRef": {"name": "vsphere-credentials"}}
BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "default"}
SUBJECT = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "typo-bot"}


def install(server: ApiServer) -> None:
    """Apply config/sources, as the documentation says, and wait until every rule is enforced."""
    server.kubectl("apply", "-k", str(ROOT / "config/sources"))
    server.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", "-l", "knative.dev/crd-install=true")
    wait_until(lambda: _policy_is_enforced(server), INSTALL_SECONDS, "the admission policy is enforced")


def _policy_is_enforced(server: ApiServer) -> bool:
    elsewhere = vsphere_binding(subject={**SUBJECT, "namespace": "elsewhere"})
    try:
        server.create(elsewhere, "default", "dryRun=All")
    except Rejected as rejection:
        return "different" in rejection.message or "elsewhere" in rejection.message
    return False


def manifest(kind: str, spec: dict[str, Any], name: str = "test") -> Object:
    """Return an object of one of the three kinds. A field of *spec* that is None is left out."""
    present = {field: copy.deepcopy(value) for field, value in spec.items() if value is not None}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "spec": present,
    }


def vsphere_source(name: str = "test", **fields: Any) -> Object:
    """Return a VSphereSource that is valid unless *fields* are not."""
    return manifest("VSphereSource", {**LOGIN, "sink": {"ref": BROKER}, **fields}, name)


def vsphere_binding(name: str = "test", **fields: Any) -> Object:
    """Return a VSphereBinding that is valid unless *fields* are not."""
    return manifest("VSphereBinding", {**LOGIN, "subject": SUBJECT, **fields}, name)


def horizon_source(name: str = "test", **fields: Any) -> Object:
    """Return a HorizonSource that is valid unless *fields* are not."""
    return manifest("HorizonSource", {**LOGIN, "sink": {"ref": BROKER}, **fields}, name)
