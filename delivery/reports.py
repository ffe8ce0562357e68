"""A reader's reports about its server: status events, each of an occurrence once."""

import time
from typing import Generic, TypeVar

import structlog

from delivery.checkpointed_sink import CheckpointedSink
from delivery.progress import Progress, now
from pipeline.status_events import StatusEvents

P = TypeVar("P")

log = structlog.get_logger()


class Reports(Generic[P]):
    """Sends status events through the output of a reader. For the reader's thread."""

    def __init__(
        self,
        events: StatusEvents,
        output: CheckpointedSink[P],
        progress: Progress[P],
        heartbeat_seconds: float = 0,
    ) -> None:
        """*heartbeat_seconds* is the interval of heartbeats, 0 for none."""
        self._events = events
        self._output = output
        self._progress = progress
        self._heartbeat_seconds = heartbeat_seconds
        self._next_heartbeat = 0.0  # on the monotonic clock

    def heartbeat(self) -> None:
        """Report that the reader runs, if that is due. Not while the sink fails: the reports would queue up."""
        moment = time.monotonic()
        if self._heartbeat_seconds and moment >= self._next_heartbeat and not self._output.failing:
            self._next_heartbeat = moment + self._heartbeat_seconds
            self._output.send_status_event(self._events.heartbeat(self._heartbeat_seconds, now()))

    def unreachable(self, reason: str) -> None:
        """Count a failed attempt to read. Report the outage once, if the first retry failed, too."""
        outage = self._progress.outage
        if outage.fail(now(), can_report=self._output.sink is not None) and outage.since is not None:
            self._output.send_status_event(self._events.unreachable(outage.since, reason))

    def recovered(self) -> None:
        """End the outage, and report that if the outage was reported."""
        since = self._progress.outage.end()
        if since is not None:
            self._output.send_status_event(self._events.recovered(since, now()))

    def gap(self, first: int, last: int) -> None:
        """Report that the server no longer holds the events *first* to *last* (inclusive), never read."""
        self._output.send_status_event(self._events.gap(first, last, now()))

    def unreadable(self, text: str, reason: str) -> None:
        """Report what cannot be read as an event, by its *text*, unless that was reported already."""
        report = self._events.unreadable(None, text, reason, now())
        if self._progress.unreadable.add(report["id"]):
            log.error("Event cannot be read: %s", reason, text=text)
            self._output.send_status_event(report)
