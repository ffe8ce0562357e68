"""One pass over one object: observe, decide, make it so, report."""

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.events import EventRecorder
from cluster.resources import Key, Object, Resource
from functions.controller.apply import Applier
from functions.controller.interests import Interests
from functions.controller.observation import Discovery, Observation, Responses
from functions.controller.reconciler import Failure, Outcome, Reconciler
from functions.controller.watches import Watches
from pipeline.errors import TemporaryError

log = structlog.get_logger()


class Again(TemporaryError):
    """The pass must be repeated soon. Something changed under it, or failed and was reported."""


class Passes:
    """The passes of all kinds. For any number of threads, one for each object at a time."""

    def __init__(
        self,
        client: ClusterClient,
        reconcilers: Sequence[Reconciler],
        watches: Watches,
        applier: Applier,
        recorder: EventRecorder,
        clock: Callable[[], str] | None = None,
    ) -> None:
        """*clock* returns the time as RFC 3339."""
        self.interests = Interests()
        self.discovery = Discovery(client)
        self.responses = Responses()
        self.applier = applier
        self._client = client
        self._reconcilers: Mapping[Resource, Reconciler] = {kind.resource: kind for kind in reconcilers}
        self._watches = watches
        self._recorder = recorder
        self._clock = clock or timestamp

    def run(self, key: Key) -> float | None:
        """Look at one object. Return the seconds until the next look, if nothing changes before.

        Raises `Again` if it did not succeed.
        """
        parent = self._watches.get(*key)
        if parent is None:
            self.interests.replace(key, ())
            return None
        started = time.monotonic()
        reconciler = self._reconcilers[key.resource]
        observation = Observation(key, self._client, self._watches, self.interests, self.discovery, self.responses)
        try:
            outcome = reconciler.sync(parent, reconciler.observe(parent, observation))
        except ClusterError as error:
            self._report_failure(reconciler, parent, error)
            raise Again(str(error)) from error
        finally:
            self.interests.replace(key, observation.interests)
        seconds = self._carry_out(reconciler, parent, outcome)
        log.debug("Pass", about=str(key), ms=round((time.monotonic() - started) * 1000))
        return seconds

    def _carry_out(self, reconciler: Reconciler, parent: Object, outcome: Outcome) -> float | None:
        try:
            failures = self.applier.apply(reconciler, parent, outcome)
        except ClusterError as error:  # of a finalizer
            raise Again(str(error)) from error
        if any(failure.error.is_conflict or failure.error.reason == "NotLeading" for failure in failures):
            raise Again(str(failures[0].error))
        if failures:
            outcome = reconciler.conclude(parent, outcome, failures)
        self._write_status(reconciler, parent, lambda status: self._status(reconciler, parent, outcome, status))
        for report in outcome.reports:
            self._recorder.record(parent, report.type, report.reason, report.message)
        if failures:
            self._record_failures(parent, failures)
            raise Again(str(failures[0].error))
        return outcome.look_again_seconds

    def _record_failures(self, parent: Object, failures: Sequence[Failure]) -> None:
        for failure in failures:
            log.warning("Pass failed", about=parent["metadata"]["name"], reason=str(failure.error))
            self._recorder.record(parent, "Warning", "InternalError", str(failure.error))

    def _report_failure(self, reconciler: Reconciler, parent: Object, error: ClusterError) -> None:
        """Report that nothing could be observed. The conditions stay, unless they are of an older generation."""
        log.warning("Pass failed", about=parent["metadata"]["name"], reason=str(error))
        generation = parent["metadata"].get("generation")

        def status_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
            if status.get("observedGeneration") == generation:
                return status
            conditions = reconciler.condition_set.of_new_generation(status.get("conditions") or (), self._clock())
            return {**status, "conditions": conditions}

        if not error.status:  # nor can anything be written
            return
        self._write_status(reconciler, parent, status_of)
        self._recorder.record(parent, "Warning", "InternalError", str(error))

    def _status(
        self, reconciler: Reconciler, parent: Object, outcome: Outcome, status: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        conditions = reconciler.condition_set.settle(status.get("conditions") or (), outcome.conditions, self._clock())
        after = {**status, **outcome.status, "conditions": conditions}
        if outcome.complete:
            after["observedGeneration"] = parent["metadata"].get("generation")
        return {name: value for name, value in after.items() if value is not None}

    def _write_status(
        self, reconciler: Reconciler, parent: Object, status_of: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> None:
        try:
            self.applier.write_status(reconciler.resource, parent, status_of)
        except ClusterError as error:
            message = f'Failed to update status for "{parent["metadata"]["name"]}": {error}'
            self._recorder.record(parent, "Warning", "UpdateFailed", message)
            raise Again(message) from error


def timestamp() -> str:
    """Return the time in UTC, `2026-01-02T03:04:05Z`."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
