"""A Service's environment and files: what its ConfigMaps, Secrets and volumes become on one machine.

A mounted volume becomes a folder under the state folder, and an environment variable that points at the mount points at
that folder instead; one that holds a Service's address in the cluster gets its local one. `CHECKPOINT=configmap:NAME`
becomes a file that holds the text of that ConfigMap's `checkpoint`.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from local.objects import Import, Manifests, Mount, Name, Service, Variable

CHECKPOINT = re.compile(r"configmap:([a-z0-9][a-z0-9.-]*)", re.ASCII)
TEMPORARY = "/tmp"  # noqa: S108 - a container's own; a volume mounted there becomes TMPDIR

_INHERITED = ("HOME", "LANG", "TMPDIR")


def variables(service: Service, manifests: Manifests) -> dict[str, str]:
    """What *service*'s manifest sets, as the container would see it; later wins over earlier, `env` over `envFrom`."""
    found: dict[str, str] = {}
    for imported in service.imports:
        found.update(_imported(imported, manifests))
    for variable in service.variables:
        value = _value(variable, manifests)
        if value is not None:
            found[variable.name] = value
    return found


def cluster_addresses(urls: Mapping[Name, str]) -> dict[str, str]:
    """What Services are called in a cluster → their local *urls*."""
    return {
        f"http://{service.name}.{service.namespace}.svc{domain}": url
        for service, url in urls.items()
        for domain in ("", ".cluster.local")
    }


def environment(
    service: Service,
    manifests: Manifests,
    state: Path,
    environ: Mapping[str, str],
    added: Mapping[str, str],
    addresses: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The whole environment of *service*'s process, its volumes and checkpoint written to files under *state*.

    *environ* is the engine's own, of which the process gets little; *added* is what Knative sets, and wins; *addresses*
    are those of the cluster → the local ones.
    """
    folders = {mount.folder: str(_write_volume(mount, service, manifests, state)) for mount in service.mounts}
    moves = {**folders, **addresses}
    found = {name: _moved(value, moves) for name, value in variables(service, manifests).items()}
    checkpoint = CHECKPOINT.fullmatch(found.get("CHECKPOINT", ""))
    if checkpoint:
        found["CHECKPOINT"] = f"file:{_write_checkpoint(checkpoint[1], service, manifests, state)}"
    return {**_inherited(environ, folders), **found, **added}


def _inherited(environ: Mapping[str, str], folders: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: environ[name] for name in _INHERITED if name in environ}
    if TEMPORARY in folders:
        inherited["TMPDIR"] = folders[TEMPORARY]
    # The engine's own Python comes first, so that `python` in the Procfile is the one with everything installed.
    path = f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}"
    return {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1"}


def is_within(path: str, folder: str) -> bool:
    """Whether *path* is *folder* or below it."""
    return path == folder or path.startswith(folder + "/")


def _imported(imported: Import, manifests: Manifests) -> dict[str, str]:
    data = manifests.data(imported.kind, imported.name) or {}
    return {imported.prefix + key: _text(value) for key, value in data.items()}


def _value(variable: Variable, manifests: Manifests) -> str | None:
    if isinstance(variable.value, str):
        return variable.value
    data = manifests.data(variable.value.kind, variable.value.name) or {}
    return _text(data[variable.value.key]) if variable.value.key in data else None


def _text(value: bytes) -> str:
    # The process gets the very bytes back, whatever they are.
    return value.decode(errors="surrogateescape")


def _moved(value: str, moves: Mapping[str, str]) -> str:
    """*value*, with the mount or address that it begins with replaced by the local one; of two, the longer counts."""
    before = max((each for each in moves if is_within(value, each)), key=len, default="")
    return f"{moves[before]}{value[len(before) :]}" if before else value


def _write_volume(mount: Mount, service: Service, manifests: Manifests, state: Path) -> Path:
    folder = state / "volumes" / service.name.namespace / service.name.name / mount.volume
    if folder.exists():
        shutil.rmtree(folder)
    _make_folder(folder, state)
    data = manifests.data(mount.kind, mount.name) if mount.name else None
    for key, value in (data or {}).items():
        _write_private(folder / key, value)
    return folder


def _write_checkpoint(name: str, service: Service, manifests: Manifests, state: Path) -> Path:
    """The file that stands for a checkpoint's ConfigMap; a record of an earlier run is kept."""
    path = state / "configmaps" / service.name.namespace / f"{name}.json"
    _make_folder(path.parent, state)
    data = manifests.data("ConfigMap", service.name._replace(name=name)) or {}
    if not path.exists() and data.get("checkpoint"):
        _write_private(path, data["checkpoint"])
    return path


def _make_folder(folder: Path, state: Path) -> None:
    """Make *folder* and those above it, up to *state*, for this user only."""
    for each in reversed([folder, *folder.parents]):
        if each.is_relative_to(state):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
