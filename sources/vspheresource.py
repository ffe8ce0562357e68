"""VSphereSource: the environment and the pod of its adapter, which is the poller. Pure.

The controller makes a Deployment of them, and `local/` a process.
"""

from collections.abc import Mapping
from typing import Any

from sources import adapter, names

DEFAULT_MAX_AGE_SECONDS = 300
DEFAULT_PERIOD_SECONDS = 10
DEFAULT_ENCODING = "application/xml"


def environment(source: Mapping[str, Any], sink: str, log_level: str = "INFO") -> dict[str, str]:
    """Return the variables of the adapter of *source*, a VSphereSource, without those that its binding adds.

    *sink* is the resolved address. A variable that the source does not set is left out.
    """
    spec = source["spec"]
    checkpoint = spec.get("checkpointConfig") or {}
    max_age = checkpoint.get("maxAgeSeconds", DEFAULT_MAX_AGE_SECONDS)
    variables = {
        "FUNCTION": "poller",
        "FOLLOW_SECONDS": "always",
        "CHECKPOINT": f"configmap:{names.config_map_name(source['metadata']['name'])}",
        "CHECKPOINT_MAX_AGE": f"{max_age}s",
        "CHECKPOINT_PERIOD": f"{checkpoint.get('periodSeconds') or DEFAULT_PERIOD_SECONDS}s",
        "PAYLOAD_ENCODING": (spec.get("payloadEncoding") or DEFAULT_ENCODING).lower(),
        **adapter.sink_environment(spec, sink),
        "SINK_RESEND": adapter.RESEND if max_age else "0",  # without a replay, an event is sent once at most
        "EVENT_TYPES": ",".join(spec.get("eventTypes") or ()),
        "ENTITY": spec.get("entity") or "",
        "VC_CA_BUNDLE": f"{adapter.CA_FOLDER}/{adapter.CA_FILE}" if spec.get("caBundle") else "",
        "LOG_LEVEL": log_level,
    }
    return {name: value for name, value in variables.items() if value}


def labels(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the adapter's Deployment and pods, which are also its selector."""
    return {names.SOURCE_LABEL: names.label_value(source["metadata"]["name"])}


def pod_template(source: Mapping[str, Any], sink: str, image: str, log_level: str = "INFO") -> adapter.Object:
    """Return the pod template of the adapter of *source*, before `sources.binding.bind` adds the login to it."""
    spec = source["spec"]
    volumes = [adapter.ca_volume(spec["caBundle"])] if spec.get("caBundle") else []
    return adapter.pod_template(spec, labels(source), image, environment(source, sink, log_level), volumes)
