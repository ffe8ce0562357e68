"""The poller's metrics."""

import datetime
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from functions.poller.checkpointed_sink import CheckpointedSink
from functions.poller.progress import Progress, now
from vsphere.event import Position
from vsphere.session import Session


class PollerMetrics(Collector):
    """The poller's metrics, read from its state when they are scraped, so that nothing is counted twice."""

    def __init__(self, session: Session, output: CheckpointedSink, progress: Progress) -> None:
        self._session = session
        self._output = output
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the counters, which start at 0 with the process, and the gauges."""
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        counts = self._progress.counts
        for name, meaning, value in (
            ("read", "Events read from vCenter.", self._progress.read),
            ("sent", "Events acknowledged by the sink.", counts.sent),
            ("retries", "Attempts to send an event after the first one.", counts.retries),
            ("resent", "Events sent again after an outage of the sink.", counts.resent),
            ("dead_lettered", "Events acknowledged by the dead-letter sink.", counts.dead_lettered),
            ("dropped", "Events rejected permanently while no dead-letter sink is set.", counts.dropped),
        ):
            yield CounterMetricFamily(f"vcenter_events_{name}", meaning, value)

    def _gauges(self) -> Iterator[Metric]:
        sink = self._output.sink
        oldest = sink.in_flight.oldest_open if sink else None
        vcenter_now = now() + self._session.clock_lead
        for name, meaning, value in (
            ("vcenter_events_in_flight", "Events read and not yet acknowledged.", self._output.pending),
            (
                "vcenter_events_lag_seconds",
                "Age of the oldest event not yet acknowledged.",
                _age_seconds(oldest, vcenter_now) or 0,
            ),
            (
                "vcenter_checkpoint_age_seconds",
                "Age of the event at the checkpoint.",
                _age_seconds(self._progress.saved, vcenter_now),
            ),
            ("vcenter_session_up", "1 if there is a session with vCenter.", int(self._session.connected)),
            ("vcenter_sink_failing", "1 if the sink does not acknowledge events.", int(bool(self._output.failing))),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, meaning, value)


def _age_seconds(position: Position | None, moment: datetime.datetime) -> float | None:
    return max(0.0, (moment - position.created_time).total_seconds()) if position else None
