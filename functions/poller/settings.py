"""The poller's settings: vCenter, sink, checkpoint."""

import dataclasses
import math

from delivery.settings import SinkSettings, checkpoint_address
from pipeline.settings.parsers import duration, one_of
from pipeline.settings.variable import setting
from vsphere.settings import VCenterSettings


def follow_duration(value: str) -> float:
    """Return the seconds of a duration. `always` is infinity."""
    return math.inf if value == "always" else duration(value)


@dataclasses.dataclass(frozen=True)
class PollerSettings:
    """The settings of the function `poller`."""

    vcenter: VCenterSettings
    sink: SinkSettings
    encoding: str = setting(
        "PAYLOAD_ENCODING",
        one_of("application/json", "application/xml"),
        "Encoding of the event data.",
        example="application/xml",
        default="application/json",
    )
    checkpoint: str = setting(
        "CHECKPOINT",
        checkpoint_address,
        "Where to keep the checkpoint: `configmap:NAME`, `file:PATH` or `memory:`.",
        example="configmap:vcenter-poller-configmap",
        default="memory:",
    )
    replay_window_seconds: float = setting(
        "CHECKPOINT_MAX_AGE",
        duration,
        "How far back to replay after a restart. `0` disables replay (at-most-once delivery).",
        example="5m",
        default="5m",
    )
    checkpoint_period_seconds: float = setting(
        "CHECKPOINT_PERIOD",
        duration,
        "Maximum time until an acknowledged position is saved.",
        example="10s",
        default="10s",
    )
    follow_seconds: float = setting(
        "FOLLOW_SECONDS",
        follow_duration,
        "How long to follow new events after a start or a tick. `0`: each tick reads the events that are there and "
        "returns. `always`: follow without ticks.",
        example="15s",
        default="15s",
    )
