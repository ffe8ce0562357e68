"""The predecessor's release, as far as it matters to what is applied over it."""

from typing import Any

from tests.support.api_server import Object
from tests.support.predecessor import DEFINITIONS

NAMESPACE = "vmware-sources"
ROLES = (
    "vmware-sources-admin", "vmware-sources-core", "vsphere-receive-adapter-cm", "horizon-source-controller",
    "horizon-source-observer", "horizon-source-webhook",
)  # fmt: skip
KNATIVE_ROLES = ("podspecable-binding", "builtin-podspecable-binding")
"""Knative Eventing's own, which the predecessor's release has, too."""
ROLE_BINDINGS = (
    "vmware-sources-controller-admin", "vmware-sources-webhook-podspecable-binding",
    "vmware-sources-webhook-addressable-resolver-binding", "horizon-source-controller",
)  # fmt: skip
WEBHOOK = "vspherebindings.webhook.vsphere.sources.tanzu.vmware.com"


def release() -> list[Object]:
    """Return the objects of a release."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *DEFINITIONS,
        _in_namespace("v1", "ServiceAccount", "vsphere-controller"),
        _in_namespace("v1", "Secret", "vsphere-webhook-certs"),
        {**_in_namespace("v1", "ConfigMap", "config-logging"), "data": {"loglevel.controller": "info"}},
        _service(),
        _deployment(),
        _webhook(),
        *(_role(name) for name in (*ROLES, *KNATIVE_ROLES)),
        *(_role_binding(name) for name in ROLE_BINDINGS),
    ]


def _in_namespace(api_version: str, kind: str, name: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


def _role(name: str) -> Object:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    return {**_rbac("ClusterRole", name), "rules": rules}


def _role_binding(name: str) -> Object:
    account = {"kind": "ServiceAccount", "name": "vsphere-controller", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLES[0]}
    return {**_rbac("ClusterRoleBinding", name), "roleRef": role, "subjects": [account]}


def _rbac(kind: str, name: str) -> Object:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}}


def _service() -> Object:
    ports = [{"name": "https-webhook", "port": 443, "targetPort": 8443}]
    selector = {"role": "vsphere-source-webhook"}
    return {**_in_namespace("v1", "Service", "vsphere-source-webhook"), "spec": {"ports": ports, "selector": selector}}


def _deployment() -> Object:
    labels = {"app": "vsphere-source-webhook", "role": "vsphere-source-webhook"}
    probe: dict[str, Any] = {
        "periodSeconds": 1,
        "httpGet": {
            "scheme": "HTTPS", "port": 8443, "httpHeaders": [{"name": "k-kubelet-probe", "value": "webhook"}],
        },
    }  # fmt: skip
    container = {
        "name": "vsphere-source-webhook",
        "image": "projects.registry.vmware.com/vsphere-sources/controller:v0.39.0",
        "resources": {"requests": {"cpu": "20m", "memory": "20Mi"}, "limits": {"cpu": "200m"}},
        "env": [
            {"name": "SYSTEM_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "CONFIG_LOGGING_NAME", "value": "config-logging"},
            {"name": "WEBHOOK_NAME", "value": "vsphere-source-webhook"},
            {"name": "VSPHERE_ADAPTER", "value": "projects.registry.vmware.com/vsphere-sources/adapter:v0.39.0"},
        ],
        "ports": [{"name": "https-webhook", "containerPort": 8443}, {"name": "metrics", "containerPort": 9090}],
        "readinessProbe": probe,
        "livenessProbe": {**probe, "initialDelaySeconds": 20},
    }
    return {
        **_in_namespace("apps/v1", "Deployment", "vsphere-source-webhook"),
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "sources.tanzu.vmware.com/release": "v0.39.0"}},
                "spec": {"serviceAccountName": "vsphere-controller", "containers": [container]},
            },
        },
    }


def _webhook() -> Object:
    entry = {
        "name": WEBHOOK,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "vsphere-source-webhook", "namespace": NAMESPACE}},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "rules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments/*"]}
        ],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [entry],
    }
