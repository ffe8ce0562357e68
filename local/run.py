"""A kind of object, and the run that its objects take part in.

`Kind` is the one place that describes a kind: a module in `local.kinds` defines it, and `local.manifests` and
`local.engine` need no change for a new one.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from local.broker import BrokerServer
from local.environment import Service
from local.fields import Field
from local.objects import Name, Object, Objects
from local.ping import PingScheduler
from local.references import Destination

Content = TypeVar("Content", bound=Object)


@dataclasses.dataclass(frozen=True)
class Run:
    """The collaborators that the objects of a run use when they start."""

    objects: Objects
    kinds: "Mapping[tuple[str, str], Kind[Any]]"
    urls: Mapping[str, str]
    """The address of each Knative Service, by name."""
    brokers: BrokerServer
    pings: PingScheduler

    def address(self, destination: Destination) -> str:
        """Return the local URL of *destination*, which was checked."""
        if destination.name is None:
            return destination.uri
        find = self.kinds[destination.kind].address
        assert find is not None  # noqa: S101 - checked when the manifests were loaded
        base = find(destination.name, self)
        return f"{base}/{destination.uri.lstrip('/')}" if destination.uri else base


def _no_destinations(_: Object) -> Iterable[Destination]:
    return ()


def _nothing_missing(_: Object, __: Objects) -> Iterable[str]:
    return ()


def _no_services(_: Object) -> Iterable[Service]:
    return ()


def _no_action(_: Object, __: Run) -> None:
    return


def _no_variables(_: Object, __: Name, ___: Run) -> Mapping[str, str]:
    return {}


@dataclasses.dataclass(frozen=True)
class Kind(Generic[Content]):
    """A kind of object: how it is read, checked and brought to life."""

    api_version: str
    name: str
    object_type: type[Content]
    read: Callable[[Name, Field], Content | None]
    """Return the object in some YAML. None if it cannot be read, or has no effect on one machine."""
    destinations: Callable[[Content], Iterable[Destination]] = _no_destinations
    """The destinations that an object names."""
    missing: Callable[[Content, Objects], Iterable[str]] = _nothing_missing
    """An error (`field: reason`) for each other reference to something that is not among the objects."""
    services: Callable[[Content], Iterable[Service]] = _no_services
    """The processes that an object brings along, as a controller creates Deployments for it."""
    address: Callable[[Name, Run], str] | None = None
    """Return the URL where an object receives events. None if no object of the kind does."""
    open: Callable[[Content, Run], None] = _no_action
    """Make an object's address answer. Called in the event loop, before the services start."""
    variables: Callable[[Content, Name, Run], Mapping[str, str]] = _no_variables
    """The variables that an object adds to the environment of the Knative Service of that name."""
    start: Callable[[Content, Run], None] = _no_action
    """Let an object begin. Called in the event loop, when all services are ready."""
