"""What `/metrics` shows, in Prometheus' terms."""

import datetime
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from functions.poller.parts import Parts, now
from vsphere.event import Position


class Metrics(Collector):
    """What `/metrics` shows, read from the parts when it is asked for; nothing is counted twice."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """The metrics, in Prometheus' terms: totals count up from the process's start."""
        parts, counts = self._parts, self._parts.counts
        for name, text, value in (
            ("read", "Events read from vCenter", parts.read),
            ("sent", "Events that the sink acknowledged", counts.sent),
            ("retried", "Tries after the first", counts.retried),
            ("resent", "Events that the sink had acknowledged, sent again after it broke", counts.resent),
            ("dead_lettered", "Events that the dead-letter sink acknowledged", counts.dead_lettered),
            ("refused", "Events refused for good with no dead-letter sink set", counts.refused),
        ):
            yield CounterMetricFamily(f"vcenter_events_{name}", text, value)
        sink = parts.sink
        oldest = sink.oldest_open if sink else None
        at_vcenter = now() + parts.vcenter.clock_lead
        for name, text, gauge in (
            ("vcenter_events_pending", "Events read and not yet acknowledged", sink.pending if sink else 0),
            (
                "vcenter_events_lag_seconds",
                "Age of the oldest event not yet acknowledged",
                _age(oldest, at_vcenter) or 0,
            ),
            (
                "vcenter_checkpoint_age_seconds",
                "Age of the event that the checkpoint names",
                _age(parts.saved, at_vcenter),
            ),
            ("vcenter_session_up", "Whether there is a session with vCenter", int(parts.vcenter.connected)),
            ("vcenter_sink_failing", "Whether the sink does not take events now", int(bool(sink and sink.failing))),
        ):
            if gauge is not None:
                yield GaugeMetricFamily(name, text, gauge)


def _age(position: Position | None, moment: datetime.datetime) -> float | None:
    return max(0.0, (moment - position.created_time).total_seconds()) if position else None
