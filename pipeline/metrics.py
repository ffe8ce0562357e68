"""Metrics in Prometheus' text format: the ones of every function, and the tools for a function's own.

A metric is described once, by a `Metric` in the module that has its values. `tools/metrics.py` lists all descriptions
in docs/reference/metrics.md. A function exposes its own metrics as `metrics`, a collector that is read at each scrape.

Labels must have few possible values. Never use an attribute of an event (type, source, subject) as a label.
"""

import bisect
import dataclasses
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pipeline import lazy

if TYPE_CHECKING:
    import prometheus_client
    from prometheus_client import metrics_core as core
    from prometheus_client.registry import Collector, CollectorRegistry
else:  # importing it takes a tenth of a function's start, and only a scrape needs it
    prometheus_client = lazy.module("prometheus_client")
    core = lazy.module("prometheus_client.metrics_core")
    Collector = object

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
"""The format that `Metrics.exposition` returns: that of prometheus_client."""

PREFIX = "vcenter_events_"

OUTCOMES = {202: "accepted", 200: "replied", 503: "retry", 500: "failed"}
"""Status of a response → its outcome. Every other status is `REJECTED`."""
REJECTED = "rejected"

SECONDS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the duration's buckets. Knative's default timeout is 30 s or less."""


@dataclasses.dataclass(frozen=True, eq=False)
class Metric:
    """The description of a metric: its row in `docs/reference/metrics.md`."""

    name: str
    """With the unit, and with `_total` if it is a counter."""
    type: Literal["counter", "gauge", "histogram"]
    meaning: str
    """One sentence, with a full stop."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Label → its possible values, in Markdown."""

    @property
    def unit(self) -> str:
        """The base unit that the name ends with, or "" for a number of things."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""

    def family(self, values: float | Mapping[tuple[str, ...], float] | None) -> "core.Metric":
        """Return the metric with *values*: one number, or label values → number, or None for no sample.

        Raises `TypeError` for a histogram.
        """
        if self.type == "histogram":
            raise TypeError(f"{self.name} is a histogram")
        by_labels = values if isinstance(values, Mapping) else {} if values is None else {(): values}
        make = core.CounterMetricFamily if self.type == "counter" else core.GaugeMetricFamily
        family = make(self.name, self.meaning, labels=tuple(self.labels))
        for labels, value in by_labels.items():
            family.add_metric(labels, value)
        return family


def counter(name: str, meaning: str, **labels: str) -> Metric:
    """Describe a counter. *name* goes between the prefix and `_total`."""
    return Metric(f"{PREFIX}{name}_total", "counter", meaning, labels)


def gauge(name: str, meaning: str, **labels: str) -> Metric:
    """Describe a gauge. *name* goes after the prefix."""
    return Metric(f"{PREFIX}{name}", "gauge", meaning, labels)


def histogram(name: str, meaning: str, **labels: str) -> Metric:
    """Describe a histogram. *name* goes after the prefix."""
    return Metric(f"{PREFIX}{name}", "histogram", meaning, labels)


class Counter(Collector):
    """A counter with at most one label, for use from many threads."""

    def __init__(self, metric: Metric, *label_values: str) -> None:
        """Start at 0 for each of the *label_values*. Without a label, leave them out."""
        self._metric = metric
        self._values = dict.fromkeys(label_values or ("",), 0)
        self._lock = threading.Lock()

    def add(self, label_value: str = "", count: int = 1) -> None:
        """Add *count*. Raises `KeyError` for a label value that the constructor did not get."""
        with self._lock:
            self._values[label_value] += count

    def value(self, label_value: str = "") -> int:
        """Return the count so far."""
        return self._values[label_value]

    def collect(self) -> "Iterator[core.Metric]":
        """Yield the counter."""
        with self._lock:
            values = dict(self._values)
        yield self._metric.family({(value,) if self._metric.labels else (): count for value, count in values.items()})


HANDLED = counter(
    "handled",
    "Events handled. A batch counts each of its events, and an invalid request counts once.",
    function="name of the function",
    outcome="`accepted` (202), `replied` (200), `rejected` (4xx), `retry` (503), `failed` (500)",
)
HANDLING_SECONDS = histogram(
    "handling_seconds", "Duration of the requests with events.", function=HANDLED.labels["function"]
)
HTTP_REJECTED = counter(
    "http_rejected",
    "Requests rejected before they reached the function.",
    status="`400` (malformed), `408` (too slow), `413` and `431` (too large), `503` (too many connections)",
)
UNEXPECTED_ERRORS = counter(
    "unexpected_errors",
    "Exceptions outside a request, each logged with its traceback. A thread that ends with one ends the process.",
)
BUILD_INFO = gauge("build_info", "Always 1.", function=HANDLED.labels["function"], version="version of the software")


class HandledEvents(Collector):
    """The events that a function handled, by outcome, and the duration of their requests."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._events = dict.fromkeys([*OUTCOMES.values(), REJECTED], 0)
        self._requests = [0] * (len(SECONDS_BOUNDS) + 1)
        self._seconds = 0.0
        self._lock = threading.Lock()

    def record(self, status: int, seconds: float, events: int = 1) -> None:
        """Count one request with *events* that was answered with *status* after *seconds*."""
        outcome = OUTCOMES.get(status, REJECTED)
        bucket = bisect.bisect_left(SECONDS_BOUNDS, seconds)
        with self._lock:  # one lock for all, because this runs for every event
            self._events[outcome] += events
            self._requests[bucket] += 1
            self._seconds += seconds

    def collect(self) -> "Iterator[core.Metric]":
        """Yield the counter and the histogram."""
        with self._lock:
            events, requests, seconds = dict(self._events), list(self._requests), self._seconds
        yield HANDLED.family({(self._function, outcome): count for outcome, count in events.items()})
        bounds = [*map(prometheus_client.utils.floatToGoString, SECONDS_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, itertools.accumulate(requests), strict=True))
        family = core.HistogramMetricFamily(
            HANDLING_SECONDS.name, HANDLING_SECONDS.meaning, labels=tuple(HANDLING_SECONDS.labels)
        )
        family.add_metric([self._function], buckets, seconds)
        yield family


class _BuildInfo(Collector):
    def __init__(self, function: str, version: str) -> None:
        self._labels = (function, version)

    def collect(self) -> "Iterator[core.Metric]":
        yield BUILD_INFO.family({self._labels: 1})


class Metrics:
    """Everything that one function's process exposes at `/metrics`."""

    def __init__(self, function: str, version: str, own: Collector | None = None) -> None:
        """Expose the metrics of every function, and *own*, those of the function itself."""
        self.handled = HandledEvents(function)
        self.http_rejected = Counter(HTTP_REJECTED, "400", "408", "413", "431", "503")
        self.unexpected_errors = Counter(UNEXPECTED_ERRORS)
        self._collectors: list[Collector] = [
            self.handled, self.http_rejected, self.unexpected_errors, _BuildInfo(function, version)
        ]  # fmt: skip
        if own is not None:
            self._collectors.append(own)

    def exposition(self) -> bytes:
        """Return all metrics in the format of `CONTENT_TYPE`."""
        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        for collector in self._collectors:
            registry.register(collector)
        _register_process_metrics(registry)
        return prometheus_client.generate_latest(registry)


def process_metrics() -> "Iterable[core.Metric]":
    """Return the metrics of the process, which prometheus_client defines: memory, CPU, files, garbage collection."""
    registry = prometheus_client.CollectorRegistry()
    _register_process_metrics(registry)
    return registry.collect()


def _register_process_metrics(registry: "CollectorRegistry") -> None:
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    prometheus_client.GCCollector(registry=registry)
