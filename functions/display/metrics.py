"""The display's numbers in Prometheus' format."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from functions.display.history import History
from functions.display.stream import Viewers


class _Numbers(Collector):
    """Read when asked: the ring counts anyway."""

    def __init__(self, history: History, viewers: Viewers) -> None:
        self._history = history
        self._viewers = viewers

    def collect(self) -> Iterable[Metric]:
        state = self._history.state()
        for name, said in (
            ("received", "Events that arrived, repeats not among them."),
            ("repeats", "Events that arrived again while they were held."),
            ("refused", "Requests that were no event."),
            ("gaps", "Reports of the poller that events are missing."),
        ):
            yield CounterMetricFamily(f"vcenter_events_display_{name}", said, value=state[name] or 0)
        yield GaugeMetricFamily("vcenter_events_display_held", "Events held.", value=state["held"] or 0)
        yield GaugeMetricFamily(
            "vcenter_events_display_held_bytes", "What they take in memory, about.", value=state["bytes"] or 0
        )
        yield GaugeMetricFamily("vcenter_events_display_viewers", "Open streams.", value=self._viewers.count)
        yield GaugeMetricFamily(
            "vcenter_events_display_viewer_places", "Streams that may be open.", value=self._viewers.max_viewers
        )


def exposition(history: History, viewers: Viewers) -> bytes:
    """All of them, as text."""
    registry = CollectorRegistry()
    registry.register(_Numbers(history, viewers))
    return generate_latest(registry)
