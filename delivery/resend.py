"""Resending after an outage: which acknowledged events are possibly lost. Pure: times are arguments.

A sink that holds events in memory loses what it acknowledged when it is killed. An outage begins with a failure that
suggests this, and is over once no such failure came for `QUIET_SECONDS`. Possibly lost is every event that was
acknowledged from *period* before the outage began until its last failure. Such an event is resent once, whatever the
outcome: otherwise a sink that fails now and then would be flooded.

All times are of one monotonic clock, in seconds.
"""

import dataclasses
from collections import deque
from typing import Generic, TypeVar

from delivery.retry import Failure

T = TypeVar("T")

QUIET_SECONDS = 1.0
"""An outage is over when the last failure is this long ago."""
MAX_ATTEMPT = 3
"""Later failures of the same event concern that event: an event that always fails is not an outage without end."""


def suggests_outage(failure: Failure, attempt: int) -> bool:
    """Return True if *failure* of the attempt number *attempt* may mean that the sink lost what it holds in memory.

    A server error or a timeout may. A connection that is not accepted concerns only the sink's ingress.
    """
    return (failure.status >= 500 or failure.timed_out) and attempt <= MAX_ATTEMPT


@dataclasses.dataclass(frozen=True, slots=True)
class _Acknowledged(Generic[T]):
    started: float
    """When the request was sent."""
    ended: float
    """When the response came."""
    event: T


@dataclasses.dataclass
class _Outage:
    first: float
    """When the first failed request was sent."""
    last: float
    """When the last failure came."""


class ResendTracker(Generic[T]):
    """The events acknowledged lately, and the outage that runs, if any."""

    def __init__(self, period_seconds: float, max_request_seconds: float, capacity: int) -> None:
        """Keep at most *capacity* events. No request takes longer than *max_request_seconds*.

        A period of 0 disables the tracker: it keeps nothing and sees no outage.
        """
        self._period = period_seconds
        self._max_request_seconds = max_request_seconds
        self._recent: deque[_Acknowledged[T]] = deque(maxlen=capacity)  # in the order of the responses
        self._outage: _Outage | None = None

    def __len__(self) -> int:
        """Return the number of events held in memory."""
        return len(self._recent)

    def acknowledge(self, event: T, started: float, ended: float) -> None:
        """Record that *event* was acknowledged at *ended*, by a request sent at *started*."""
        if not self._period:
            return
        self._recent.append(_Acknowledged(started, ended, event))
        first = self._outage.first if self._outage else ended - self._max_request_seconds
        earliest = first - self._period
        while self._recent[0].ended < earliest:
            self._recent.popleft()

    def fail(self, started: float, ended: float) -> bool:
        """Record a failure at *ended* of a request sent at *started*, and return True if an outage begins with it."""
        if not self._period:
            return False
        if self._outage is None:
            self._outage = _Outage(started, ended)
            return True
        self._outage.last = ended
        return False

    def remaining_seconds(self, now: float) -> float:
        """Return the seconds until the outage is over, if no other failure comes. 0 if it is, or if there is none."""
        return max(0.0, self._outage.last + QUIET_SECONDS - now) if self._outage else 0.0

    def end_outage(self) -> list[T]:
        """End the outage and return the events that are possibly lost, in the order of their acknowledgements."""
        if self._outage is None:
            return []
        first, last = self._outage.first - self._period, self._outage.last
        lost = [entry.event for entry in self._recent if entry.ended >= first and entry.started <= last]
        after = [entry for entry in self._recent if entry.started > last]
        self._recent.clear()
        self._recent.extend(after)
        self._outage = None
        return lost
