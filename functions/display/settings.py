"""The display."""

import dataclasses
from pathlib import Path

from functions.display.origin import host_names
from functions.display.triggers import Source, trigger_source
from pipeline import bounds
from pipeline.settings.parsers import duration, flag, http_url, text, whole_number
from pipeline.settings.variable import Secret, setting


def stream_duration(value: str) -> float:
    """Parse a duration of a second or more. With shorter streams, reconnecting pages would keep the display busy."""
    seconds = duration(value)
    if seconds < 1:
        raise ValueError(f"is {value!r}, less than a second")
    return seconds


@dataclasses.dataclass(frozen=True)
class DisplaySettings:
    """The page and its events."""

    events: int = setting(
        "DISPLAY_EVENTS",
        whole_number(1, 1_000_000),
        "Maximum events that the page keeps. The oldest are removed first.",
        example="10000",
        default=str(bounds.DISPLAYED_EVENTS),
    )
    megabytes: int = setting(
        "DISPLAY_MEGABYTES",
        whole_number(1, 100_000),
        "Maximum memory of these events in MB. The oldest are removed first.",
        example="64",
        default=str(bounds.DISPLAYED_MEGABYTES),
    )
    viewers: int = setting(
        "DISPLAY_VIEWERS",
        whole_number(1, 100_000),
        "Maximum number of open pages.",
        example="2500",
        default=str(bounds.VIEWERS),
    )
    stream_seconds: float = setting(
        "DISPLAY_STREAM",
        stream_duration,
        "Duration of a stream, after which the page opens the next. Less than the Service's `timeoutSeconds`.",
        example="60s",
        default="60s",
    )
    file: Path | None = setting(
        "DISPLAY_FILE",
        Path,
        "SQLite file on a volume that keeps the events, also those for which memory has no place.",
        example="/data/display.db",
        default=None,
        unset="memory, which a restart empties",
    )
    file_megabytes: int = setting(
        "DISPLAY_FILE_MEGABYTES",
        whole_number(1, 1_000_000),
        "Maximum size of this file in MB, less than the volume. The oldest events are removed first, errors and "
        "warnings last.",
        example="4000",
        default="500",
    )
    token: Secret | None = setting(
        "DISPLAY_TOKEN",
        Secret,
        "Bearer token that requests must have. Browsers send it as the password.",
        example="'…'",
        default=None,
        unset="no authentication",
    )
    login: Secret | None = setting(
        "DISPLAY_LOGIN",
        Secret,
        "`user:password` that requests must have (HTTP Basic authentication).",
        example="'admin:…'",
        default=None,
        unset="no authentication",
    )
    hosts: tuple[str, ...] | None = setting(
        "DISPLAY_HOSTS",
        host_names,
        "Names under which the page may be opened without a login, in addition to IP addresses, localhost and names in "
        "the cluster. `*` allows every name.",
        example="events.example.com",
        default=None,
        unset="no other names",
    )
    allow_send: bool = setting(
        "DISPLAY_ALLOW_SEND",
        flag,
        "Allow readers to send and replay events, to `K_SINK` or to the display, and to redrive and drop dead letters. "
        "Needs `DISPLAY_LOGIN` or `DISPLAY_TOKEN`.",
        example="true",
        default="false",
    )
    sink: str | None = setting(
        "K_SINK",
        http_url,
        "Address to which the page sends events, if `DISPLAY_ALLOW_SEND` is set.",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
        unset="the display itself",
    )
    dead_letters: str | None = setting(
        "DISPLAY_DEAD_LETTERS",
        http_url,
        "Address of the deadletter function, whose dead letters the page shows.",
        example="http://deadletter.vcenter-events.svc.cluster.local",
        default=None,
        unset="no dead letters",
    )
    dead_letters_token: Secret | None = setting(
        "DISPLAY_DEAD_LETTERS_TOKEN",
        Secret,
        "`DEADLETTER_TOKEN` of the deadletter function, to redrive and drop dead letters.",
        example="'…'",
        default=None,
        unset="dead letters can only be read",
    )
    triggers: Source | None = setting(
        "DISPLAY_TRIGGERS",
        trigger_source,
        "`cluster`, or files and folders with Triggers as YAML, separated by colons. An open event says which Triggers "
        "select it. `overlays/triggers` sets it and allows the display to list them.",
        example="cluster",
        default=None,
        unset="no Triggers",
    )
    service: str = setting(
        "K_SERVICE", text, "Name of the Knative Service. Knative sets it.", example="display", default="display"
    )

    @property
    def is_protected(self) -> bool:
        """Return whether readers need a login or a token."""
        return self.token is not None or self.login is not None

    def errors(self) -> list[str]:
        """Return the errors of values that contradict each other."""
        if self.allow_send and not self.is_protected:
            return ["DISPLAY_ALLOW_SEND needs DISPLAY_LOGIN or DISPLAY_TOKEN. Without them, everybody may send."]
        return []
