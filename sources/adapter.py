"""The pod of a source's adapter: one container of this project's image, restricted, probed and limited. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

CONTAINER = "adapter"
PORT = 8080

RESOURCES: Object = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "256Mi"},
}
"""The resources of an adapter whose source sets none."""

CA_FOLDER = "/etc/ca-bundle"
CA_FILE = "ca.pem"

RESEND = "5s"
"""The time before an outage whose acknowledged events are sent again, for a Broker in memory."""

_RESTRICTED: Object = {
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_template(
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    image: str,
    environment: Mapping[str, str],
    volumes: Sequence[tuple[str, Object]] = (),
) -> Object:
    """Return the pod template of an adapter, without a binding.

    *spec* is a source's: ServiceAccount, resources, node selector and tolerations come from there. *volumes* has pairs
    of a folder and a volume, which is mounted there read-only.
    """
    container: Object = {
        "name": CONTAINER,
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [
            *({"name": volume["name"], "mountPath": folder, "readOnly": True} for folder, volume in volumes),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
        "readinessProbe": _probe("readiness"),
        "livenessProbe": _probe("liveness"),
        "resources": spec.get("resources") or RESOURCES,
        "securityContext": _RESTRICTED,
    }
    pod: Object = {
        "serviceAccountName": spec.get("serviceAccountName") or "default",
        "containers": [container],
        "volumes": [*(volume for _, volume in volumes), {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],
    }
    pod |= {name: spec[name] for name in ("nodeSelector", "tolerations") if spec.get(name)}
    return {"metadata": {"labels": dict(labels)}, "spec": pod}


def ca_volume(ca_bundle: Mapping[str, Any]) -> tuple[str, Object]:
    """Return folder and volume of the `caBundle` of a source: one key of a ConfigMap or Secret, as a file."""
    secret = ca_bundle.get("secretKeyRef")
    ref = secret or ca_bundle["configMapKeyRef"]
    items = [{"key": ref["key"], "path": CA_FILE}]
    if secret:
        return CA_FOLDER, {"name": "ca-bundle", "secret": {"secretName": ref["name"], "items": items}}
    return CA_FOLDER, {"name": "ca-bundle", "configMap": {"name": ref["name"], "items": items}}


def sink_environment(spec: Mapping[str, Any], sink: str) -> dict[str, str]:
    """Return the variables of the sink: its address and the attributes to add to each event."""
    extensions = (spec.get("ceOverrides") or {}).get("extensions") or {}
    overrides = {"K_CE_OVERRIDES": json.dumps({"extensions": extensions})} if extensions else {}
    return {"K_SINK": sink, **overrides}


def flag(value: object) -> str:
    """Return a boolean as a variable's value, `true` or `false`."""
    return "true" if value else "false"


def _probe(name: str) -> Object:
    return {"httpGet": {"path": f"/health/{name}", "port": "http"}}
