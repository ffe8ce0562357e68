"""Modules that are imported at their first use, so that a process answers sooner.

A function that starts from zero has an event waiting. `load` imports the rest once the process listens, while Knative
probes it. What belongs here: the tool. What never does: the name of a module, which stands where the module is used.
"""

import importlib
from typing import Any

_modules: list["LazyModule"] = []


class LazyModule:
    """A module that is imported when the first of its names is used. Raises `ImportError` then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


def module(name: str) -> Any:
    """Return a stand-in for the module *name*. Beside it, import the module under `TYPE_CHECKING`."""
    _modules.append(lazy := LazyModule(name))
    return lazy


def load() -> None:
    """Import every module that has a stand-in."""
    for lazy in _modules:
        importlib.import_module(lazy._name)
