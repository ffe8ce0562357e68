"""HorizonSource: the environment and the pod of its adapter, the function `horizon`. Pure.

The controller makes a Deployment of them, and `local/` a process.
"""

from collections.abc import Mapping
from typing import Any

from sources import adapter, names

MOUNT_PATH = "/var/bindings/horizon"
"""The folder of the Secret with the login: `domain`, `username` and `password`."""


def environment(source: Mapping[str, Any], sink: str, log_level: str = "INFO") -> dict[str, str]:
    """Return the variables of the adapter of *source*, a HorizonSource. *sink* is the resolved address."""
    spec = source["spec"]
    variables = {
        "FUNCTION": "horizon",
        "HORIZON_URL": spec["address"],
        "HORIZON_INSECURE": adapter.flag(spec.get("skipTLSVerify")),
        "HORIZON_SECRET_PATH": MOUNT_PATH,
        "HORIZON_CA_BUNDLE": f"{adapter.CA_FOLDER}/{adapter.CA_FILE}" if spec.get("caBundle") else "",
        "CHECKPOINT": f"configmap:{names.config_map_name(source['metadata']['name'])}",
        **adapter.sink_environment(spec, sink),
        "SINK_RESEND": adapter.RESEND,
        "LOG_LEVEL": log_level,
    }
    return {name: value for name, value in variables.items() if value}


def labels(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the adapter's Deployment and pods, which are also its selector."""
    return {
        "knative-eventing-source": "horizon-source-controller",
        "knative-eventing-source-name": names.label_value(source["metadata"]["name"]),
    }


def pod_template(source: Mapping[str, Any], sink: str, image: str, log_level: str = "INFO") -> adapter.Object:
    """Return the pod template of the adapter of *source*."""
    spec = source["spec"]
    login = {"name": "horizon-credentials", "secret": {"secretName": spec["secretRef"]["name"]}}
    volumes = [(MOUNT_PATH, login)]
    if spec.get("caBundle"):
        volumes.append(adapter.ca_volume(spec["caBundle"]))
    return adapter.pod_template(spec, labels(source), image, environment(source, sink, log_level), volumes)
