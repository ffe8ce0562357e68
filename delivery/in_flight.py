"""The events in flight: read and not yet acknowledged. Their number is limited, and the reader waits for room."""

import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

from delivery.acknowledgements import AcknowledgementTracker
from pipeline.errors import TemporaryError

P = TypeVar("P")


class SinkClosed(TemporaryError):
    """The sink accepts no more events because it is being closed."""


class InFlight(Generic[P]):
    """The acknowledgement tracker, shared by the thread that reads, the one that sends and the one that saves."""

    def __init__(self, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._tracker = AcknowledgementTracker[P]()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Return the number of events after the acknowledged position."""
        with self._changed:
            return len(self._tracker)

    @property
    def is_closed(self) -> bool:
        """True once `close` was called."""
        return self._closed

    @property
    def acknowledged(self) -> P | None:
        """The last position up to which every event was acknowledged. None before the first."""
        with self._changed:
            return self._tracker.position

    @property
    def oldest_open(self) -> P | None:
        """The position of the first event that is not acknowledged. None if all are."""
        with self._changed:
            return self._tracker.oldest_open

    def add(self, positions: Sequence[P | None], *, waits: bool = True) -> list[int]:
        """Add the history's next events once there is room for them and return their sequence numbers.

        *positions* must not be more than the maximum. Unless it *waits*, the maximum is ignored. Raises `SinkClosed` if
        that happens before there is room.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or not waits or len(self._tracker) + len(positions) <= self._max_in_flight,
            )
            if self._closed:
                raise SinkClosed("send events: the sink is being closed")
            return [self._tracker.add(position) for position in positions]

    def hold(self) -> int:
        """Keep the acknowledged position from moving on until `complete` is called with the number returned.

        This ignores the maximum: the caller is the thread that makes room.
        """
        with self._changed:
            return self._tracker.add(None)

    def complete(self, number: int) -> None:
        """Complete the event with the sequence number *number*: it needs no more attempts."""
        with self._changed:
            if self._tracker.acknowledge(number):
                self._changed.notify_all()

    def is_open(self, number: int) -> bool:
        """Return True if the event with the sequence number *number* is not complete."""
        with self._changed:
            return self._tracker.is_open(number)

    def wait_idle(self, seconds: float) -> bool:
        """Wait at most *seconds* until nothing is in flight and return True if so."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not len(self._tracker), seconds)
            return not len(self._tracker)

    def wait_beyond(self, position: P | None, seconds: float) -> None:
        """Wait at most *seconds* until the acknowledged position is another than *position*."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._tracker.position not in (None, position), seconds)

    def close(self) -> bool:
        """Add no more, wake every waiting thread and return False if this was done before."""
        with self._changed:
            was_open, self._closed = not self._closed, True
            self._changed.notify_all()
            return was_open
