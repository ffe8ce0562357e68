"""The poller's metrics."""

import datetime
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from functions.poller.checkpointed_sink import CheckpointedSink
from functions.poller.progress import Progress, now
from pipeline.metrics import counter, gauge
from vsphere.event import Position
from vsphere.session import Session

READ = counter("poller_read", "Events read from vCenter.")
SENT = counter("poller_sent", "Events acknowledged by the sink.")
RETRIES = counter("poller_retries", "Attempts to send an event after the first one.")
RESENT = counter("poller_resent", "Events sent again after an outage of the sink.")
DEAD_LETTERED = counter("poller_dead_lettered", "Events acknowledged by the dead-letter sink.")
DROPPED = counter("poller_dropped", "Events rejected permanently while no dead-letter sink is set.")
ERRORS = counter("poller_errors", "Unexpected errors, each logged with its traceback. The work was retried.")
IN_FLIGHT = gauge("poller_in_flight", "Events read and not yet acknowledged.")
LAG_SECONDS = gauge("poller_lag_seconds", "Age of the oldest event not yet acknowledged.")
CHECKPOINT_AGE_SECONDS = gauge("poller_checkpoint_age_seconds", "Age of the event at the checkpoint.")
SESSION_UP = gauge("poller_session_up", "1 if there is a session with vCenter, else 0.")
SINK_UP = gauge("poller_sink_up", "1 if the sink acknowledges events, else 0.")


class PollerMetrics(Collector):
    """The poller's metrics, read from its state at each scrape, so that nothing is counted twice."""

    def __init__(self, session: Session, output: CheckpointedSink, progress: Progress) -> None:
        self._session = session
        self._output = output
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the counters, which start at 0 with the process, and the gauges."""
        counts = self._progress.counts
        yield READ.family(self._progress.read)
        yield SENT.family(counts.sent)
        yield RETRIES.family(counts.retries)
        yield RESENT.family(counts.resent)
        yield DEAD_LETTERED.family(counts.dead_lettered)
        yield DROPPED.family(counts.dropped)
        yield ERRORS.family(counts.errors)
        sink = self._output.sink
        oldest = sink.in_flight.oldest_open if sink else None
        vcenter_now = now() + self._session.clock_lead
        yield IN_FLIGHT.family(self._output.pending)
        yield LAG_SECONDS.family(_age_seconds(oldest, vcenter_now) or 0)
        yield CHECKPOINT_AGE_SECONDS.family(_age_seconds(self._progress.saved, vcenter_now))
        yield SESSION_UP.family(int(self._session.connected))
        yield SINK_UP.family(int(not self._output.failing))


def _age_seconds(position: Position | None, moment: datetime.datetime) -> float | None:
    return max(0.0, (moment - position.created_time).total_seconds()) if position else None
