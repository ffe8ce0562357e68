"""The deployable functions: one module or package each, none imports a sibling.

A module `functions/NAME.py` has `create(environ) -> Function`, which reads its settings (`pipeline.settings`) and
raises `SettingsError` with every fault at once. `func.py` opens the one that `FUNCTION` names and turns its errors into
statuses.
What never belongs here: parliament, reading the environment, Kubernetes manifests.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pipeline.asgi import ASGIApplication
from pipeline.cloudevents import CloudEvent

if TYPE_CHECKING:  # importing Flask takes a tenth of a second, which a function without routes need not pay
    from flask import Blueprint

Environ = Mapping[str, str]


class Function(Protocol):
    """What every function is: a plain object."""

    @property
    def blueprint(self) -> "Blueprint | None":
        """Routes in addition to `POST /` (a page, an API), or None. They run in threads."""

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Handle one event; return a reply event, or None for none.

        Called from many threads.
        Raises `TemporaryError` (503, so that the Broker retries) or `PermanentError` (400, to the dead-letter sink).
        """

    def close(self) -> None:
        """Finish what is under way and release everything, within 10 s; end open streams. Called once, on SIGTERM."""


@runtime_checkable
class ReadsRequests(Protocol):
    """A function that reads `POST /` itself: it takes several events a request, or keeps what it refuses."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, object]:
        """Take what a request brought, in place of `handle`, and as it: no reply. Returns what to log of it."""


@runtime_checkable
class HasStreams(Protocol):
    """A function that serves streams of server-sent events."""

    streams: Mapping[str, ASGIApplication]
    """Path → the application that answers `GET` of it, on the event loop, for as long as a viewer stays."""
