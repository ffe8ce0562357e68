"""The stand-in for a function whose settings are incomplete, while they may still come.

An installation is applied before somebody fills in its ConfigMaps and Secrets. A process that exited would leave a
revision that Knative gives up after a while, and a Trigger that stays not ready. The stand-in answers instead, and the
launcher starts again when the mounted settings change.
"""

from typing import NoReturn

from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, TemporaryError


class Unconfigured:
    """A function that answers every event 503 with what is missing, so that the Broker keeps and retries it."""

    blueprint: None = None

    def __init__(self, error: SettingsError) -> None:
        self._message = f"not configured yet: {'; '.join(error.errors)}"

    def handle(self, event: CloudEvent) -> NoReturn:
        """Raise `TemporaryError`."""
        raise TemporaryError(f"event {event['id']}: {self._message}")

    def close(self) -> None:
        """Do nothing. There is nothing to release."""
