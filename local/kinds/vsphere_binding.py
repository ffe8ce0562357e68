"""VSphereBinding. `local.admission` binds before the Services are read: here it is checked."""

import dataclasses
from collections.abc import Iterator

from local.adapters import read_login
from local.environment import Service
from local.fields import TOP, Field
from local.objects import Name, Object, Objects
from local.run import Kind


@dataclasses.dataclass(frozen=True)
class VSphereBinding(Object):
    """The login of a vCenter for Knative Services: for one, or for all that a selector selects."""

    service: Name | None
    """None with a selector, which may select nothing."""


def read_vsphere_binding(name: Name, document: Field) -> VSphereBinding:
    """Read a VSphereBinding."""
    document.only(*TOP, "spec", ignored=("status",))
    spec = document["spec"].only("address", "skipTLSVerify", "secretRef", "subject")
    read_login(spec)
    subject = spec["subject"].only("apiVersion", "kind", "name", "namespace", "selector")
    if not subject["apiVersion"].text().startswith("serving.knative.dev/") or subject["kind"].text() != "Service":
        subject.reject("local binds only a Knative Service")
    if subject["namespace"].text(name.namespace) not in ("", name.namespace):
        subject["namespace"].reject("must be the VSphereBinding's own")
    service = subject["name"].text()
    if bool(service) == bool(subject["selector"]):
        subject.reject("must have exactly one of name and selector")
    subject["selector"].only("matchLabels", "matchExpressions")["matchLabels"].texts()
    return VSphereBinding(name, document.origin, Name(name.namespace, service) if service else None)


def _missing(binding: VSphereBinding, objects: Objects) -> Iterator[str]:
    if binding.service and binding.service not in objects.of(Service):
        yield f"spec.subject: there is no Service {binding.service}"


KINDS = (
    Kind(
        "sources.tanzu.vmware.com/v1alpha1",
        "VSphereBinding",
        VSphereBinding,
        read_vsphere_binding,
        missing=_missing,
    ),
)
