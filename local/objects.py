"""The objects that a local run is made of, as far as local looks at them: plain values, already checked."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from apscheduler.triggers.base import BaseTrigger

from local.delivery import Retries
from pipeline.filter import Matches


class Name(NamedTuple):
    """What an object is called, within its kind."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where events go: a Service or Broker, or a URL; with a reference, *uri* is a path under its address."""

    path: str
    """The field that says so."""
    kind: str = ""
    name: Name | None = None
    uri: str = ""


@dataclasses.dataclass(frozen=True)
class KeyRef:
    """A key of a ConfigMap or Secret."""

    path: str
    kind: str
    name: Name
    key: str
    optional: bool


@dataclasses.dataclass(frozen=True)
class Variable:
    """An environment variable: its value, or where the value is kept."""

    name: str
    value: str | KeyRef


@dataclasses.dataclass(frozen=True)
class Import:
    """Every key of a ConfigMap or Secret as an environment variable."""

    path: str
    kind: str
    name: Name
    prefix: str
    optional: bool


@dataclasses.dataclass(frozen=True)
class Mount:
    """A folder in the container: of a ConfigMap's or Secret's keys, or empty (*kind* "")."""

    path: str
    folder: str
    volume: str
    kind: str
    name: Name | None
    optional: bool


@dataclasses.dataclass(frozen=True)
class Object:
    """What every object has."""

    name: Name
    origin: str


@dataclasses.dataclass(frozen=True)
class ConfigMap(Object):
    """Texts and files for Services."""

    data: Mapping[str, bytes] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Secret(ConfigMap):
    """The same, of credentials."""


@dataclasses.dataclass(frozen=True)
class Service(Object):
    """A Knative Service of the project's own image."""

    variables: tuple[Variable, ...]
    imports: tuple[Import, ...]
    mounts: tuple[Mount, ...]
    readiness_path: str


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A delivery spec: retries, and where an event goes that could not be delivered."""

    retries: Retries
    dead_letter_sink: Destination | None


@dataclasses.dataclass(frozen=True)
class Broker(Object):
    """A Broker over InMemoryChannels."""

    delivery: Delivery | None


@dataclasses.dataclass(frozen=True)
class Trigger(Object):
    """Which events of a Broker a subscriber gets."""

    broker: Name
    matches: Matches
    subscriber: Destination
    delivery: Delivery | None


@dataclasses.dataclass(frozen=True)
class PingSource(Object):
    """An event that is sent by the clock."""

    schedule: BaseTrigger
    content_type: str
    data: bytes
    sink: Destination
    extensions: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class SinkBinding(Object):
    """Tells a Service where to send its events."""

    service: Name
    sink: Destination
    overrides: str
    """K_CE_OVERRIDES: JSON."""


@dataclasses.dataclass(frozen=True)
class Manifests:
    """Everything that one local run consists of, by name."""

    config_maps: Mapping[Name, ConfigMap]
    secrets: Mapping[Name, Secret]
    services: Mapping[Name, Service]
    brokers: Mapping[Name, Broker]
    triggers: Mapping[Name, Trigger]
    ping_sources: Mapping[Name, PingSource]
    sink_bindings: Mapping[Name, SinkBinding]

    def data(self, kind: str, name: Name) -> Mapping[str, bytes] | None:
        """What a ConfigMap or Secret holds, or None if there is none."""
        found = self.secrets.get(name) if kind == "Secret" else self.config_maps.get(name)
        return found.data if found else None
