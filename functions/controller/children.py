"""The objects of a source: its adapter's Deployment, checkpoint, rights and login. Pure."""

from typing import Any

from cluster.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    Object,
)
from functions.controller.reconciler import Child, Policy
from sources import names
from sources.kinds import VSPHERE_BINDINGS

_RBAC = "rbac.authorization.k8s.io"


def config_map(parent: Object) -> Child:
    """Return the ConfigMap of the checkpoint. One that exists is left alone: somebody may have prepared it."""
    return Child(CONFIG_MAPS, {"metadata": {"name": names.config_map_name(_name(parent))}}, Policy.CREATE)


def service_account(parent: Object, labels: dict[str, str]) -> Child:
    """Return the ServiceAccount of a HorizonSource, which is created if it does not exist."""
    name = names.service_account_name(parent["spec"])
    return Child(SERVICE_ACCOUNTS, {"metadata": {"name": name, "labels": labels}}, Policy.CREATE)


def rights(parent: Object, labels: dict[str, str]) -> tuple[Child, Child]:
    """Return the Role on the checkpoint's ConfigMap, and what gives it to the adapter's ServiceAccount.

    They have *labels*, by which they are watched.

    The predecessor's RoleBinding has another role, which cannot be changed: it is deleted and created.
    """
    name = _name(parent)
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [names.config_map_name(name)],
        "verbs": ["get", "update", "patch"],
    }
    role = {"metadata": {"name": names.role_name(name), "labels": labels}, "rules": [rule]}
    account = {
        "kind": "ServiceAccount",
        "name": names.service_account_name(parent["spec"]),
        "namespace": parent["metadata"]["namespace"],
    }
    binding = {
        "metadata": {"name": names.role_binding_name(name), "labels": labels},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": names.role_name(name)},
        "subjects": [account],
    }
    return Child(ROLES, role), Child(ROLE_BINDINGS, binding, Policy.RECREATE)


def vsphere_binding(parent: Object) -> Child:
    """Return the VSphereBinding of a VSphereSource, on the Deployment of its adapter."""
    spec, metadata = parent["spec"], parent["metadata"]
    subject = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "namespace": metadata["namespace"],
        "name": names.adapter_name(metadata["name"]),
    }
    login: dict[str, Any] = {key: spec[key] for key in ("address", "skipTLSVerify", "secretRef") if key in spec}
    binding = {"metadata": {"name": names.binding_name(metadata["name"])}, "spec": {**login, "subject": subject}}
    return Child(VSPHERE_BINDINGS, binding)


def deployment(parent: Object, labels: dict[str, str], template: Object) -> Child:
    """Return the Deployment of the adapter, of which one pod runs at a time."""
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": template,
    }
    return Child(DEPLOYMENTS, {"metadata": {"name": names.adapter_name(_name(parent)), "labels": labels}, "spec": spec})


def _name(parent: Object) -> str:
    return str(parent["metadata"]["name"])
