"""The poller: vCenter, sink, checkpoint."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from pipeline.settings.parsers import duration, http_url, one_of, whole_number
from pipeline.settings.variable import setting
from vsphere.settings import VCenterSettings


def ce_overrides(value: str) -> Mapping[str, str]:
    """Extension name → value, from SinkBinding's JSON `{"extensions": {"name": "value"}}`."""
    try:
        extensions = json.loads(value).get("extensions") or {}
        names = {name: str(extensions[name]) for name in extensions}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError('is not JSON of the form {"extensions": {"name": "value"}}') from error
    bad = [name for name in names if not re.fullmatch(r"[a-z0-9]+", name)]
    if bad:
        raise ValueError(
            f"names {', '.join(map(repr, bad))}: CloudEvents attribute names are lower-case letters and digits"
        )
    return MappingProxyType(names)


def follow_duration(value: str) -> float:
    """A duration, or `always`, which is infinity."""
    return math.inf if value == "always" else duration(value)


def checkpoint_address(value: str) -> str:
    """`configmap:NAME`, `file:PATH` or `memory:`."""
    kind, colon, name = value.partition(":")
    if not colon or kind not in ("configmap", "file", "memory") or bool(name) == (kind == "memory"):
        raise ValueError(f"is {value!r}, not configmap:NAME, file:PATH or memory:")
    return value


@dataclasses.dataclass(frozen=True)
class SinkSettings:
    """Where events go, and how patiently. `K_SINK` and `K_CE_OVERRIDES` are what SinkBinding injects."""

    url: str = setting(
        "K_SINK",
        http_url,
        "where events are sent",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
    )
    overrides: Mapping[str, str] = setting(
        "K_CE_OVERRIDES",
        ce_overrides,
        "attributes to add to every event",
        example='{"extensions":{"site":"berlin"}}',
        default='{"extensions":{}}',
    )
    dead_letter_url: str | None = setting(
        "DEAD_LETTER_SINK",
        http_url,
        "where an event goes that the sink refuses for good; unset: it is logged whole",
        example="http://deadletter.vcenter-events.svc",
        default=None,
    )
    timeout_seconds: float = setting(
        "SINK_TIMEOUT", duration, "longest wait for one answer", example="10s", default="10s"
    )
    backoff_seconds: float = setting(
        "SINK_BACKOFF",
        duration,
        "wait before the second try; it doubles with each further one",
        example="200ms",
        default="200ms",
    )
    backoff_most_seconds: float = setting(
        "SINK_BACKOFF_MAX", duration, "longest wait between two tries", example="30s", default="30s"
    )
    tries: int = setting(
        "SINK_TRIES",
        whole_number(1, 1000),
        "tries of an event that the sink keeps answering with an error, before the dead-letter sink gets it; "
        "without one it is tried for ever",
        example="10",
        default="10",
    )
    lanes: int = setting(
        "SINK_LANES",
        whole_number(1, 256),
        "events under way to the sink at once; those of one entity never overtake each other",
        example="16",
        default="16",
    )
    window: int = setting(
        "SINK_WINDOW",
        whole_number(1, 100_000),
        "events read and not yet acknowledged, at most",
        example="2000",
        default="2000",
    )
    resend_seconds: float = setting(
        "SINK_RESEND",
        duration,
        "what the sink took so long before it broke (5xx, or no answer in time) is sent again: for a Broker that keeps "
        "events in memory; 0: never",
        example="5s",
        default="0",
    )


@dataclasses.dataclass(frozen=True)
class PollerSettings:
    """The poller: vCenter's history to the sink."""

    vcenter: VCenterSettings
    sink: SinkSettings
    encoding: str = setting(
        "PAYLOAD_ENCODING",
        one_of("application/json", "application/xml"),
        "how an event's data are written",
        example="application/xml",
        default="application/json",
    )
    checkpoint: str = setting(
        "CHECKPOINT",
        checkpoint_address,
        "where the position is kept: configmap:NAME, file:PATH or memory:",
        example="configmap:vcenter-poller-configmap",
        default="memory:",
    )
    replay_window_seconds: float = setting(
        "CHECKPOINT_MAX_AGE",
        duration,
        "how far back a start may go; 0: never back, so that an event is sent at most once",
        example="5m",
        default="5m",
    )
    checkpoint_period_seconds: float = setting(
        "CHECKPOINT_PERIOD",
        duration,
        "longest time an acknowledged position stays unsaved",
        example="10s",
        default="10s",
    )
    follow_seconds: float = setting(
        "FOLLOW_SECONDS",
        follow_duration,
        "how long start and tick keep following new events; 0: a tick reads what is there and returns; "
        "always: needs no ticks",
        example="15s",
        default="15s",
    )
