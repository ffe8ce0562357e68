"""Digests: one message for many events, when there are too many or at the wrong time of day."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from functions.notify.message import RANKS, Message
from functions.notify.service import Service
from functions.notify.settings import Settings
from pipeline import bounds
from pipeline.errors import cut

log = structlog.get_logger()


@dataclass
class Batch:
    """The messages that become one digest."""

    first: list[Message] = field(default_factory=list)
    """At most `bounds.DIGEST_TITLES`."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages by severity and event type (in words)."""
    due: datetime | None = None
    began: datetime | None = None

    def add(self, message: Message, event_type: str, due: datetime, now: datetime) -> None:
        """Add a message at *now*. The first message sets when the digest is *due*."""
        self.due, self.began = self.due or due, self.began or now
        self.counts[message.severity, event_type] += 1
        if len(self.first) < bounds.DIGEST_TITLES:
            self.first.append(message)

    def is_due(self, now: datetime) -> bool:
        """Return whether there is a digest to send at *now*."""
        return self.remaining(now) == 0

    def remaining(self, now: datetime) -> float | None:
        """Return the seconds until the digest is due, None without messages. 0 if the clock was set back."""
        if self.due is None or self.began is None:
            return None
        return 0.0 if now < self.began else max(0.0, (self.due - now).total_seconds())


class Digest:
    """Collects messages over the limit of a period and in quiet hours, and sends one digest for each of the two.

    The messages are in memory. `close` sends them.
    """

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._services = services
        self._settings = settings
        self._now = now
        self._period = Period(settings.limit, timedelta(seconds=settings.period_seconds))
        self._over_limit, self._quiet = Batch(), Batch()
        self._unsent = Unsent(timedelta(seconds=settings.period_seconds))
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        self._thread.start()

    def collect(self, message: Message, event_type: str) -> bool:
        """Return False if *message* may be sent now. Otherwise keep it for a digest and return True."""
        with self._changed:
            now, quiet = self._now(), self._settings.quiet
            if quiet and quiet.contains(now) and RANKS[message.severity] < RANKS[self._settings.quiet_severity]:
                self._quiet.add(message, event_type, quiet.ends(now), now)
            elif self._period.count(now):
                return False
            else:
                self._over_limit.add(message, event_type, self._period.ends, now)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Send all digests now. Log those that a service does not accept."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._send(self._take_due())  # nothing, unless the thread had ended unexpectedly
        self._unsent.drop_all()

    def _run(self) -> None:
        """Send digests when they are due, until closed."""
        while True:
            with self._changed:
                while not self._closed and (seconds := self._seconds_left()) != 0:
                    self._changed.wait(seconds)
                closed = self._closed
                digests = self._take_due()
            self._send(digests)
            if closed:
                return

    def _send(self, digests: Sequence[Message]) -> None:
        self._unsent.send([(digest, service) for digest in digests for service in self._services], self._now)

    def _seconds_left(self) -> float | None:
        """Return the time until something is due, or None if nothing is pending."""
        now = self._now()
        remaining = (self._over_limit.remaining(now), self._quiet.remaining(now), self._unsent.remaining(now))
        return min((seconds for seconds in remaining if seconds is not None), default=None)

    def _take_due(self) -> list[Message]:
        """Remove and return the digests that are due, or all of them when closed."""
        now, digests = datetime.max.replace(tzinfo=UTC) if self._closed else self._now(), []
        if self._over_limit.is_due(now):
            digests.append(digest_of(self._over_limit))
            self._over_limit = Batch()
        if self._quiet.is_due(now):
            digests.append(digest_of(self._quiet))
            self._quiet = Batch()
        return digests


class Period:
    """Counts messages against a limit, in periods that start with a message."""

    def __init__(self, limit: int, length: timedelta) -> None:
        self._limit = limit
        self._length = length
        self._count = 0
        self.ends = datetime.min.replace(tzinfo=UTC)

    def count(self, now: datetime) -> bool:
        """Count a message at *now*, and return whether it is within the limit."""
        if now >= self.ends or self.ends - now > self._length:  # over, or the clock was set back
            self.ends, self._count = now + self._length, 0
        if self._count >= self._limit:
            return False
        self._count += 1
        return True


class Unsent:
    """The digests that services did not accept. They are retried after a period, because no Broker resends them."""

    def __init__(self, period: timedelta) -> None:
        self._period = period
        self._digests: list[tuple[Message, Service]] = []
        self._retry_at: datetime | None = None

    def remaining(self, now: datetime) -> float | None:
        """Return the seconds until the next attempt, None if there is nothing to send. 0 if the clock was set back."""
        if self._retry_at is None:
            return None
        return 0.0 if self._retry_at - now > self._period else max(0.0, (self._retry_at - now).total_seconds())

    def send(self, digests: Sequence[tuple[Message, Service]], now: Callable[[], datetime]) -> None:
        """Send *digests* and the unsent ones, and keep those that are not accepted."""
        unsent = [(message, service) for message, service in [*self._digests, *digests] if not service.notify(message)]
        _log_lost(unsent[: -bounds.UNSENT_DIGESTS])
        self._digests = unsent[-bounds.UNSENT_DIGESTS :]
        self._retry_at = None
        if self._digests:
            log.warning("digest not accepted", services=[service.name for _, service in self._digests])
            self._retry_at = now() + self._period

    def drop_all(self) -> None:
        """Drop and log the unsent digests."""
        _log_lost(self._digests)
        self._digests = []


def _log_lost(digests: Sequence[tuple[Message, Service]]) -> None:
    for message, service in digests:
        log.error("digest lost", service=service.name, title=message.title)


def digest_of(batch: Batch) -> Message:
    """Return one message with the counts by type (most severe first) and the first titles.

    A single message is returned as it is.
    """
    total = batch.counts.total()
    if total == 1:
        return batch.first[0]
    counts = sorted(batch.counts.items(), key=lambda item: (-RANKS[item[0][0]], -item[1], item[0][1]))
    summary = ", ".join(f"{count} {event_type}" for (_, event_type), count in counts)
    title = cut(f"{total} events: {summary}", bounds.TITLE_CHARACTERS)
    lines = [f"{count} {event_type} ({severity})" for (severity, event_type), count in counts]
    first = [f"- {message.title}" for message in batch.first]
    rest = [f"… and {total - len(first)} more"] if total > len(first) else []
    (highest_severity, _), _ = counts[0]
    return Message(title, "\n".join([f"{total} events", *lines, "", *first, *rest]), highest_severity)
