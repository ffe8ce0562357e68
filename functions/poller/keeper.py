"""The keeper: saves the acknowledged position soon after it moves, and holds the claim, in a thread of its own."""

import contextlib
import threading
import time
from collections.abc import Callable

import structlog

from functions.poller.checkpoint import (
    CLAIM_SECONDS,
    Checkpoint,
    CheckpointUnreadable,
    ClaimHeld,
    decode,
    encode,
    vcenter_name,
)
from functions.poller.parts import Parts, now
from functions.poller.sink import Counts, Delivery, Sink, SinkClosed
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from pipeline.errors import VCenterEventsError
from vsphere.event import Position

log = structlog.get_logger()

RETRY_SECONDS = 1.0
"""Wait after the store could not be written."""
NOTICE_SECONDS = 60.0
"""Refused events are told of at most so often, with their number: a notice an event would be a second flood."""


class Keeper:
    """Keeps the checkpoint of what one sink acknowledges, for as long as it holds the claim."""

    def __init__(self, parts: Parts, sink: Sink[Position], lost: Callable[[ClaimHeld], None]) -> None:
        """Keep what *sink* acknowledges; *lost* is called, once, if another poller took the claim."""
        self._parts = parts
        self._sink = sink
        self._lost = lost
        self._access = threading.Lock()
        self._done = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def save(self) -> None:
        """Save the acknowledged position, if it moved. Raises what the store raises."""
        with self._access:
            position = self._sink.acknowledged
            if position is None or position == self._parts.saved:
                return
            record = Checkpoint(vcenter_name(self._parts.settings.vcenter.url), position)
            self._parts.store.save(encode(record, now()))
            self._parts.saved = position
            self._renewed = time.monotonic()

    def close(self) -> None:
        """Save for the last time and give the claim up."""
        self._done.set()
        self._thread.join()
        try:
            self.save()
            self._parts.store.release()
        except VCenterEventsError as error:
            log.error("position not saved", error=str(error))

    def _keep(self) -> None:
        pause = min(self._parts.settings.checkpoint_period_seconds, self._parts.store.pause_seconds)
        refusals = Refusals(self._parts.counts)
        while not self._done.is_set():
            self._sink.wait_beyond(self._parts.saved, CLAIM_SECONDS / 5)
            try:
                self.save()
                self._renew()
            except ClaimHeld as error:
                self._lose(error)
                return
            except VCenterEventsError as error:
                log.warning("position not saved, trying on", error=str(error))
                if time.monotonic() - self._renewed > CLAIM_SECONDS:
                    self._lose(ClaimHeld(f"the claim could not be renewed for {CLAIM_SECONDS:.0f} s: {error}"))
                    return
                self._done.wait(RETRY_SECONDS)
            refusals.tell(self._parts.settings.vcenter.sdk_url, self._sink)
            self._done.wait(pause)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed > CLAIM_SECONDS / 3:
            with self._access:
                self._parts.store.claim()
                self._renewed = time.monotonic()

    def _lose(self, error: ClaimHeld) -> None:
        log.error("claim lost, this poller stops sending", error=str(error))
        self._sink.close(0)
        self._lost(error)


def claimed_position(parts: Parts) -> Position | None:
    """Take the claim; the saved position, or None, and the record set aside, if it is not one of this vCenter.

    Raises what the store raises.
    """
    store = parts.store
    store.claim()
    record = store.load()
    if record is None:
        return None
    name = vcenter_name(parts.settings.vcenter.url)
    try:
        checkpoint = decode(record)
        if checkpoint.vcenter not in ("", name):
            raise CheckpointUnreadable(f"the checkpoint is of {checkpoint.vcenter}, not of {name}")
    except CheckpointUnreadable as error:
        where = store.set_aside(record)
        log.error("checkpoint not usable, starting from the replay window", error=str(error), kept=where)
        return None
    log.info("checkpoint continued", key=checkpoint.position.key, time=checkpoint.position.created_time)
    return checkpoint.position


class Refusals:
    """Tells of refused events: at the first one, then at most every `NOTICE_SECONDS`."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._told = counts.undelivered
        self._told_at = -NOTICE_SECONDS

    def tell(self, source: str, sink: Sink[Position]) -> None:
        """Send a notice through *sink* if there is something to tell, and it is not too soon."""
        number, refusal = self._counts.undelivered - self._told, sink.last_refusal
        if number and refusal and time.monotonic() - self._told_at >= NOTICE_SECONDS:
            self._told, self._told_at = self._counts.undelivered, time.monotonic()
            send_notice(
                sink, status_events.undeliverable(source, number, refusal.id, refusal.type, refusal.reason, now())
            )


def send_notice(sink: Sink[Position], event: CloudEvent) -> None:
    """Send what the poller itself has to say; it moves the position nowhere."""
    with contextlib.suppress(SinkClosed):
        sink.send([Delivery(event, event["type"], None)])
