"""The deployable functions: one module or package each. No function imports another.

A module `functions/NAME.py` or package `functions/NAME` has `create(environ) -> Function`, which reads the settings and
raises `SettingsError` with every error. Settings are beside the code, in the module or in `functions/NAME/settings.py`.
The runtime finds the functions by these files, opens the one that `FUNCTION` names, and turns its errors into statuses.

parliament, the environment, Kubernetes manifests and modules that are not a function never belong here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pipeline.asgi import ASGIApplication
from pipeline.cloudevents import CloudEvent

if TYPE_CHECKING:  # importing Flask takes a tenth of a second, which a function without routes need not pay
    from flask import Blueprint
    from prometheus_client.registry import Collector


class Deployable(Protocol):
    """The part that all functions have in common. A function is a plain object."""

    @property
    def blueprint(self) -> "Blueprint | None":
        """Routes in addition to `POST /` (a page, an API), or None. They run in threads."""

    def close(self) -> None:
        """Finish the work under way, end open streams and release everything, within 10 s. Called once, on SIGTERM."""


@runtime_checkable
class HandlesEvents(Deployable, Protocol):
    """A function that handles one event of each request."""

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Handle one event and return a reply event, or None.

        Called from many threads. Raises `TemporaryError` (503: the Broker retries) or `PermanentError` (400: the event
        goes to the dead-letter sink).
        """


@runtime_checkable
class ReadsRequests(Deployable, Protocol):
    """A function that reads `POST /` itself, to accept batches or to keep malformed requests."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, object]:
        """Handle the events of a request and return the fields of its log line. Raises as `handle` does."""


Function = HandlesEvents | ReadsRequests


@runtime_checkable
class HasMetrics(Protocol):
    """A function with metrics of its own, in addition to those of every function (`pipeline.metrics`)."""

    @property
    def metrics(self) -> "Collector":
        """The collector of the metrics, which is read at each scrape."""


@runtime_checkable
class HasReadiness(Protocol):
    """A function that may be open and yet unable to work. Others are ready once they are open."""

    @property
    def unready(self) -> str:
        """The reason why the function was never able to work so far, in one line. Empty once it was, from then on."""


@runtime_checkable
class HasStreams(Protocol):
    """A function that serves streams of server-sent events."""

    streams: Mapping[str, ASGIApplication]
    """Path → the application that answers `GET` of it, on the event loop, for as long as a viewer stays."""
