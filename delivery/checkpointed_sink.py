"""The sink and the writer of its checkpoint. Both exist only while this process holds the lease."""

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from delivery.checkpoint import Checkpoint
from delivery.checkpoint_writer import CheckpointWriter, Destination, load_checkpoint, send_status_event
from delivery.in_flight import SinkClosed
from delivery.lease import LeaseHeld
from delivery.progress import Progress
from delivery.sink import Sink
from pipeline.cloudevents import CloudEvent

P = TypeVar("P")

log = structlog.get_logger()


class CheckpointedSink(Generic[P]):
    """The output of a reader. Its threads open and close it, one after the other."""

    def __init__(
        self, destination: Destination[P], progress: Progress[P], on_lease_lost: Callable[[], None] = lambda: None
    ) -> None:
        """Deliver to *destination*. Call *on_lease_lost* if another process acquires the lease."""
        self._destination = destination
        self._progress = progress
        self._on_lease_lost = on_lease_lost
        self._writer: CheckpointWriter[P] | None = None
        self.sink: Sink[P] | None = None
        """The sink while it is open, else None."""
        self.lease_lost: LeaseHeld | None = None
        """The reason if another process acquired the lease, until `open` is called."""

    @property
    def pending(self) -> int:
        """The number of events in flight."""
        sink = self.sink
        return len(sink.in_flight) if sink else 0

    @property
    def failing(self) -> str:
        """The reason why the sink does not acknowledge events at the moment. Empty while it does, or is closed."""
        sink = self.sink
        return sink.failing if sink else ""

    def open(self) -> Sink[P]:
        """Acquire the lease and return the sink. Does nothing if it is open and the lease is not lost.

        The progress then begins at the checkpoint. Raises `LeaseHeld` and `StoreUnavailable`.
        """
        if self.lease_lost is not None or (self.sink is not None and not self.sink.is_open):
            self.lease_lost = None
            self.close(0)
        if self.sink is None or self._writer is None:
            progress = self._progress
            destination = self._destination
            checkpoint = load_checkpoint(destination.store, destination.format)
            (self._resume_at_most_once if destination.at_most_once else self._resume)(checkpoint)
            progress.saved = checkpoint.position if checkpoint else None
            progress.unconfirmed.clear()
            self.sink = Sink(destination.sink, destination.at_most_once, progress.counts)
            self._writer = CheckpointWriter(destination, self.sink, progress, self._lose_lease)
        return self.sink

    def close(self, seconds: float) -> None:
        """Wait at most *seconds* for the events in flight, save the checkpoint and release the lease."""
        sink, writer = self.sink, self._writer
        self.sink = None
        if sink is not None:
            is_idle = sink.in_flight.wait_idle(seconds)
            if is_idle and writer is not None:
                writer.report_undeliverable()
            sink.close(seconds if is_idle else 0)
            self._progress.acknowledged = sink.in_flight.acknowledged or self._progress.acknowledged
            if len(sink.in_flight):
                log.warning("Events not delivered are read again at the next start", events=len(sink.in_flight))
                self._progress.unreadable.clear()  # a report may be among them
        if writer is not None:
            writer.close()
            self._writer = None
        if sink is not None:
            self._progress.undeliverable.retract(sink.in_flight.is_open)

    def check(self) -> None:
        """Raise the reason why the sink must be opened again, if there is one: `LeaseHeld` or `SinkClosed`."""
        if self.lease_lost is not None:
            raise self.lease_lost
        if self.sink is not None and not self.sink.is_open:
            raise SinkClosed("send events: the sink ended unexpectedly, see the log")

    def save(self) -> None:
        """Save the acknowledged position. Raises the errors of the store."""
        writer = self._writer
        if writer is not None:
            writer.save()

    def send_status_event(self, event: CloudEvent) -> None:
        """Send an event of the adapter's own, if the sink is open."""
        if self.sink is not None:
            send_status_event(self.sink, event)

    def _resume(self, checkpoint: Checkpoint[P] | None) -> None:
        """Continue after *checkpoint*, or after what was acknowledged since, unless somebody else saved meanwhile."""
        progress = self._progress
        position = checkpoint.position if checkpoint else None
        progress.begin = checkpoint.begin if checkpoint else None
        if self._is_own(position) and progress.acknowledged is not None:
            progress.position = progress.acknowledged
        else:
            progress.position = progress.acknowledged = position
            progress.known_at = checkpoint.saved if checkpoint else None

    def _resume_at_most_once(self, checkpoint: Checkpoint[P] | None) -> None:
        """Continue after the last event read, or start now if somebody else saved meanwhile."""
        progress = self._progress
        position = checkpoint.position if checkpoint else None
        progress.acknowledged = None
        if position is not None and not self._is_own(position):
            progress.position = progress.begin = None

    def _is_own(self, position: P | None) -> bool:
        """Return True if this process saved *position*, or nobody saved since it did."""
        return position == self._progress.saved or position in self._progress.unconfirmed

    def _lose_lease(self, error: LeaseHeld) -> None:
        self.lease_lost = error
        self._on_lease_lost()
