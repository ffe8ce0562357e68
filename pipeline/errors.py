"""The program's errors: one base, two families.

A temporary error is worth trying again (HTTP 503: Knative retries it); a permanent one is not (HTTP 400: it goes to
the dead-letter sink). `func.py` alone turns them into statuses. A message says what was tried, with what, what came
back and what to do; it never holds a credential, and a foreign body in it is cut.
"""

from collections.abc import Sequence


class VCenterEventsError(Exception):
    """Base of every error this program raises on purpose."""


class TemporaryError(VCenterEventsError):
    """Trying again later may succeed: a server is unreachable, busy or restarting."""


class PermanentError(VCenterEventsError):
    """Trying again cannot succeed until a person changes something."""


class SettingsError(PermanentError):
    """The settings are unusable. *faults* holds one sentence for each, all of them at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("settings are not usable:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


def cut(text: str, limit: int = 300) -> str:
    """*text*, at most *limit* characters, on one line; for quoting what a foreign server answered."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
