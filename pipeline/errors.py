"""The program's errors: one base class and two families.

Retrying can solve a temporary error (HTTP 503: Knative retries). Retrying cannot solve a permanent error (HTTP 400: the
event goes to the dead-letter sink). Only `func.py` turns errors into statuses. A message says what was attempted, what
came back and what to do. It never contains a credential, and foreign text in it is cut.
"""

from collections.abc import Sequence

from pipeline import bounds


class VCenterEventsError(Exception):
    """The base of every error that this program raises on purpose."""


class TemporaryError(VCenterEventsError):
    """A retry may succeed: a server is unreachable, busy or restarting."""


class PermanentError(VCenterEventsError):
    """No retry can succeed until a person changes something."""


class ObjectNotFound(PermanentError):
    """The object that an event is about does not exist in vCenter anymore."""


class SettingsError(PermanentError):
    """The settings are invalid. *errors* has one sentence for each invalid setting."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("invalid settings:\n" + "\n".join(f"  - {error}" for error in self.errors))


def cut(text: str, limit: int = bounds.QUOTE_CHARACTERS) -> str:
    """Return *text* on one line of at most *limit* characters, to quote a foreign server."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
