"""The metrics that every adapter has of its delivery, under its own name."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from prometheus_client.metrics_core import Metric as Family

from delivery.checkpointed_sink import CheckpointedSink
from delivery.dispatcher import Counts
from pipeline.metrics import Metric, counter, gauge

P = TypeVar("P")


class DeliveryMetrics(NamedTuple):
    """The descriptions of one adapter's metrics."""

    sent: Metric
    retries: Metric
    resent: Metric
    dead_lettered: Metric
    dropped: Metric
    errors: Metric
    in_flight: Metric
    sink_up: Metric

    @classmethod
    def of(cls, adapter: str) -> "DeliveryMetrics":
        """Return the metrics whose names begin with *adapter*, `poller` or `horizon`."""
        return cls(
            counter(f"{adapter}_sent", "Events acknowledged by the sink."),
            counter(f"{adapter}_retries", "Attempts to send an event after the first one."),
            counter(f"{adapter}_resent", "Events sent again after an outage of the sink."),
            counter(f"{adapter}_dead_lettered", "Events acknowledged by the dead-letter sink."),
            counter(f"{adapter}_dropped", "Events rejected permanently while no dead-letter sink is set."),
            counter(f"{adapter}_errors", "Unexpected errors, each logged with its traceback. The work was retried."),
            gauge(f"{adapter}_in_flight", "Events read and not yet acknowledged."),
            gauge(f"{adapter}_sink_up", "1 if the sink acknowledges events, else 0."),
        )

    def families(self, output: CheckpointedSink[P], counts: Counts) -> Iterator[Family]:
        """Yield the metrics with the values of *output* and *counts*."""
        yield self.sent.family(counts.sent)
        yield self.retries.family(counts.retries)
        yield self.resent.family(counts.resent)
        yield self.dead_lettered.family(counts.dead_lettered)
        yield self.dropped.family(counts.dropped)
        yield self.errors.family(counts.errors)
        yield self.in_flight.family(output.pending)
        yield self.sink_up.family(int(not output.failing))
