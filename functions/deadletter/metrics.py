"""The metrics of the dead-letter sink."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from functions.deadletter.store import DeadLetterStore
from pipeline.metrics import Counter, counter, gauge

EVENTS = gauge(
    "deadletter_events",
    "Dead letters in the store.",
    state="state of the dead letter: `waiting`, `redriven`, `dropped`",
)
OLDEST_WAITING_AGE_SECONDS = gauge(
    "deadletter_oldest_waiting_age_seconds",
    "Time since the last failure of the dead letter that has been waiting longest. 0 if none is waiting.",
)
UNSTORED = counter("deadletter_unstored", "Events that could not be stored. The log has them in full.")
REDRIVES = counter(
    "deadletter_redrives",
    "Dead letters that were sent to the Broker again.",
    result="`accepted` by the Broker, or `failed`",
)
ACCEPTED, FAILED = "accepted", "failed"


class Counts:
    """The sink's counters since the process started."""

    def __init__(self) -> None:
        self.unstored = Counter(UNSTORED)
        self.redrives = Counter(REDRIVES, ACCEPTED, FAILED)


class DeadLetterMetrics(Collector):
    """The metrics, read from the store and the counts at each scrape."""

    def __init__(self, store: DeadLetterStore, counts: Counts, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._counts = counts
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this module."""
        yield EVENTS.family({(state,): count for state, count in self._store.counts().items()})
        oldest = self._store.oldest_waiting()
        age_seconds = max(0.0, (self._clock() - oldest).total_seconds()) if oldest is not None else 0.0
        yield OLDEST_WAITING_AGE_SECONDS.family(age_seconds)
        yield from self._counts.unstored.collect()
        yield from self._counts.redrives.collect()
