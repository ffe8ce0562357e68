"""The reader: Horizon's history, read in a thread of its own and delivered, for as long as the process lives."""

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import structlog

from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Delivery
from delivery.progress import Progress, now
from delivery.reports import Reports
from delivery.sink import Sink
from functions.horizon.cursor import PAGE_SIZE, Cursor, Placed, Position
from functions.horizon.errors import HorizonRejected, HorizonUnavailable
from functions.horizon.event import EventUnreadable, HorizonEvent, from_item, to_cloudevent
from functions.horizon.session import Session
from pipeline import bounds
from pipeline.errors import SettingsError, TemporaryError, VCenterEventsError, cut
from pipeline.status_events import StatusEvents

log = structlog.get_logger()

IDLE_SECONDS = (1.0, 2.0, 4.0, 5.0)
"""Delays between questions that bring nothing new. The last one repeats."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Delays between attempts to reach Horizon or the store. The last one repeats."""
READER_SECONDS = 3.0
"""Maximum time for the reader to end on SIGTERM, of `CLOSE_SECONDS`."""
CLOSE_SECONDS = 8.0
"""Maximum time for delivery on SIGTERM, of the process's 10 s."""


class Reader:
    """Reads with *session* and delivers to *output*, from its creation until `close`."""

    def __init__(
        self,
        source: str,
        session: Session,
        output: CheckpointedSink[Position],
        progress: Progress[Position],
    ) -> None:
        """Start reading. *source* is that of the events."""
        self._session = session
        self._output = output
        self._progress = progress
        self._status_events = StatusEvents(source, "horizon")
        self._reports = Reports(self._status_events, output, progress)
        self._page_size = PAGE_SIZE
        self._wake = threading.Event()
        self._stopping = False
        self.error: VCenterEventsError | None = None
        """The reason why nothing can be read at the moment."""
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Ask Horizon at once if the reader waits."""
        self._wake.set()

    def close(self) -> None:
        """End. Events already read are delivered, within at most `CLOSE_SECONDS`, and the session ends."""
        self._stopping = True
        self._wake.set()
        self._thread.join(READER_SECONDS)
        if self._thread.is_alive():  # Horizon does not answer, or the sink has no room: deliver and save without it
            self._output.close(CLOSE_SECONDS - READER_SECONDS)
        else:
            self._session.close()

    # ── the reader's thread ──

    def _run(self) -> None:
        delays = _delays(RETRY_SECONDS)
        while not self._stopping:
            try:
                self._follow(self._connect())
            except Exception as error:  # noqa: BLE001 - reading continues whatever happens, and `_report` logs it
                if self._stopping:  # `close` interrupted it
                    break
                delays = delays if self.error else _delays(RETRY_SECONDS)
                self._report(error)
                self._pause(next(delays))
        self._output.close(CLOSE_SECONDS)

    def _connect(self) -> Sink[Position]:
        """Log in, acquire the lease, and return the sink. It is opened also if the login fails, to report that."""
        try:
            self._session.connect()
        except Exception:
            self._output.open()
            raise
        return self._output.open()

    def _follow(self, sink: Sink[Position]) -> None:
        """Read until the reader is closed. Raises whatever interrupts it."""
        cursor = Cursor(self._progress.position)
        delays = _delays(IDLE_SECONDS)
        while not self._stopping:
            self._output.check()
            placed = self._read(cursor, sink)
            if self.error:
                log.info("Reading continues", read=self._progress.read)
                self.error = None
            self._reports.recovered()
            self._send(sink, placed)
            if placed:
                delays = _delays(IDLE_SECONDS)
            if not cursor.is_behind:
                self._pause(next(delays))

    def _read(self, cursor: Cursor, sink: Sink[Position]) -> list[Placed]:
        """Ask the next question, and return the new events. A page that does not come whole is smaller next time."""
        query = cursor.next_query(round(time.time() * 1000), self._page_size)
        try:
            page = self._session.fetch(query)
        except HorizonUnavailable:
            self._page_size = max(1, self._page_size // 4)
            raise
        self._page_size = min(PAGE_SIZE, self._page_size * 2)
        placed = cursor.advance(query, self._events(page.items), page.has_more)
        if query.newest_only:  # without a position, a crash before the first acknowledgement would lose events
            sink.acknowledge(cursor.start)
        return placed

    def _events(self, items: Sequence[Any]) -> list[HorizonEvent]:
        events = []
        for item in items:
            try:
                events.append(from_item(item))
            except EventUnreadable as error:
                self._reports.unreadable(_text(item), str(error))
        return events

    def _send(self, sink: Sink[Position], placed: Sequence[Placed]) -> None:
        """Queue *placed*. All have one key, so that they arrive in order."""
        if placed:
            sink.send([Delivery(self._encode(event), "", position) for event, position in placed])
            self._progress.read += len(placed)
            self._progress.position = placed[-1].position

    def _encode(self, event: HorizonEvent) -> Any:
        """Return *event* as a CloudEvent, or a status event with its text if it cannot be one."""
        try:
            return to_cloudevent(event, self._status_events.source)
        except Exception as error:
            log.exception("Event %d cannot be encoded, sending its text", event.id, id=str(event.id))
            reason = f"encode the event: {type(error).__name__}: {cut(str(error))}"
            return self._status_events.unreadable(event.id, _text(event.fields), reason, now())

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        if not self._stopping:
            self._wake.clear()

    # ── errors ──

    def _report(self, error: Exception) -> None:
        if self._output.lease_lost is not None:
            error = self._output.lease_lost  # it caused whatever was interrupted
        if not isinstance(error, VCenterEventsError):
            log.error("Reading failed unexpectedly, retrying", exc_info=error)
            self._progress.counts.errors += 1
            error = TemporaryError(f"read events: unexpected {type(error).__name__}, see the log")
        elif str(error) != str(self.error):
            log.warning("Reading failed, retrying: %s", error)
        if isinstance(error, HorizonUnavailable | HorizonRejected | SettingsError):
            self._reports.unreachable(str(error))
        self.error = error


def _delays(seconds: Sequence[float]) -> Any:
    """Return an iterator of *seconds*, the last of which repeats."""
    return chain(seconds, repeat(seconds[-1]))


def _text(item: object) -> str:
    """Return *item* as JSON, cut to `bounds.UNREADABLE_CHARACTERS` characters."""
    with contextlib.suppress(ValueError, RecursionError):
        return cut(json.dumps(item, default=repr), bounds.UNREADABLE_CHARACTERS)
    return cut(repr(type(item)), bounds.UNREADABLE_CHARACTERS)
