"""controller: makes VSphereSource, VSphereBinding and HorizonSource work, from what they say and what is there.

`reconciler.py` describes a kind, `vspheresource.py` and its siblings implement one each, and `settings.py` has the
settings. A reconciler looks at the whole state each time. It does not matter which event made it look, or how many were
missed.
"""

from flask import Blueprint

from functions.controller.settings import ControllerSettings
from pipeline import settings
from pipeline.cloudevents import CloudEvent
from pipeline.settings import Environ


class Controller:
    """The function."""

    def __init__(self) -> None:
        self.blueprint: Blueprint | None = None

    def handle(self, event: CloudEvent) -> None:
        """Look at every object again."""

    def close(self) -> None:
        """Release everything."""


def create(environ: Environ) -> Controller:
    """Return the controller that *environ* configures. Raises `SettingsError` with every error."""
    settings.read(ControllerSettings, environ)
    return Controller()
