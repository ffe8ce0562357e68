"""The poller's metrics."""

import datetime
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from delivery.checkpointed_sink import CheckpointedSink
from delivery.metrics import DeliveryMetrics
from delivery.progress import Progress, now
from pipeline.metrics import counter, gauge
from vsphere.event import Position
from vsphere.session import Session

READ = counter("poller_read", "Events read from vCenter.")
DELIVERY = DeliveryMetrics.of("poller")
LAG_SECONDS = gauge("poller_lag_seconds", "Age of the oldest event not yet acknowledged.")
CHECKPOINT_AGE_SECONDS = gauge("poller_checkpoint_age_seconds", "Age of the event at the checkpoint.")
SESSION_UP = gauge("poller_session_up", "1 if there is a session with vCenter, else 0.")


class PollerMetrics(Collector):
    """The poller's metrics, read from its state at each scrape, so that nothing is counted twice."""

    def __init__(self, session: Session, output: CheckpointedSink[Position], progress: Progress[Position]) -> None:
        self._session = session
        self._output = output
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the counters, which start at 0 with the process, and the gauges."""
        yield READ.family(self._progress.read)
        yield from DELIVERY.families(self._output, self._progress.counts)
        sink = self._output.sink
        oldest = sink.in_flight.oldest_open if sink else None
        vcenter_now = now() + self._session.clock_lead
        yield LAG_SECONDS.family(_age_seconds(oldest, vcenter_now) or 0)
        yield CHECKPOINT_AGE_SECONDS.family(_age_seconds(self._progress.saved, vcenter_now))
        yield SESSION_UP.family(int(self._session.connected))


def _age_seconds(position: Position | None, moment: datetime.datetime) -> float | None:
    return max(0.0, (moment - position.created_time).total_seconds()) if position else None
