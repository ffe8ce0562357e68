"""The metrics of the controller."""

import threading
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.metrics import Counter, counter, gauge

SUCCEEDED, REPEATED, FAILED = "succeeded", "repeated", "failed"

PASSES = counter(
    "controller_passes",
    "Passes over an object.",
    result="`succeeded`, `repeated` soon because something changed or could not be written, or `failed` unexpectedly",
)
PASS_SECONDS = counter("controller_pass_seconds", "Time spent in passes.")
QUEUE = gauge("controller_queue_objects", "Objects that are due for a pass or in one.")
LEADER = gauge("controller_leader", "1 if this controller holds the lease.")
REQUESTS = counter("controller_requests", "Requests to the API server, watches included.")


class Counts:
    """The controller's counters since the process started."""

    def __init__(self) -> None:
        self.passes = Counter(PASSES, SUCCEEDED, REPEATED, FAILED)
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add_seconds(self, seconds: float) -> None:
        """Add the duration of a pass."""
        with self._lock:
            self.seconds += seconds


class ControllerMetrics(Collector):
    """The metrics, read at each scrape."""

    def __init__(
        self, counts: Counts, queued: Callable[[], int], leads: Callable[[], bool], requests: Callable[[], int]
    ) -> None:
        """*queued* returns the length of the queue, *leads* whether this is the leader, *requests* those sent."""
        self._counts = counts
        self._queued = queued
        self._leads = leads
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this module."""
        yield from self._counts.passes.collect()
        yield PASS_SECONDS.family(self._counts.seconds)
        yield QUEUE.family(self._queued())
        yield LEADER.family(int(self._leads()))
        yield REQUESTS.family(self._requests())
