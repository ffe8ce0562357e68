"""The poller: vCenter, sink, checkpoint."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.settings.parsers import duration, existing_file, flag, http_url, one_of, text, whole_number, words
from pipeline.settings.variable import Secret, setting


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


def entity(value: str) -> str:
    """`Type/id`, as in an event's subject."""
    if not re.fullmatch(r"[A-Za-z]+/[\w.-]+", value):
        raise ValueError(f"is {value!r}, not of the form Type/id")
    return value


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
class VCenterSettings:
    """Which vCenter, and how to log in. The names are those that VSphereBinding injected."""

    url: str = setting("VC_URL", http_url, "the vCenter's address", example="https://vcenter.example")
    insecure: bool = setting(
        "VC_INSECURE", flag, "accept any certificate: only for tests", example="true", default="false"
    )
    ca_bundle: str | None = setting(
        "VC_CA_BUNDLE",
        existing_file,
        "file of the authorities that signed vCenter's certificate, in PEM; unset: the system's",
        example="/etc/vcenter/ca.pem",
        default=None,
    )
    username: str | None = setting(
        "VC_USERNAME", text, "user name, unless a secret is mounted", example="events@vsphere.local", default=None
    )
    password: Secret | None = setting(
        "VC_PASSWORD", Secret, "password, unless a secret is mounted", example="'…'", default=None
    )
    secret_path: Path = setting(
        "VC_SECRET_PATH",
        Path,
        "folder of a mounted secret with the files username and password; read again at every login",
        example="/var/bindings/vsphere",
        default="/var/bindings/vsphere",
    )

    event_types: tuple[str, ...] = setting(
        "EVENT_TYPES",
        words,
        "event classes, or type ids of an EventEx, to read, separated by commas; unset: all",
        example="VmPoweredOnEvent,VmPoweredOffEvent",
        default="",
    )
    entity: str | None = setting(
        "ENTITY",
        entity,
        "managed entity to read the events of, with all below it; unset: all",
        example="Folder/group-d1",
        default=None,
    )

    @property
    def sdk_url(self) -> str:
        """The SDK's address, `https://host[:port]/sdk`, which is every event's `source`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/sdk'}"

    def login(self) -> tuple[str, Secret]:
        """User name and password as they are now: of the variables, else of the mounted files.

        Raises `SettingsError` where there are neither.
        """
        if self.username and self.password:
            return self.username, self.password
        try:
            name, password = (
                (self.secret_path / file).read_text(encoding="utf-8") for file in ("username", "password")
            )
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [
                    (
                        "VC_USERNAME and VC_PASSWORD are not both set, and the secret's files in "
                        f"{self.secret_path} (VC_SECRET_PATH) cannot be read: {error}"
                    )
                ]
            ) from error
        return name.rstrip("\r\n"), Secret(password.rstrip("\r\n"))

    def faults(self) -> list[str]:
        """What is wrong with the values together."""
        try:
            self.login()
        except SettingsError as error:
            return list(error.faults)
        return []


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
