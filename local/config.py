"""ConfigMaps and Secrets: texts and files for Services."""

import dataclasses
from collections.abc import Mapping

from local.objects import Name, Object, Objects


@dataclasses.dataclass(frozen=True)
class ConfigMap(Object):
    """Texts and files."""

    data: Mapping[str, bytes] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Secret(Object):
    """Credentials."""

    data: Mapping[str, bytes] = dataclasses.field(repr=False)


def data_of(objects: Objects, kind: str, name: Name) -> Mapping[str, bytes] | None:
    """Return the data of a ConfigMap or Secret (*kind*), or None if there is none of that name."""
    content = objects.of(Secret).get(name) if kind == "Secret" else objects.of(ConfigMap).get(name)
    return content.data if content else None
