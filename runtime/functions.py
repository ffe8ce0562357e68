"""The functions by name. Only the chosen one is imported."""

import importlib
import pkgutil

import functions
from functions import Function
from pipeline.errors import SettingsError
from pipeline.settings import Environ

FUNCTIONS = tuple(module.name for module in pkgutil.iter_modules(functions.__path__))
"""The names that `FUNCTION` may have, in alphabetical order: the modules in `functions/`. None of them is imported."""


def open_function(name: str, environ: Environ) -> Function:
    """Return the function *name* with its settings from *environ*. Only its module is imported.

    Raises `SettingsError` with the list of names if there is no such function, or with every error of its settings.
    """
    if name not in FUNCTIONS:
        raise SettingsError([f"FUNCTION is {name!r}, not one of {', '.join(FUNCTIONS)}; for example FUNCTION=display"])
    function: Function = importlib.import_module(f"functions.{name}").create(environ)
    return function
