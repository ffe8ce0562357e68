"""VSphereSource: a poller, with the environment that the controller gives to its Deployment."""

import dataclasses

from local import adapters
from local.adapters import IMAGE, SINK, Source, read_adapter, read_spec
from local.admission import bind_here
from local.fields import Field
from local.objects import Name
from local.run import Kind
from sources import vspheresource

_ENCODINGS = ("", "application/json", "application/xml")


@dataclasses.dataclass(frozen=True)
class VSphereSource(Source):
    """A source of the events of one vCenter."""


def read_vsphere_source(name: Name, document: Field) -> VSphereSource | None:
    """Read a VSphereSource."""
    errors = len(document.errors)
    spec = read_spec(document, "checkpointConfig", "payloadEncoding", "eventTypes", "entity")
    checkpoint = spec["checkpointConfig"].only("maxAgeSeconds", "periodSeconds")
    checkpoint["maxAgeSeconds"].number(vspheresource.DEFAULT_MAX_AGE_SECONDS, 0)
    checkpoint["periodSeconds"].number(vspheresource.DEFAULT_PERIOD_SECONDS, 0)
    if spec["payloadEncoding"].text().lower() not in _ENCODINGS:
        spec["payloadEncoding"].reject("is not application/json or application/xml")
    for event_type in spec["eventTypes"]:
        event_type.text(required=True)
    spec["entity"].text()
    template = None
    if len(document.errors) == errors and isinstance(document.value, dict):
        template = bind_here(vspheresource.pod_template(document.value, SINK, IMAGE), document.value["spec"])
    return read_adapter(VSphereSource, name, document, spec, template)


KINDS = (
    Kind(
        "sources.tanzu.vmware.com/v1alpha1",
        "VSphereSource",
        VSphereSource,
        read_vsphere_source,
        destinations=adapters.destinations,
        services=adapters.services,
        variables=adapters.variables,
    ),
)
