"""The dead-letter sink of the Broker: what happens with each event that arrives, and with those that are selected."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import structlog
from flask import Blueprint

from functions.deadletter.failure import original_event, read_failure
from functions.deadletter.handover import Successor, hand_over
from functions.deadletter.metrics import ACCEPTED, FAILED, Counts, DeadLetterMetrics
from functions.deadletter.redrive import redrive
from functions.deadletter.store import DeadLetter, DeadLetterStore
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError, cut

log = structlog.get_logger()


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


class RedriveUnderWay(TemporaryError):
    """Another redrive is under way."""


class DeadLetterSink:
    """Keeps dead letters until an operator redrives or drops them."""

    def __init__(
        self,
        store: DeadLetterStore,
        broker_url: str | None = None,
        successor: Successor | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._broker_url = broker_url
        self._successor = successor
        self._clock = clock
        self._redriving = threading.Lock()
        self.name = uuid.uuid4().hex
        """Identifies this process, so that it hands nothing over to itself."""
        self.counts = Counts()
        self.metrics = DeadLetterMetrics(store, self.counts, clock)
        self.blueprint: Blueprint | None = None

    def now(self) -> datetime:
        """Return the current time, UTC."""
        return self._clock()

    def handle(self, event: CloudEvent) -> None:
        """Store *event*. If that fails, log it in full: an error status would lose it, because no other sink follows.

        Raises `TemporaryError` only while the process shuts down: the Broker retries, and the next pod stores it.
        """
        try:
            failure = read_failure(event)
            number, failures = self._store.add(original_event(event), failure, self._clock())
        except TemporaryError:
            raise
        except Exception as error:  # noqa: BLE001 - any error status would lose the event
            self.counts.unstored.add()
            log.error("dead letter not stored, only this line has it", error=repr(error), cloudevent=repr(event))
            return
        log.warning(
            "dead letter stored",
            number=number,
            failures=failures,
            id=event["id"],
            source=event["source"],
            destination=failure.destination,
            code=failure.code,
            response=cut(failure.response),
        )

    @contextlib.contextmanager
    def one_redrive(self) -> Iterator[None]:
        """The right to select and redrive. Raises `RedriveUnderWay` if another request has it.

        Two redrives of one selection would send each event twice.
        """
        if not self._redriving.acquire(blocking=False):
            raise RedriveUnderWay("another redrive is under way: wait until it has ended")
        try:
            yield
        finally:
            self._redriving.release()

    def redrive(self, selected: Sequence[DeadLetter]) -> dict[int, str]:
        """Send the *selected* to the Broker again. Return number → reason of those that it did not accept.

        Call it within `one_redrive`. Raises `TemporaryError` if no Broker is set.
        """
        if self._broker_url is None:
            raise TemporaryError("redrive: K_SINK is not set, so there is no Broker to send to")
        failed = redrive(self._store, selected, self._broker_url, self._clock())
        self.counts.redrives.add(ACCEPTED, len(selected) - len(failed))
        self.counts.redrives.add(FAILED, len(failed))
        log.info("dead letters redriven", redriven=len(selected) - len(failed), failed=len(failed))
        return failed

    def drop(self, selected: Sequence[DeadLetter], reason: str) -> None:
        """Mark the *selected* as dropped, for *reason*. They stay listed until others need their room."""
        for dead_letter in selected:
            self._store.mark_dropped(dead_letter, reason, self._clock())
            its = {"number": dead_letter.number, "id": dead_letter.id, "source": dead_letter.source}
            log.warning("dead letter dropped", **its, reason=reason)

    def accept_handover(self, received: Sequence[tuple[DeadLetter, str]]) -> int:
        """Store another pod's dead letters, each with its event. Return the number of those for which there was room.

        Raises `TemporaryError` if this pod shuts down.
        """
        accepted = self._store.add_received(received, self._clock())
        log.info("dead letters received from another pod", count=accepted, rejected=len(received) - accepted)
        return accepted

    def close(self) -> None:
        """Hand the dead letters over, then close the store."""
        self._store.seal()
        try:
            if self._successor is not None:
                hand_over(self._store, self._successor, self.name)
        finally:
            self._store.close()
