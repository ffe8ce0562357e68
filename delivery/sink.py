"""The sink: where the reader's events go, in order for each key, with many requests at once.

Delivery runs in an event loop (uvloop) in a thread of its own. A key's events are sent one at a time, in order, and the
events of different keys overlap. `delivery` sends one event, `in_flight` limits how many wait and knows which position
is safe to save, `resend` knows which events an outage of the sink may have lost.
"""

import asyncio
import dataclasses
import threading
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import structlog
import uvloop

from delivery.dispatcher import Counts, Delivery, Dispatcher
from delivery.in_flight import InFlight
from delivery.resend import QUIET_SECONDS, ResendTracker, suggests_outage
from delivery.retry import Failure
from delivery.settings import SinkSettings

log = structlog.get_logger()

P = TypeVar("P")
T = TypeVar("T")

RETRY_SECONDS = 1.0
"""Delay after an unexpected error."""
MAX_CHUNK = 100
"""Maximum number of events that are handed to the loop at once."""


class WorkerEnded(Exception):
    """A worker of the sink ended, by the exception that is the cause, or because somebody else cancelled it."""


class KeyedWorkers(Generic[T]):
    """A fixed number of workers. All items of a key go to the same worker, which handles one at a time, in order."""

    def __init__(
        self, concurrency: int, handle: Callable[[T], Awaitable[None]], on_error: Callable[[], object]
    ) -> None:
        """Call *on_error* after each unexpected error of *handle*."""
        self._handle = handle
        self._on_error = on_error
        self._queues: list[deque[T]] = [deque() for _ in range(concurrency)]
        self._filled = [asyncio.Event() for _ in range(concurrency)]

    def put(self, key: str, item: T) -> None:
        """Queue *item* behind the others of *key*."""
        worker = zlib.crc32(key.encode("utf-8", "replace")) % len(self._queues)
        self._queues[worker].append(item)
        self._filled[worker].set()

    async def run(self, stopped: asyncio.Event) -> None:
        """Work until *stopped* is set. Items that are not handled by then are forgotten.

        Raises `WorkerEnded` if a worker ends before.
        """
        workers = [asyncio.create_task(self._work(number)) for number in range(len(self._queues))]
        stopping = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait([stopping, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in (stopping, *workers):
                if task.done() and (task is not stopping or task.exception()):
                    raise WorkerEnded from (None if task.cancelled() else task.exception())
        finally:
            for task in (stopping, *workers):
                task.cancel()
            await asyncio.gather(stopping, *workers, return_exceptions=True)

    async def _work(self, number: int) -> None:
        queue, filled = self._queues[number], self._filled[number]
        while True:
            while not queue:
                filled.clear()
                await filled.wait()
            await self._handle_with_retry(queue[0])
            queue.popleft()

    async def _handle_with_retry(self, item: T) -> None:
        """Handle *item*, however often that fails unexpectedly: the items behind it wait, but the worker never ends."""
        while True:
            try:
                await self._handle(item)
                return
            except Exception:
                log.exception("Delivery failed unexpectedly, retrying")
                self._on_error()
                await asyncio.sleep(RETRY_SECONDS)


class Sink(Generic[P]):
    """A sink that is open from its creation until `close`. Other threads than the loop's call its public methods."""

    def __init__(self, settings: SinkSettings, at_most_once: bool = False, counts: Counts | None = None) -> None:
        """Add to *counts* if given. With *at_most_once* an event is attempted once, whatever the outcome."""
        self.counts = counts or Counts()
        self.in_flight = InFlight[P](settings.max_in_flight)
        self.max_chunk = max(1, min(MAX_CHUNK, settings.max_in_flight // 4))
        """Maximum number of events that `send` queues at once: all of them or, if the sink is closed, none."""
        self._dispatcher = Dispatcher(settings, at_most_once, self.counts, self._record_failure)
        self._workers = KeyedWorkers[tuple[int, Delivery[P]]](settings.concurrency, self._deliver, self._record_error)
        resend_seconds = 0.0 if at_most_once else settings.resend_seconds
        self._resend = ResendTracker[Delivery[P]](resend_seconds, settings.timeout_seconds, settings.max_in_flight)
        self._outage_number = 0
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._handle_loop_error)
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    @property
    def failing(self) -> str:
        """The reason why the sink does not acknowledge events at the moment. Empty while it does."""
        return self._dispatcher.failing

    @property
    def is_open(self) -> bool:
        """False once the sink is closed, or has ended unexpectedly."""
        return not self.in_flight.is_closed

    def send(self, deliveries: Sequence[Delivery[P]], *, waits: bool = True) -> list[int]:
        """Queue *deliveries*, in the history's order, and, if it *waits*, wait while too many are in flight.

        Returns their sequence numbers in `in_flight`.

        Raises `SinkClosed` if the sink is closed meanwhile. Events not queued by then are never acknowledged.
        """
        sent: list[int] = []
        for start in range(0, len(deliveries), self.max_chunk):
            chunk = deliveries[start : start + self.max_chunk]
            numbers = self.in_flight.add([delivery.position for delivery in chunk], waits=waits)
            self._loop.call_soon_threadsafe(self._enqueue, numbers, chunk)
            sent += numbers
        return sent

    def acknowledge(self, position: P) -> None:
        """Make *position* safe to save once all before it is acknowledged, without an event.

        Raises `SinkClosed`.
        """
        for number in self.in_flight.add([position]):
            self.in_flight.complete(number)

    def close(self, seconds: float) -> None:
        """Wait at most *seconds* for the events in flight, and stop. The rest stays unacknowledged."""
        self.in_flight.wait_idle(seconds)
        if self.in_flight.close():
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    # ── the loop's thread ──

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except (Exception, asyncio.CancelledError):
            log.exception("Sink ended unexpectedly")
            self.counts.errors += 1
        finally:
            self.in_flight.close()  # whoever waits for room or for acknowledgements goes on
            self._loop.close()

    async def _serve(self) -> None:
        async with self._dispatcher:
            await self._workers.run(self._stopped)

    def _enqueue(self, numbers: Sequence[int], deliveries: Sequence[Delivery[P]]) -> None:
        for number, delivery in zip(numbers, deliveries, strict=True):
            self._workers.put(delivery.key, (number, delivery))

    async def _deliver(self, item: tuple[int, Delivery[P]]) -> None:
        number, delivery = item
        started = await self._dispatcher.deliver(delivery.event)
        if started is not None and not delivery.resent:
            self._resend.acknowledge(delivery, started, time.monotonic())
        self.in_flight.complete(number)

    def _handle_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log and count an error that no task sees. One of a callback of the loop ends the sink.

        The callback may have been the only one to queue some events, or to release the acknowledged position.
        """
        log.error("Sink failed unexpectedly: %s", context.get("message"), exc_info=context.get("exception"))
        self._record_error()
        if "handle" in context:
            self._stopped.set()

    def _record_error(self) -> None:
        self.counts.errors += 1

    def _record_failure(self, failure: Failure, attempt: int, started: float) -> None:
        if suggests_outage(failure, attempt) and self._resend.fail(started, time.monotonic()):
            self._outage_number = self.in_flight.hold()  # no later position is saved until the outage is over
            self._loop.call_later(QUIET_SECONDS, self._end_outage)

    def _end_outage(self) -> None:
        remaining = self._resend.remaining_seconds(time.monotonic())
        if remaining > 0:
            self._loop.call_later(remaining, self._end_outage)
            return
        lost = [dataclasses.replace(delivery, position=None, resent=True) for delivery in self._resend.end_outage()]
        numbers = [self.in_flight.hold() for _ in lost]
        self.in_flight.complete(self._outage_number)
        if lost:
            log.warning("Resending %d events: the sink failed shortly after acknowledging them", len(lost))
            self.counts.resent += len(lost)
            self._enqueue(numbers, lost)
