"""Programs that some tests need and that a developer's machine may lack.

Without one, its tests are skipped. Under `CI=true` they fail instead, so that nothing passes there by not running.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from demo import golang
from demo.vcsim import build as build_vcsim

HINTS = {
    "chromium": "apt-get install chromium",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}
KUBERNETES_CACHE = {"etcd": ("etcd-*", "server")}
"""Programs that the test cluster's cache does not keep as `kubernetes-*/NAME`: the folder and the name there."""
VCSIM_WITH_ALARMS = Path(__file__).parent.parent / "vcsim"


def require(program: str) -> Path:
    """Return the path of *program* on PATH. Skips the test without it, or fails it under `CI=true`."""
    path = shutil.which(program)
    if path is None:
        give_up(f"needs {program} on PATH ({HINTS.get(program, 'install it')})")
    return Path(path)


def require_kubernetes(program: str) -> Path:
    """Return the path of etcd or of a program of Kubernetes. Skips the test without it, or fails it under `CI=true`.

    The search goes through the folder KUBEBUILDER_ASSETS (as envtest does), the test cluster's cache (CLUSTER_HOME),
    and PATH.
    """
    usable = (path for path in _kubernetes(program, os.environ) if path.is_file() and os.access(path, os.X_OK))
    path = next(usable, None)
    if path is None:
        give_up(f"needs {program}: in KUBEBUILDER_ASSETS, in the test cluster's cache (CLUSTER_HOME) or on PATH")
    return path


def _kubernetes(program: str, environ: Mapping[str, str]) -> Iterator[Path]:
    if assets := environ.get("KUBEBUILDER_ASSETS"):
        yield Path(assets) / program
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "knative-cluster"
    pattern, file = KUBERNETES_CACHE.get(program, ("kubernetes-*", program))
    folders = Path(environ.get("CLUSTER_HOME") or cache, "bin").glob(pattern)
    yield from (folder / file for folder in sorted(folders, reverse=True))
    if on_path := shutil.which(program):
        yield Path(on_path)


def require_vcsim() -> Path:
    """Return the path of vcsim, which is built if it can be. Skips or fails the test otherwise."""
    try:
        return build_vcsim()
    except golang.NotBuilt as error:
        give_up(str(error))


def require_built(module: Path) -> Path:
    """Return the path of the program that the Go module in the folder *module* builds. Skips or fails the test."""
    try:
        return golang.build(module)
    except golang.NotBuilt as error:
        give_up(str(error))


def require_variable(name: str, example: str) -> str:
    """Return the environment variable *name*. Skips or fails the test without it."""
    value = os.environ.get(name, "")
    if not value:
        give_up(f"needs {name}, for example {name}={example}")
    return value


def give_up(reason: str) -> NoReturn:
    """Skip the test for *reason*, or fail it under `CI=true`."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"CI must have it: {reason}", pytrace=False)
    pytest.skip(reason)
