"""The objects of a local run, as plain values that are already checked. Each kind adds its own in `local.kinds`."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

Kind = TypeVar("Kind", bound="Object")


class Name(NamedTuple):
    """The name of an object within its kind."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True)
class Object:
    """The fields of all objects."""

    name: Name
    origin: str
    """The file and the object, as in "config/110-display.yaml: Service display"."""


class Objects:
    """The objects of one run, by type and name."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._by_type: dict[type[Object], dict[Name, Object]] = {}
        for content in objects:
            self._by_type.setdefault(type(content), {})[content.name] = content

    def of(self, object_type: type[Kind]) -> Mapping[Name, Kind]:
        """Return the objects of exactly *object_type*, in the order of their files."""
        return self._by_type.get(object_type, {})  # type: ignore[return-value]  # the type is the key
