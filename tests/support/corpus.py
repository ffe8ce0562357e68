"""Objects as users of the predecessor have them: its documentation, its samples, VEBA, Direktiv, `kn vsphere`, etcd.

The fields and values are theirs. `STORED` has what its webhooks made of them, which is what a cluster has stored.
"""

from typing import Any

from tests.support.api_server import Object
from tests.support.kinds import manifest

SIMULATOR: dict[str, Any] = {
    "address": "https://vcsim.default.svc.cluster.local",
    "skipTLSVerify": True,
    "secretRef": {"name": "vsphere-credentials"},
}
VCENTER: dict[str, Any] = {**SIMULATOR, "address": "https://vcenter.corp.local"}
CHECKPOINT = {"maxAgeSeconds": 300, "periodSeconds": 10}
JOBS = {"apiVersion": "batch/v1", "kind": "Job", "selector": {"matchLabels": {"role": "vsphere-jobs"}}}


def _broker(name: str = "default", **more: str) -> dict[str, Any]:
    return {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": name, **more}}


def _services(role: str) -> dict[str, Any]:
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "selector": {"matchLabels": {"role": role}}}


def _source(name: str, **fields: Any) -> Object:
    return manifest("VSphereSource", fields, name)


def _binding(name: str, **fields: Any) -> Object:
    return manifest("VSphereBinding", fields, name)


HORIZON: dict[str, Any] = {
    "address": "https://horizon.server.example.com",
    "skipTLSVerify": False,
    "secretRef": {"name": "horizon-credentials"},
    "serviceAccountName": "horizon-source-sa",
    "sink": _broker("example-broker", namespace="default"),
}

MANIFESTS: dict[str, Object] = {
    "the issue's source": _source(
        "vcsa-source", **VCENTER, sink=_broker("inmem-broker"), checkpointConfig=CHECKPOINT,
        payloadEncoding="application/json",
    ),
    "README source": _source(
        "source", **VCENTER, sink={"uri": "http://where.to.send.stuff"}, checkpointConfig=CHECKPOINT,
        payloadEncoding="application/json",
    ),
    "README source of 2020": _source("source-2020", **VCENTER, sink={"uri": "http://where.to.send.stuff"}),
    "README binding": _binding(
        "binding", **VCENTER, subject={"apiVersion": "apps/v1", "kind": "Deployment", "name": "my-simple-app"}
    ),
    "README binding by label": _binding(
        "by-label",
        **VCENTER,
        subject={"apiVersion": "batch/v1", "kind": "Job", "selector": {"matchLabels": {"foo": "bar"}}},
    ),
    "sample vcsim": _source(
        "vcsim",
        **SIMULATOR,
        sink={"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "sockeye"}},
    ),
    "sample govc and powercli": _binding("vsphere-jobs", **SIMULATOR, subject=JOBS),
    "sample tag-new-vms source": _source("vcsim-to-broker", **SIMULATOR, sink=_broker()),
    "sample tag-new-vms binding": _binding("vsphere-functions", **SIMULATOR, subject=_services("vsphere-fn")),
    "sample cloud-power-shell": _binding("cloud-shell-binding", **SIMULATOR, subject=_services("cloud-power-shell")),
    "sample horizon": manifest("HorizonSource", HORIZON, "horizon-example"),
    "VEBA source": _source(
        "veba-source",
        address="https://vcsa.mydomain.com",
        skipTLSVerify=True,
        secretRef={"name": "vcsa-ro-creds"},
        checkpointConfig=CHECKPOINT,
        payloadEncoding="application/json",
        sink={"uri": "http://default-broker-ingress.vmware-functions.svc.cluster.local"},
    ),
    "Direktiv source": _source(
        "direktiv",
        **{**VCENTER, "address": "https://192.168.220.128"},
        sink={
            "ref": {"apiVersion": "v1", "kind": "Service", "name": "direktiv-eventing", "namespace": "default"},
            "uri": "/hello?filter=test",
        },
        checkpointConfig=CHECKPOINT,
        payloadEncoding="application/json",
    ),
    "kn vsphere source create": _source(
        "from-kn", **VCENTER, sink={"uri": "http://sink.example"}, checkpointConfig=CHECKPOINT,
        payloadEncoding="application/xml", serviceAccountName="",
    ),
    "kn vsphere binding create": _binding(
        "from-kn",
        **VCENTER,
        subject={
            "apiVersion": "batch/v1",
            "kind": "Job",
            "namespace": "NAMESPACE",
            "selector": {"matchLabels": {"job-name": "vsphere-job"}},
        },
    ),
}  # fmt: skip
"""By where they come from. The text NAMESPACE stands for the namespace of the object."""

_WEBHOOK_ANNOTATIONS = {
    "sources.tanzu.vmware.com/creator": "kubernetes-admin",
    "sources.tanzu.vmware.com/lastModifier": "kubernetes-admin",
}
_READY = {
    "type": "Ready",
    "status": "True",
    "lastTransitionTime": "2023-12-13T10:00:00Z",
}

STORED: dict[str, Object] = {
    "source without checkpointConfig": {
        **_source(
            "stored", **VCENTER, sink=_broker(namespace="NAMESPACE"),
            checkpointConfig={"maxAgeSeconds": 0, "periodSeconds": 10}, payloadEncoding="application/xml",
        ),
        "status": {
            "observedGeneration": 1,
            "sinkUri": "http://broker-ingress.knative-eventing.svc.cluster.local/default/default",
            "conditions": [{**_READY, "type": "AdapterReady"}, {**_READY, "type": "AuthReady"}, _READY],
        },
    },
    "child binding": {
        **_binding(
            "stored-vspherebinding",
            **VCENTER,
            subject={
                "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "NAMESPACE", "name": "stored-adapter",
            },
        ),
        "status": {"observedGeneration": 1, "conditions": [_READY]},
    },
    "horizon source": {
        **manifest("HorizonSource", HORIZON, "stored"),
        "status": {
            "observedGeneration": 1,
            "sinkUri": "http://broker-ingress.knative-eventing.svc.cluster.local/default/example-broker",
            "conditions": [{**_READY, "type": "Deployed"}, _READY, {**_READY, "type": "SinkProvided"}],
        },
    },
}  # fmt: skip
"""As the predecessor's webhooks and controllers left them in etcd."""

for _content in STORED.values():
    if _content["kind"] == "VSphereBinding":
        _content["metadata"] |= {
            "annotations": _WEBHOOK_ANNOTATIONS,
            "finalizers": ["vspherebindings.sources.tanzu.vmware.com"],
        }


def placed(content: Object, namespace: str) -> Object:
    """Return *content* in *namespace*, with the text NAMESPACE replaced by it."""
    moved: Object = _replaced(content, namespace)
    moved["metadata"]["namespace"] = namespace
    return moved


def _replaced(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(entry, namespace) for name, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry, namespace) for entry in value]
    return namespace if value == "NAMESPACE" else value
