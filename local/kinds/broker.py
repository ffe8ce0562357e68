"""Broker and Trigger."""

import dataclasses
from collections.abc import Iterator, Mapping

import structlog

from local.broker import Subscription
from local.delivery import Retries
from local.fields import TOP, Field
from local.objects import Name, Object, Objects
from local.references import Delivery, Destination, dead_letter_sinks, read_delivery, read_destination
from local.run import Kind, Run
from pipeline.filter import FilterError, Matches, compile_filter

log = structlog.get_logger()

CLASS = "MTChannelBasedBroker"
_IN_MEMORY_CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "config-br-default-channel",
    "namespace": "knative-eventing",
}


@dataclasses.dataclass(frozen=True)
class Broker(Object):
    """A Broker over InMemoryChannels."""

    delivery: Delivery | None


@dataclasses.dataclass(frozen=True)
class Trigger(Object):
    """The events of a Broker that a subscriber gets."""

    broker: Name
    matches: Matches
    subscriber: Destination
    delivery: Delivery | None


def read_broker(name: Name, document: Field) -> Broker:
    """Read a Broker."""
    document.only(*TOP, "spec")
    annotation = document["metadata"]["annotations"]["eventing.knative.dev/broker.class"]
    if annotation.text(CLASS) != CLASS:
        annotation.reject(f"is {annotation.text()!r}; local runs only {CLASS}")
    spec = document["spec"].only("config", "delivery")
    config = spec["config"].only("apiVersion", "kind", "name", "namespace")
    if config and config.texts() != _IN_MEMORY_CONFIG:
        config.reject("is not ConfigMap config-br-default-channel in knative-eventing (InMemoryChannel)")
    return Broker(name, document.origin, read_delivery(spec["delivery"], name.namespace))


def read_trigger(name: Name, document: Field) -> Trigger:
    """Read a Trigger."""
    document.only(*TOP, "spec")
    spec = document["spec"].only("broker", "filter", "filters", "subscriber", "delivery")
    matches: Matches = _matches_nothing
    try:
        matches = compile_filter(spec.value if isinstance(spec.value, dict) else {})
    except FilterError as error:
        for path, reason in error.errors:
            spec[path].reject(reason)
    return Trigger(
        name,
        document.origin,
        broker=Name(name.namespace, spec["broker"].text(required=True)),
        matches=matches,
        subscriber=read_destination(spec["subscriber"], name.namespace),
        delivery=read_delivery(spec["delivery"], name.namespace),
    )


def _matches_nothing(_: Mapping[str, str]) -> bool:
    return False


def _destinations(trigger: Trigger) -> Iterator[Destination]:
    yield trigger.subscriber
    yield from dead_letter_sinks(trigger.delivery)


def _missing(trigger: Trigger, objects: Objects) -> Iterator[str]:
    if trigger.broker not in objects.of(Broker):
        yield f"spec.broker: there is no Broker {trigger.broker}"


def _address(name: Name, run: Run) -> str:
    return run.brokers.url(name)


def _open(broker: Broker, run: Run) -> None:
    triggers = [trigger for trigger in run.objects.of(Trigger).values() if trigger.broker == broker.name]
    run.brokers.add(broker.name, [_subscription(trigger, broker, run) for trigger in triggers])
    log.info("broker ready", broker=str(broker.name), url=run.brokers.url(broker.name))


def _subscription(trigger: Trigger, broker: Broker, run: Run) -> Subscription:
    """Return *trigger* with its addresses. Its delivery spec replaces the Broker's, except for a sink that it lacks."""
    delivery = trigger.delivery or broker.delivery
    sink = next((sink for spec in (trigger.delivery, broker.delivery) for sink in dead_letter_sinks(spec)), None)
    return Subscription(
        trigger.name,
        trigger.matches,
        url=run.address(trigger.subscriber),
        retries=delivery.retries if delivery else Retries(),
        dead_letter_url=run.address(sink) if sink else "",
    )


KINDS = (
    Kind(
        "eventing.knative.dev/v1",
        "Broker",
        Broker,
        read_broker,
        destinations=lambda broker: dead_letter_sinks(broker.delivery),
        address=_address,
        open=_open,
    ),
    Kind("eventing.knative.dev/v1", "Trigger", Trigger, read_trigger, destinations=_destinations, missing=_missing),
)
