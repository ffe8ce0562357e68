"""SinkBinding."""

import dataclasses
import json
from collections.abc import Iterator, Mapping

from local.environment import Service
from local.fields import TOP, Field
from local.objects import Name, Object, Objects
from local.references import Destination, read_destination
from local.run import Kind, Run


@dataclasses.dataclass(frozen=True)
class SinkBinding(Object):
    """Configures where a Service sends its events."""

    service: Name
    sink: Destination
    overrides: str
    """K_CE_OVERRIDES: JSON."""


def read_sink_binding(name: Name, document: Field) -> SinkBinding:
    """Read a SinkBinding."""
    document.only(*TOP, "spec")
    spec = document["spec"].only("subject", "sink", "ceOverrides")
    subject = spec["subject"].only("apiVersion", "kind", "name", "namespace")
    if (subject["apiVersion"].text(), subject["kind"].text()) != ("serving.knative.dev/v1", "Service"):
        subject.reject("local binds only a Knative Service")
    if subject["namespace"].text(name.namespace) != name.namespace:
        subject["namespace"].reject("must be the SinkBinding's own")
    extensions = spec["ceOverrides"].only("extensions")["extensions"].texts()
    return SinkBinding(
        name,
        document.origin,
        service=Name(name.namespace, subject["name"].text(required=True)),
        sink=read_destination(spec["sink"], name.namespace),
        overrides=json.dumps({"extensions": extensions}) if extensions else "",
    )


def _missing(binding: SinkBinding, objects: Objects) -> Iterator[str]:
    if binding.service not in objects.of(Service):
        yield f"spec.subject: there is no Service {binding.service}"


def _variables(binding: SinkBinding, service: Name, run: Run) -> Mapping[str, str]:
    if binding.service != service:
        return {}
    return {"K_SINK": run.address(binding.sink), "K_CE_OVERRIDES": binding.overrides}


KINDS = (
    Kind(
        "sources.knative.dev/v1",
        "SinkBinding",
        SinkBinding,
        read_sink_binding,
        destinations=lambda binding: [binding.sink],
        missing=_missing,
        variables=_variables,
    ),
)
