"""The environment and files of a Knative Service: its ConfigMaps, Secrets and volumes on one machine.

- A mounted volume becomes a folder below the state folder. An environment variable with the path of the mount gets the
  path of that folder.
- A variable with the address of a Service in the cluster gets the local address.
- `CHECKPOINT=configmap:NAME` becomes a file with the text of that ConfigMap's `checkpoint`.
"""

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from local.config import data_of
from local.objects import Name, Object, Objects

CHECKPOINT = re.compile(r"configmap:([a-z0-9][a-z0-9.-]*)", re.ASCII)
TEMPORARY = "/tmp"  # noqa: S108 - a container's own; a volume mounted there becomes TMPDIR

_INHERITED = ("HOME", "LANG", "TMPDIR")


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
    """All keys of a ConfigMap or Secret as environment variables."""

    path: str
    kind: str
    name: Name
    prefix: str
    optional: bool


@dataclasses.dataclass(frozen=True)
class Mount:
    """A folder in the container: the keys of a ConfigMap or Secret as files, or empty (*kind* "")."""

    path: str
    folder: str
    volume: str
    kind: str
    name: Name | None
    optional: bool
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Key → file, if only some keys are mounted."""


@dataclasses.dataclass(frozen=True)
class Service(Object):
    """A Knative Service of the project's own image, or the adapter of a source."""

    variables: tuple[Variable, ...]
    imports: tuple[Import, ...]
    mounts: tuple[Mount, ...]
    readiness_path: str


def variables(service: Service, objects: Objects) -> dict[str, str]:
    """Return the variables that the manifest sets, as the container sees them.

    A later one wins over an earlier one, and `env` over `envFrom`.
    """
    values: dict[str, str] = {}
    for imported in service.imports:
        values.update(_imported(imported, objects))
    for variable in service.variables:
        value = _value(variable, objects)
        if value is not None:
            values[variable.name] = value
    return values


def cluster_addresses(urls: Mapping[Name, str]) -> dict[str, str]:
    """Return address in the cluster → local address, of the Services with these local *urls*."""
    return {
        f"http://{service.name}.{service.namespace}.svc{domain}": url
        for service, url in urls.items()
        for domain in ("", ".cluster.local")
    }


def environment(
    service: Service,
    objects: Objects,
    state: Path,
    environ: Mapping[str, str],
    added: Mapping[str, str],
    addresses: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Return the whole environment of *service*'s process, and write its volumes and checkpoint below *state*.

    - *environ* is the environment of the engine. The process gets little of it.
    - *added* holds the variables that Knative sets. They win.
    - *addresses* maps addresses in the cluster to local ones.
    """
    folders = {mount.folder: str(_write_volume(mount, service, objects, state)) for mount in service.mounts}
    moves = {**folders, **addresses}
    values = {name: _moved(value, moves) for name, value in variables(service, objects).items()}
    checkpoint = CHECKPOINT.fullmatch(values.get("CHECKPOINT", ""))
    if checkpoint:
        values["CHECKPOINT"] = f"file:{_write_checkpoint(checkpoint[1], service, objects, state)}"
    return {**_inherited(environ, folders), **values, **added}


def _inherited(environ: Mapping[str, str], folders: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: environ[name] for name in _INHERITED if name in environ}
    if TEMPORARY in folders:
        inherited["TMPDIR"] = folders[TEMPORARY]
    # The engine's own Python comes first, so that `python` in the Procfile is the one with everything installed.
    path = f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}"
    return {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1"}


def listed_paths(value: str) -> list[str]:
    """Return the absolute paths that *value* lists, separated by colons, or *value* alone."""
    paths = value.split(":")
    return paths if all(path.startswith("/") for path in paths) else [value]


def is_within(path: str, folder: str) -> bool:
    """Return whether *path* is *folder* or below it."""
    return path == folder or path.startswith(folder + "/")


def _imported(imported: Import, objects: Objects) -> dict[str, str]:
    data = data_of(objects, imported.kind, imported.name) or {}
    return {imported.prefix + key: _text(value) for key, value in data.items()}


def _value(variable: Variable, objects: Objects) -> str | None:
    if isinstance(variable.value, str):
        return variable.value
    data = data_of(objects, variable.value.kind, variable.value.name) or {}
    return _text(data[variable.value.key]) if variable.value.key in data else None


def _text(value: bytes) -> str:
    # The process gets the very bytes back, whatever they are.
    return value.decode(errors="surrogateescape")


def _moved(value: str, moves: Mapping[str, str]) -> str:
    """Return *value* with the mount or address at its start, the longest that matches, replaced by the local one.

    If it is a list of paths, separated by colons, each of them is replaced.
    """
    paths = listed_paths(value)
    if len(paths) > 1:
        return ":".join(_moved(path, moves) for path in paths)
    before = max((prefix for prefix in moves if is_within(value, prefix)), key=len, default="")
    return f"{moves[before]}{value[len(before) :]}" if before else value


def _write_volume(mount: Mount, service: Service, objects: Objects, state: Path) -> Path:
    folder = state / "volumes" / service.name.namespace / service.name.name / mount.volume
    if folder.exists():
        shutil.rmtree(folder)
    _make_folder(folder, state)
    data = data_of(objects, mount.kind, mount.name) if mount.name else None
    for key, value in (data or {}).items():
        if not mount.files or key in mount.files:
            _write_private(folder / mount.files.get(key, key), value)
    return folder


def _write_checkpoint(name: str, service: Service, objects: Objects, state: Path) -> Path:
    """Return the file in place of a checkpoint's ConfigMap. The record of an earlier run is kept."""
    path = state / "configmaps" / service.name.namespace / f"{name}.json"
    _make_folder(path.parent, state)
    data = data_of(objects, "ConfigMap", service.name._replace(name=name)) or {}
    if not path.exists() and data.get("checkpoint"):
        _write_private(path, data["checkpoint"])
    return path


def _make_folder(folder: Path, state: Path) -> None:
    """Create *folder* and its parents up to *state*, for this user only."""
    for parent in reversed([folder, *folder.parents]):
        if parent.is_relative_to(state):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
