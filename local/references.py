"""Fields that name another object: a destination of events, and a delivery spec with a dead-letter sink."""

import dataclasses
import re
from collections.abc import Iterator

from local.delivery import Retries, read_retries
from local.fields import Field
from local.objects import Name


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where events go: an addressable object, or a URL. With a reference, *uri* is a path below its address."""

    path: str
    """The field that holds it."""
    kind: tuple[str, str] = ("", "")
    """apiVersion and kind of the object."""
    name: Name | None = None
    uri: str = ""


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A delivery spec: retries, and where an event goes that could not be delivered."""

    retries: Retries
    dead_letter_sink: Destination | None


def read_destination(field: Field, namespace: str) -> Destination:
    """Return the destination in *field* of an object in *namespace*."""
    field.only("ref", "uri")
    ref, uri = field["ref"], field["uri"].text()
    if not ref:
        if not re.match(r"https?://[^/\s]+", uri):
            field.reject("has neither a ref nor an absolute http(s) uri")
        return Destination(field.path, uri=uri)
    ref.only("apiVersion", "kind", "name", "namespace")
    kind = ref["apiVersion"].text(required=True), ref["kind"].text(required=True)
    name = Name(ref["namespace"].text(namespace), ref["name"].text(required=True))
    return Destination(field.path, kind, name, uri)


def read_delivery(field: Field, namespace: str) -> Delivery | None:
    """Return the delivery spec in *field* of an object in *namespace*, or None if it is not set."""
    if not field:
        return None
    sink = read_destination(field["deadLetterSink"], namespace) if field["deadLetterSink"] else None
    return Delivery(read_retries(field), sink)


def dead_letter_sinks(delivery: Delivery | None) -> Iterator[Destination]:
    """Yield the dead-letter sink of *delivery*, if it has one."""
    if delivery and delivery.dead_letter_sink:
        yield delivery.dead_letter_sink
