"""The controller's settings: the adapters' image, the namespaces, admission, the lease."""

import dataclasses
import re

from pipeline.settings.parsers import flag, http_url, one_of, text, whole_number
from pipeline.settings.variable import setting

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def namespaces(value: str) -> tuple[str, ...]:
    """Return the names in a list with commas. Raises `ValueError`."""
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    wrong = [name for name in names if not re.fullmatch(_LABEL, name)]
    if wrong:
        raise ValueError(f"names {', '.join(map(repr, wrong))}, not a namespace")
    return names


def object_name(value: str) -> str:
    """Return *value*, which is a name of a Kubernetes object. Raises `ValueError`."""
    if not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
        raise ValueError(f"is {value!r}, not the name of a Kubernetes object")
    return value


@dataclasses.dataclass(frozen=True)
class AdmissionSettings:
    """The webhook that binds objects when they are created."""

    port: int = setting(
        "ADMISSION_PORT",
        whole_number(0, 65535),
        "Port of the webhook's HTTPS server. `0` turns the webhook off, and Jobs are then not bound.",
        example="8443",
        default="8443",
    )
    secret: str = setting(
        "ADMISSION_SECRET",
        object_name,
        "Secret in the controller's namespace that holds the webhook's certificates.",
        example="vsphere-webhook-certs",
        default="vsphere-webhook-certs",
    )
    service: str = setting(
        "ADMISSION_SERVICE",
        object_name,
        "Service in the controller's namespace, on port 443, behind which the API server finds the webhook.",
        example="vsphere-source-webhook",
        default="vsphere-source-webhook",
    )
    url: str | None = setting(
        "ADMISSION_URL",
        http_url,
        "Address of a controller outside of the cluster, in place of the Service, for development: `https://host:port`.",
        example="https://192.0.2.7:8443",
        default=None,
        unset="the Service",
    )
    selection_mode: str = setting(
        "VSPHERE_BINDING_SELECTION_MODE",
        one_of("exclusion", "inclusion"),
        'Objects that may be bound. `exclusion`: all but those labelled `bindings.knative.dev/exclude: "true"`. '
        '`inclusion`: those labelled `bindings.knative.dev/include: "true"`. The label of a namespace counts, too.',
        example="inclusion",
        default="exclusion",
    )


@dataclasses.dataclass(frozen=True)
class ControllerSettings:
    """The controller of VSphereSource, VSphereBinding and HorizonSource."""

    admission: AdmissionSettings
    adapter_image: str = setting(
        "ADAPTER_IMAGE",
        text,
        "Image of the sources' adapters: the controller's own.",
        example="ghcr.io/example/vcenter-events:0.1.0",
    )
    namespaces: tuple[str, ...] = setting(
        "WATCH_NAMESPACES",
        namespaces,
        "Namespaces to look at, with commas between them.",
        example="team-a,team-b",
        default=None,
        unset="all namespaces",
    )
    lease: str = setting(
        "LEASE",
        object_name,
        "Lease in the controller's namespace that one of several controllers holds. The others wait.",
        example="vsphere-source-controller",
        default="vsphere-source-controller",
    )
    retires_predecessor: bool = setting(
        "RETIRE_PREDECESSOR",
        flag,
        "Delete the webhook configurations and Deployments of VMware's sources for Knative at the start.",
        example="false",
        default="true",
    )
