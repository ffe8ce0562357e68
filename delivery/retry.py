"""The retry rules of the poller, all of them. Pure: nothing here sleeps, sends or reads a clock.

An attempt to send an event ends in one of three ways:

| outcome | when | what happens |
|---|---|---|
| acknowledged | the response is 2xx | the event is complete |
| temporary failure | no response, 3xx, 5xx, or a status in `TEMPORARY_STATUSES` | the event is retried after a delay |
| permanent failure | any other status | the event goes to the dead-letter sink |

- The delay doubles with each attempt up to a maximum, and is shortened by up to half at random, so that many events do
  not come back at the same moment. A longer `Retry-After` of the response replaces it, up to
  `MAX_RETRY_AFTER_SECONDS`.
- With a dead-letter sink, an event that was answered with an error `max_attempts` times goes there, too. A sink that
  does not respond at all is down for every event and is retried without limit.
- Redirects are never followed. Like the temporary statuses, they come from a gateway and concern every event.
- Without a dead-letter sink, temporary failures are retried without limit, and an event that fails permanently is
  dropped: it is logged in full and counted. After `MAX_DROPS_IN_A_ROW` of them the sink itself is at fault: `DropLimit`
  then has permanent failures retried like temporary ones, until the sink acknowledges an event.
- With at-most-once delivery there are no retries: every failure is handled like a permanent one.
- The dead-letter sink itself is retried without limit, whatever it responds, since nothing comes after it.
"""

import dataclasses
import datetime
import email.utils
import enum
import re

TEMPORARY_STATUSES = frozenset({401, 403, 404, 405, 407, 408, 409, 421, 425, 429})
"""Statuses from 400 to 499 that are not the event's fault. Knative responds 404 while a pod starts. 401 and 403 mean
that access is not configured yet. 405 and 421 come from a gateway that does not lead to the sink at the moment."""
MAX_DROPS_IN_A_ROW = 5
"""Events that may be dropped one after the other, without an acknowledgement between them."""
MAX_RETRY_AFTER_SECONDS = 300.0
"""A sink that asks for a longer delay is nevertheless retried after this one."""


class Action(enum.Enum):
    """The next step for an event after a failed attempt."""

    RETRY = enum.auto()
    """Send it to the same URL again."""
    DEAD_LETTER = enum.auto()
    """Send it to the dead-letter sink."""
    DROP = enum.auto()
    """Log it in full and count it, since there is no dead-letter sink."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """The outcome of an attempt that was not acknowledged."""

    reason: str
    """The request and its response, in words."""
    status: int = 0
    """The HTTP status. 0 if there was no response."""
    body: bytes = b""
    """The beginning of the response's body."""
    retry_after_seconds: float = 0.0
    """The delay that the response asks for."""
    timed_out: bool = False
    """True if the sink took the request and did not respond in time."""

    @property
    def is_permanent(self) -> bool:
        """True if the sink rejects this event, so that sending it again is useless."""
        return 400 <= self.status < 500 and self.status not in TEMPORARY_STATUSES


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """The rules above with the values of the settings."""

    backoff_seconds: float
    """Delay before the first retry."""
    max_backoff_seconds: float
    """Maximum delay, unless the response asks for more."""
    max_attempts: int
    """Attempts that are answered with an error before an event goes to the dead-letter sink."""
    has_dead_letter_sink: bool
    at_most_once: bool
    unlimited: bool = False
    """True for the dead-letter sink, which comes last."""

    def next_action(self, failure: Failure, attempt: int) -> Action:
        """Return the next step after *failure* of the attempt number *attempt*, which counts from 1."""
        if self.unlimited:
            return Action.RETRY
        exhausted = self.has_dead_letter_sink and failure.status != 0 and attempt >= self.max_attempts
        if not (self.at_most_once or failure.is_permanent or exhausted):
            return Action.RETRY
        return Action.DEAD_LETTER if self.has_dead_letter_sink else Action.DROP

    def delay_seconds(self, failure: Failure, attempt: int, jitter: float) -> float:
        """Return the delay after *failure* of the attempt number *attempt*. *jitter* is a random number from 0 to 1."""
        backoff = min(self.max_backoff_seconds, self.backoff_seconds * 2.0 ** min(attempt - 1, 30))
        return max(failure.retry_after_seconds, backoff * (1 - jitter / 2))

    def for_dead_letters(self) -> "RetryPolicy":
        """Return the policy for the dead-letter sink itself."""
        return dataclasses.replace(self, unlimited=True)


class DropLimit:
    """Counts events dropped in a row, so that a sink that rejects everything does not drain the history into the log.

    Without it, a gateway that answers 400 to everything would have every event dropped at the speed of reading.
    """

    def __init__(self) -> None:
        self._drops = 0

    def acknowledge(self) -> None:
        """Record that the sink acknowledged an event of vCenter's."""
        self._drops = 0

    def next_action(self, action: Action, failure: Failure) -> Action:
        """Return *action*, the policy's for *failure*, or RETRY instead of a drop that is one too many."""
        if action is not Action.DROP or not failure.is_permanent:
            return action
        if self._drops >= MAX_DROPS_IN_A_ROW:
            return Action.RETRY
        self._drops += 1
        return action


def is_acknowledged(status: int) -> bool:
    """Return True if the HTTP *status* means that the event was taken."""
    return 200 <= status < 300


def parse_retry_after(value: str, now: float) -> float:
    """Return the seconds to wait by the `Retry-After` header *value*, from 0 to `MAX_RETRY_AFTER_SECONDS`.

    *value* is a number of seconds or a date, compared with *now* (seconds since 1970). Anything else is 0.
    """
    if re.fullmatch("[0-9]+", value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):  # the parser raises all of them for malformed dates
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return min(max(0.0, moment.timestamp() - now), MAX_RETRY_AFTER_SECONDS)
