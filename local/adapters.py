"""The fields that VSphereSource and HorizonSource share, and the process that stands in for an adapter's pod."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from local.environment import Service
from local.fields import TOP, Field
from local.objects import Name, Object
from local.pods import read_pod
from local.references import Destination, read_destination
from local.run import Run
from sources import names

IMAGE = "vcenter-events"
SINK = "http://sink.invalid"
"""The address of the sink in a pod template. The real one is known when the run begins."""

_POD_FIELDS = ("resources", "nodeSelector", "tolerations", "serviceAccountName")
_SHARED = ("address", "skipTLSVerify", "secretRef", "sink", "ceOverrides", "caBundle")


@dataclasses.dataclass(frozen=True)
class Source(Object):
    """A source: its sink, and the process that sends events there."""

    sink: Destination
    adapter: Service


Content = TypeVar("Content", bound=Source)


def read_spec(document: Field, *fields: str) -> Field:
    """Return the spec of a source after a check of the fields that both kinds have. *fields* are the others."""
    document.only(*TOP, "spec", ignored=("status",))
    spec = document["spec"].only(*_SHARED, *fields, ignored=_POD_FIELDS)
    read_login(spec)
    spec["ceOverrides"].only("extensions")["extensions"].texts()
    ca_bundle = spec["caBundle"].only("configMapKeyRef", "secretKeyRef")
    references = [ca_bundle[name] for name in ("configMapKeyRef", "secretKeyRef") if ca_bundle[name]]
    if ca_bundle and len(references) != 1:
        ca_bundle.reject("must have exactly one of configMapKeyRef and secretKeyRef")
    for reference in references:
        for name in ("name", "key"):
            reference.only("name", "key")[name].text(required=True)
    return spec


def read_login(spec: Field) -> None:
    """Check the address and the Secret of a source or binding."""
    if not re.match(r"https?://[^/?#:@\s]", spec["address"].text()):
        spec["address"].reject("is not an http(s) URL with a host")
    spec["skipTLSVerify"].flag()
    spec["secretRef"].only("name")["name"].text(required=True)


def read_adapter(
    kind: type[Content], name: Name, document: Field, spec: Field, template: Mapping[str, Any] | None
) -> Content | None:
    """Return the source of *kind* with an adapter of the pod template *template*. None if there is no template."""
    sink = read_destination(spec["sink"], name.namespace)
    if template is None:
        return None
    pod = Field(template, "the adapter's pod", document.origin, document.errors)
    adapter = read_pod(name._replace(name=names.adapter_name(name.name)), document.origin, pod)
    return kind(name, document.origin, sink, adapter) if adapter else None


def destinations(source: Source) -> Iterable[Destination]:
    """Return the destinations of *source*."""
    return [source.sink]


def services(source: Source) -> Iterable[Service]:
    """Return the process of *source*."""
    return [source.adapter]


def variables(source: Source, service: Name, run: Run) -> Mapping[str, str]:
    """Return the address of the sink for the process of *source*."""
    return {"K_SINK": run.address(source.sink)} if service == source.adapter.name else {}
