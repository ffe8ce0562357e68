"""The display's metrics."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from functions.display.history import History
from functions.display.viewers import Viewers
from pipeline.metrics import counter, gauge

RECEIVED = counter("display_received", "Events that arrived, without repeats.")
REPEATS = counter("display_repeats", "Events that arrived again while they were stored.")
REJECTED = counter("display_rejected", "Requests that held no event.")
GAPS = counter("display_gaps", "Status events of the poller that report missing events.")
STORED = gauge("display_stored", "Events stored.")
STORED_BYTES = gauge("display_stored_bytes", "Approximate memory that the stored events take.")
VIEWERS = gauge("display_viewers", "Open streams.")
MAX_VIEWERS = gauge("display_max_viewers", "Maximum number of open streams.")


class DisplayMetrics(Collector):
    """The display's metrics, read from its state at each scrape, so that nothing is counted twice."""

    def __init__(self, history: History, viewers: Viewers) -> None:
        self._history = history
        self._viewers = viewers

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this module."""
        state = self._history.state()
        yield RECEIVED.family(state["received"])
        yield REPEATS.family(state["repeats"])
        yield REJECTED.family(state["rejected"])
        yield GAPS.family(state["gaps"])
        yield STORED.family(state["held"])
        yield STORED_BYTES.family(state["bytes"])
        yield VIEWERS.family(self._viewers.count)
        yield MAX_VIEWERS.family(self._viewers.max_viewers)
