"""HorizonSource: its adapter, with the environment that the controller gives to its Deployment."""

import dataclasses

from local import adapters
from local.adapters import IMAGE, SINK, Source, read_adapter, read_spec
from local.fields import Field
from local.objects import Name
from local.run import Kind
from sources import horizonsource


@dataclasses.dataclass(frozen=True)
class HorizonSource(Source):
    """A source of the audit events of one Horizon server."""


def read_horizon_source(name: Name, document: Field) -> HorizonSource | None:
    """Read a HorizonSource."""
    errors = len(document.errors)
    spec = read_spec(document)
    template = None
    if len(document.errors) == errors and isinstance(document.value, dict):
        template = horizonsource.pod_template(document.value, SINK, IMAGE)
    return read_adapter(HorizonSource, name, document, spec, template)


KINDS = (
    Kind(
        "sources.tanzu.vmware.com/v1alpha1",
        "HorizonSource",
        HorizonSource,
        read_horizon_source,
        destinations=adapters.destinations,
        services=adapters.services,
        variables=adapters.variables,
    ),
)
