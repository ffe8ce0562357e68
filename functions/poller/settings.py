"""The poller's settings: vCenter, sink, checkpoint."""

import dataclasses
import math

from delivery.settings import CheckpointSettings, SinkSettings
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
    checkpoint: CheckpointSettings
    encoding: str = setting(
        "PAYLOAD_ENCODING",
        one_of("application/json", "application/xml"),
        "Encoding of the event data.",
        example="application/xml",
        default="application/json",
    )
    replay_window_seconds: float = setting(
        "CHECKPOINT_MAX_AGE",
        duration,
        "How far back to replay after a restart. `0` disables replay (at-most-once delivery).",
        example="5m",
        default="5m",
    )
    follow_seconds: float = setting(
        "FOLLOW_SECONDS",
        follow_duration,
        "How long to follow new events after a start or a tick. `0`: each tick reads the events that are there and "
        "returns. `always`: follow without ticks.",
        example="15s",
        default="15s",
    )
    heartbeat_seconds: float = setting(
        "HEARTBEAT",
        duration,
        "Interval of the status event by which the display sees that the poller runs and the Broker delivers. "
        "`0`: never.",
        example="30s",
        default="0",
    )
