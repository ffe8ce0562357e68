"""The deployable functions: one module or package each. None imports another.

Each has `create(environ) -> Function`, which reads its settings and raises `SettingsError` with every error. `func.py`
opens the module that `FUNCTION` names, and turns its errors into statuses.

What never belongs here: parliament, reading the environment, Kubernetes manifests, modules that are not a function.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from flask import Blueprint
from prometheus_client.registry import Collector

from pipeline.cloudevents import CloudEvent

Environ = Mapping[str, str]


class Function(Protocol):
    """A function: a plain object."""

    @property
    def blueprint(self) -> Blueprint | None:
        """Routes in addition to `POST /` (a page, an API), or None. Its endpoint `index`, if any, serves `GET /`."""

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Handle one event and return a reply event, or None.

        Called from many threads. Raises `TemporaryError` (503: the Broker retries) or `PermanentError` (400: the event
        goes to the dead-letter sink).
        """

    def close(self) -> None:
        """Finish the work under way, end open streams and release everything, within 10 s. Called once, on SIGTERM."""


@runtime_checkable
class HasMetrics(Protocol):
    """A function with metrics of its own, in addition to those of every function (`pipeline.metrics`)."""

    @property
    def metrics(self) -> Collector:
        """The collector of the metrics, which is read at each scrape."""


@runtime_checkable
class ReadsRequests(Protocol):
    """A function that reads `POST /` itself, to accept batches or to keep malformed requests."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, object]:
        """Handle the events of a request and return the fields of its log line. Raises as `handle` does."""
