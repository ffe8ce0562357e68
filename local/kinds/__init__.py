"""The Kubernetes kinds that local knows: one module for each, or for two that belong together.

A module here defines `KINDS`, a tuple of `local.run.Kind`, and is found by being here. What never belongs here: the
machinery that several kinds share (`local.broker`, `local.ping`, `local.environment`).
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from local.run import Kind


def _all_kinds() -> Iterator[Kind[Any]]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        yield from importlib.import_module(f"{__name__}.{module.name}").KINDS


KINDS: Mapping[tuple[str, str], Kind[Any]] = {(kind.api_version, kind.name): kind for kind in _all_kinds()}
"""By apiVersion and kind."""
