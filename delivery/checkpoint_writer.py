"""The checkpoint writer: saves the acknowledged position and renews the lease, in a thread of its own."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from delivery.checkpoint import Checkpoint, CheckpointFormat, CheckpointUnreadable
from delivery.dispatcher import Delivery
from delivery.in_flight import SinkClosed
from delivery.lease import LEASE_SECONDS, LeaseHeld
from delivery.progress import Progress, now
from delivery.settings import CheckpointSettings, SinkSettings
from delivery.sink import Sink
from delivery.stores import Store
from pipeline.cloudevents import CloudEvent
from pipeline.errors import VCenterEventsError, cut
from pipeline.status_events import StatusEvents

log = structlog.get_logger()

P = TypeVar("P")

RETRY_SECONDS = 1.0
"""Delay after the store could not be written."""


@dataclasses.dataclass(frozen=True)
class Destination(Generic[P]):
    """Where a history goes, and how its position is kept."""

    sink: SinkSettings
    checkpoint: CheckpointSettings
    store: Store
    """The store of `checkpoint`."""
    format: CheckpointFormat[P]
    status_events: StatusEvents
    at_most_once: bool = False
    """True if an event is attempted once, and what happened before the process started is not sent."""


class CheckpointWriter(Generic[P]):
    """Saves what one sink acknowledges, for as long as it holds the lease."""

    def __init__(
        self,
        destination: Destination[P],
        sink: Sink[P],
        progress: Progress[P],
        on_lease_lost: Callable[[LeaseHeld], None],
    ) -> None:
        """Save what *sink*, that of *destination*, acknowledges.

        Call *on_lease_lost*, once, if another process holds the lease.
        """
        self._destination = destination
        self._store = destination.store
        self._sink = sink
        self._progress = progress
        self._on_lease_lost = on_lease_lost
        self._access = threading.Lock()
        self._reporting = threading.Lock()
        self._done = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="checkpoint writer", daemon=True)
        self._thread.start()

    def save(self) -> None:
        """Save the acknowledged position if it changed. Raises the errors of the store."""
        with self._access:
            position = self._sink.in_flight.acknowledged or self._progress.acknowledged
            if position is None or position == self._progress.saved:
                return
            self._progress.unconfirmed.append(position)
            self._store.save(self._destination.format.encode(position, now()))
            self._progress.saved = position
            self._progress.unconfirmed.clear()
            self._renewed = time.monotonic()

    def report_undeliverable(self) -> None:
        """Send a report of the events that did not reach the sink, if one is due.

        It does not wait for room in the sink: meanwhile nobody would renew the lease.
        """
        with self._reporting:
            moment, rejection = time.monotonic(), self._progress.counts.last_rejection
            count = self._progress.undeliverable.due(moment)
            if count and rejection:
                report = self._destination.status_events.undeliverable(
                    count, rejection.id, rejection.type, rejection.reason, now()
                )
                for number in send_status_event(self._sink, report, waits=False):
                    self._progress.undeliverable.confirm(count, moment, number)

    def close(self) -> None:
        """Save for the last time and release the lease."""
        self._done.set()
        self._thread.join()
        for step in (self.save, self._store.release):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - the process ends all the same, and the lease expires
                self._report(error)

    def _run(self) -> None:
        pause = min(self._destination.checkpoint.period_seconds, self._store.min_save_seconds)
        self.report_undeliverable()  # of an earlier sink
        while not self._done.is_set():
            self._sink.in_flight.wait_beyond(self._progress.saved, LEASE_SECONDS / 5)
            try:
                self.save()
                self._renew()
                self.report_undeliverable()
            except LeaseHeld as error:
                self._stop_sending(error)
                return
            except Exception as error:  # noqa: BLE001 - whatever a store raises is a failed attempt to save
                self._report(error)
                if not self._store.keeps_lease and time.monotonic() - self._renewed > LEASE_SECONDS:
                    self._stop_sending(
                        LeaseHeld(f"the lease could not be renewed within {LEASE_SECONDS:.0f} s: {error}")
                    )
                    return
                self._done.wait(RETRY_SECONDS)
            self._done.wait(pause)

    def _report(self, error: Exception) -> None:
        if isinstance(error, VCenterEventsError):
            log.warning("Checkpoint not saved, retrying: %s", error)
        else:
            log.error("Checkpoint not saved, retrying", exc_info=error)
            self._progress.counts.errors += 1

    def _renew(self) -> None:
        if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
            with self._access:
                self._store.acquire()
                self._renewed = time.monotonic()

    def _stop_sending(self, error: LeaseHeld) -> None:
        log.error("Lease lost, sending stops: %s", error)
        self._sink.close(0)
        self._on_lease_lost(error)


def load_checkpoint(store: Store, format_: CheckpointFormat[P]) -> Checkpoint[P] | None:
    """Acquire the lease and return the saved checkpoint, or None if there is none.

    A record that is unreadable or of another server is set aside. Raises the errors of the store.
    """
    store.acquire()
    record = store.load()
    if record is None:
        return None
    try:
        checkpoint = format_.decode(record)
        if checkpoint.server not in ("", format_.server):
            raise CheckpointUnreadable(f"the checkpoint is of {checkpoint.server}, not of {format_.server}")
    except CheckpointUnreadable as error:
        log.error("Checkpoint not usable, starting without one: %s", error, kept=store.set_aside(record))
        return None
    log.info("Checkpoint loaded", record=cut(record))
    return checkpoint


def send_status_event(sink: Sink[P], event: CloudEvent, *, waits: bool = True) -> list[int]:
    """Send an event of the adapter's own, which does not move the position. If it *waits*, that is once there is room.

    Returns its sequence number, or nothing if the sink is closed.
    """
    try:
        return sink.send([Delivery(event, event["type"], None)], waits=waits)
    except SinkClosed:
        return []
