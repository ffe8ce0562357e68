"""The metrics of Horizon's adapter."""

import datetime
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from delivery.checkpointed_sink import CheckpointedSink
from delivery.metrics import DeliveryMetrics
from delivery.progress import Progress, now
from functions.horizon.cursor import Position
from functions.horizon.session import Session
from pipeline.metrics import counter, gauge

READ = counter("horizon_read", "Events read from Horizon.")
DELIVERY = DeliveryMetrics.of("horizon")
LAG_SECONDS = gauge("horizon_lag_seconds", "Age of the oldest event not yet acknowledged.")
CHECKPOINT_AGE_SECONDS = gauge("horizon_checkpoint_age_seconds", "Age of the event at the checkpoint.")
SESSION_UP = gauge("horizon_session_up", "1 if there is a session with Horizon, else 0.")


class HorizonMetrics(Collector):
    """The adapter's metrics, read from its state at each scrape, so that nothing is counted twice."""

    def __init__(self, session: Session, output: CheckpointedSink[Position], progress: Progress[Position]) -> None:
        self._session = session
        self._output = output
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the counters, which start at 0 with the process, and the gauges."""
        yield READ.family(self._progress.read)
        yield from DELIVERY.families(self._output, self._progress.counts)
        sink = self._output.sink
        moment = now()
        yield LAG_SECONDS.family(_age_seconds(sink.in_flight.oldest_open if sink else None, moment) or 0)
        yield CHECKPOINT_AGE_SECONDS.family(_age_seconds(self._progress.saved, moment))
        yield SESSION_UP.family(int(self._session.connected))


def _age_seconds(position: Position | None, moment: datetime.datetime) -> float | None:
    return max(0.0, moment.timestamp() - position.time_ms / 1000) if position else None
