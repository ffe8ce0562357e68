"""The settings of a sink and of a checkpoint."""

import dataclasses
import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from pipeline import bounds
from pipeline.settings.parsers import duration, http_url, whole_number
from pipeline.settings.variable import setting


def ce_overrides(value: str) -> Mapping[str, str]:
    """Return extension name → value from SinkBinding's JSON, `{"extensions": {"name": "value"}}`."""
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


def checkpoint_address(value: str) -> str:
    """Return *value*, which is `configmap:NAME`, `file:PATH` or `memory:`."""
    store, colon, name = value.partition(":")
    if not colon or store not in ("configmap", "file", "memory") or bool(name) == (store == "memory"):
        raise ValueError(f"is {value!r}, not configmap:NAME, file:PATH or memory:")
    return value


@dataclasses.dataclass(frozen=True)
class SinkSettings:
    """The sink and the retries. SinkBinding injects `K_SINK` and `K_CE_OVERRIDES`."""

    url: str = setting(
        "K_SINK",
        http_url,
        "URL that receives the events.",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
    )
    overrides: Mapping[str, str] = setting(
        "K_CE_OVERRIDES",
        ce_overrides,
        "Attributes to add to every event.",
        example='{"extensions":{"site":"berlin"}}',
        default='{"extensions":{}}',
    )
    dead_letter_url: str | None = setting(
        "DEAD_LETTER_SINK",
        http_url,
        "URL that receives the events that the sink rejects permanently. Unset: they are logged in full.",
        example="http://deadletter.vcenter-events.svc",
        default=None,
    )
    timeout_seconds: float = setting(
        "SINK_TIMEOUT", duration, "Maximum time to wait for one response.", example="10s", default="10s"
    )
    backoff_seconds: float = setting(
        "SINK_BACKOFF",
        duration,
        "Delay before the first retry. It doubles with each further retry.",
        example="200ms",
        default="200ms",
    )
    max_backoff_seconds: float = setting(
        "SINK_BACKOFF_MAX", duration, "Maximum delay between two attempts.", example="30s", default="30s"
    )
    max_attempts: int = setting(
        "SINK_MAX_ATTEMPTS",
        whole_number(1, 1000),
        "Maximum attempts for an event that the sink keeps answering with an error. The event then goes to "
        "`DEAD_LETTER_SINK`. Without a dead-letter sink, the number of attempts is unlimited.",
        example="10",
        default="10",
    )
    concurrency: int = setting(
        "SINK_CONCURRENCY",
        whole_number(1, 256),
        "Maximum number of concurrent requests to the sink. Events of one entity are sent one at a time, in order.",
        example="16",
        default="16",
    )
    max_in_flight: int = setting(
        "SINK_MAX_IN_FLIGHT",
        whole_number(1, 100_000),
        "Maximum number of events that are read and not yet acknowledged.",
        example="2000",
        default=str(bounds.EVENTS_IN_FLIGHT),
    )
    resend_seconds: float = setting(
        "SINK_RESEND",
        duration,
        "Resend events acknowledged within this period before the sink failed (5xx or timeout), for a Broker that "
        "keeps events in memory. `0` disables this.",
        example="5s",
        default="0",
    )


@dataclasses.dataclass(frozen=True)
class CheckpointSettings:
    """The checkpoint of an adapter."""

    address: str = setting(
        "CHECKPOINT",
        checkpoint_address,
        "Where to keep the checkpoint: `configmap:NAME`, `file:PATH` or `memory:`.",
        example="configmap:vcenter-poller-configmap",
        default="memory:",
    )
    period_seconds: float = setting(
        "CHECKPOINT_PERIOD",
        duration,
        "Maximum time until an acknowledged position is saved.",
        example="10s",
        default="10s",
    )
