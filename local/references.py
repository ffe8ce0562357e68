"""References between objects: what one names must be there, as a cluster would find out only later."""

from collections.abc import Iterator

from local.environment import TEMPORARY, is_within, variables
from local.objects import Broker, Destination, Import, KeyRef, Manifests, Mount, Service, Trigger


def missing(manifests: Manifests) -> Iterator[str]:
    """A fault for each reference to something that is not among the objects."""
    for trigger in manifests.triggers.values():
        if trigger.broker not in manifests.brokers:
            yield f"{trigger.origin}: spec.broker: there is no Broker {trigger.broker}"
    for binding in manifests.sink_bindings.values():
        if binding.service not in manifests.services:
            yield f"{binding.origin}: spec.subject: there is no Service {binding.service}"
    for origin, destination in _destinations(manifests):
        known = manifests.services if destination.kind == "Service" else manifests.brokers
        if destination.name and destination.name not in known:
            yield f"{origin}: {destination.path}: there is no {destination.kind} {destination.name}"
    first: dict[str, Service] = {}
    for service in manifests.services.values():
        yield from _missing_for(service, manifests)
        if first.setdefault(service.name.name, service) is not service:
            yield f"{service.origin}: metadata.name: another namespace has a Service of this name, too; local needs one"


def _destinations(manifests: Manifests) -> Iterator[tuple[str, Destination]]:
    for trigger in manifests.triggers.values():
        yield trigger.origin, trigger.subscriber
    for ping in manifests.ping_sources.values():
        yield ping.origin, ping.sink
    for binding in manifests.sink_bindings.values():
        yield binding.origin, binding.sink
    deliverers: list[Trigger | Broker] = [*manifests.triggers.values(), *manifests.brokers.values()]
    for deliverer in deliverers:
        if deliverer.delivery and deliverer.delivery.dead_letter_sink:
            yield deliverer.origin, deliverer.delivery.dead_letter_sink


def _missing_for(service: Service, manifests: Manifests) -> Iterator[str]:
    refs = [variable.value for variable in service.variables if isinstance(variable.value, KeyRef)]
    for ref in refs:
        data = manifests.data(ref.kind, ref.name)
        if not ref.optional and (data is None or ref.key not in data):
            yield f"{service.origin}: {ref.path}: there is no {ref.kind} {ref.name} with the key {ref.key}"
    wholes: list[Import | Mount] = [*service.imports, *service.mounts]
    for whole in wholes:
        if whole.name and not whole.optional and manifests.data(whole.kind, whole.name) is None:
            yield f"{service.origin}: {whole.path}: there is no {whole.kind} {whole.name}"
    values = variables(service, manifests).values()
    for mount in service.mounts:
        if mount.folder != TEMPORARY and not any(is_within(value, mount.folder) for value in values):
            yield (
                f"{service.origin}: {mount.path}: nothing is mounted at {mount.folder} here; "
                "name the folder in an environment variable, which local sets to its own"
            )
