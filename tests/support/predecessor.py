"""Objects of VMware's sources for Knative (the predecessor), as its release and controller leave them in a cluster."""

from typing import Any

Object = dict[str, Any]

GROUP = "sources.tanzu.vmware.com"
API_VERSION = f"{GROUP}/v1alpha1"
IMAGE = "ghcr.io/vmware-tanzu/sources-for-knative/adapter:v0.39.0"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind: str, short: str) -> Object:
    """Return the predecessor's CustomResourceDefinition of *kind*, which has no schema."""
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": ANYTHING},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": [short]},
            "versions": [version],
        },
    }


DEFINITIONS = [
    definition("VSphereSource", "vss"),
    definition("VSphereBinding", "vsb"),
    definition("HorizonSource", "hs"),
]


def vsphere_source(name: str, sink: str = "http://sink.example", **spec: Any) -> Object:
    """Return a VSphereSource as the predecessor stores it, with its explicit defaults."""
    return {
        "apiVersion": API_VERSION,
        "kind": "VSphereSource",
        "metadata": {"name": name},
        "spec": {
            "address": "https://vcenter.example",
            "skipTLSVerify": True,
            "secretRef": {"name": "vsphere-credentials"},
            "sink": {"uri": sink},
            "checkpointConfig": {"maxAgeSeconds": 300, "periodSeconds": 10},
            "payloadEncoding": "application/json",
            **spec,
        },
    }


def horizon_source(name: str, sink: str = "http://sink.example", **spec: Any) -> Object:
    """Return a HorizonSource as the predecessor stores it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "HorizonSource",
        "metadata": {"name": name},
        "spec": {
            "address": "https://horizon.example",
            "skipTLSVerify": True,
            "secretRef": {"name": "horizon-credentials"},
            "sink": {"uri": sink},
            "serviceAccountName": "default",
            **spec,
        },
    }


def owned(source: Object, manifest: Object) -> Object:
    """Return *manifest* with the stored *source* as its controller."""
    metadata = source["metadata"]
    owner = {
        "apiVersion": API_VERSION,
        "kind": source["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [owner]}}


def children(source: Object, checkpoint: str) -> list[Object]:
    """Return what the predecessor's controller created for the stored VSphereSource *source*."""
    name, namespace, spec = source["metadata"]["name"], source["metadata"]["namespace"], source["spec"]
    login = {key: spec[key] for key in ("address", "skipTLSVerify", "secretRef")}
    subject = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": f"{name}-adapter"}
    binding = {
        "apiVersion": API_VERSION,
        "kind": "VSphereBinding",
        "metadata": {
            "name": f"{name}-vspherebinding",
            "finalizers": ["vspherebindings.sources.tanzu.vmware.com"],
            "annotations": {f"{GROUP}/creator": "system:serviceaccount:vmware-sources:vsphere-controller"},
        },
        "spec": {**login, "subject": subject},
    }
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-configmap"},
        "data": {"checkpoint": checkpoint},
    }
    role_binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{name}-rolebinding"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "vsphere-receive-adapter-cm",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    return [owned(source, obj) for obj in (binding, config_map, role_binding, deployment(source))]


def deployment(source: Object) -> Object:
    """Return the Deployment of the predecessor's adapter, bound by its webhook."""
    name, spec = source["metadata"]["name"], source["spec"]
    secret = spec["secretRef"]["name"]
    labels = {"vspheresources.sources.tanzu.vmware.com/name": name}
    env: list[Object] = [
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "K_METRICS_CONFIG", "value": "{}"},
        {"name": "K_LOGGING_CONFIG", "value": "{}"},
        {"name": "VSPHERE_KVSTORE_CONFIGMAP", "value": f"{name}-configmap"},
        {"name": "VSPHERE_CHECKPOINT_CONFIG", "value": '{"maxAge":"5m0s","period":"10s"}'},
        {"name": "VSPHERE_PAYLOAD_ENCODING", "value": "application/json"},
        {"name": "K_CE_OVERRIDES"},
        {"name": "K_SINK", "value": spec["sink"]["uri"]},
        {"name": "VC_URL", "value": spec["address"]},
        {"name": "VC_INSECURE", "value": "true"},
        {"name": "VC_USERNAME", "valueFrom": {"secretKeyRef": {"name": secret, "key": "username"}}},
        {"name": "VC_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}},
    ]
    container = {
        "name": "adapter",
        "image": IMAGE,
        "env": env,
        "volumeMounts": [{"name": "vsphere-binding", "readOnly": True, "mountPath": "/var/bindings/vsphere"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-adapter", "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": "default",
                    "containers": [container],
                    "volumes": [{"name": "vsphere-binding", "secret": {"secretName": secret}}],
                },
            },
        },
    }


def webhook_configurations() -> list[Object]:
    """Return the predecessor's webhook configurations, all of which fail without its pods."""
    names = ["defaulting.webhook.vsphere", "defaulting.webhook.horizon"]
    mutating = [_configuration("MutatingWebhookConfiguration", name) for name in names]
    names = [f"{name}.webhook.{kind}" for name in ("validation", "config") for kind in ("vsphere", "horizon")]
    return [*mutating, *(_configuration("ValidatingWebhookConfiguration", name) for name in names)]


def _configuration(kind: str, name: str) -> Object:
    webhook = {
        "name": f"{name}.{GROUP}",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
        "clientConfig": {"service": {"namespace": "vmware-sources", "name": "vsphere-source-webhook", "port": 443}},
        "rules": [
            {
                "apiGroups": [GROUP],
                "apiVersions": ["v1alpha1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["vspheresources"],
            }
        ],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": f"{name}.{GROUP}"},
        "webhooks": [webhook],
    }
