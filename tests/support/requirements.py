"""Programs that some tests need and that a developer's machine may lack.

Without one, its tests are skipped. Under `CI=true` they fail instead, so that nothing passes there by not running.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from demo import golang
from demo.vcsim import build as build_vcsim

HINTS = {
    "chromium": "apt-get install chromium",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}
VCSIM_WITH_ALARMS = Path(__file__).parent.parent / "vcsim"


def require(program: str) -> Path:
    """Return the path of *program* on PATH. Skips the test without it, or fails it under `CI=true`."""
    path = shutil.which(program)
    if path is None:
        give_up(f"needs {program} on PATH ({HINTS.get(program, 'install it')})")
    return Path(path)


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
