"""Knative Service: a process of this project's code."""

from collections.abc import Iterator

from local.config import data_of
from local.environment import TEMPORARY, Import, KeyRef, Mount, Service, is_within, listed_paths, variables
from local.fields import TOP, Field
from local.objects import Name, Objects
from local.pods import read_pod
from local.run import Kind, Run


def read_service(name: Name, document: Field) -> Service | None:
    """Read a Knative Service with one container of the project's own image."""
    document.only(*TOP, "spec")
    return read_pod(name, document.origin, document["spec"].only("template")["template"])


def _missing(service: Service, objects: Objects) -> Iterator[str]:
    refs = [variable.value for variable in service.variables if isinstance(variable.value, KeyRef)]
    for ref in refs:
        data = data_of(objects, ref.kind, ref.name)
        if not ref.optional and (data is None or ref.key not in data):
            yield f"{ref.path}: there is no {ref.kind} {ref.name} with the key {ref.key}"
    sources: list[Import | Mount] = [*service.imports, *service.mounts]
    for source in sources:
        if source.name and not source.optional and data_of(objects, source.kind, source.name) is None:
            yield f"{source.path}: there is no {source.kind} {source.name}"
    values = [path for value in variables(service, objects).values() for path in listed_paths(value)]
    for mount in service.mounts:
        if mount.folder != TEMPORARY and not any(is_within(value, mount.folder) for value in values):
            yield (
                f"{mount.path}: nothing is mounted at {mount.folder} here; "
                "name the folder in an environment variable, which local sets to its own"
            )
    first = next(name for name in objects.of(Service) if name.name == service.name.name)
    if first != service.name:
        yield "metadata.name: another namespace also has a Service of this name; local needs one"


def _address(name: Name, run: Run) -> str:
    return run.urls[name.name]


KINDS = (Kind("serving.knative.dev/v1", "Service", Service, read_service, missing=_missing, address=_address),)
