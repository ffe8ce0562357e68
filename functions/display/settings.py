"""The display."""

import dataclasses
from pathlib import Path

from pipeline.settings.parsers import duration, flag, http_url, text, whole_number
from pipeline.settings.variable import Secret, setting


def stream_duration(value: str) -> float:
    """A duration of a second or more: a page that opens streams all the time would keep the display busy."""
    seconds = duration(value)
    if seconds < 1:
        raise ValueError(f"is {value!r}, less than a second")
    return seconds


@dataclasses.dataclass(frozen=True)
class DisplaySettings:
    """The display's page."""

    events: int = setting(
        "DISPLAY_EVENTS",
        whole_number(1, 1_000_000),
        "events held at most; the oldest goes first",
        example="10000",
        default="10000",
    )
    megabytes: int = setting(
        "DISPLAY_MEGABYTES",
        whole_number(1, 100_000),
        "memory that held events may take, in MB; the oldest goes first",
        example="64",
        default="64",
    )
    stream_seconds: float = setting(
        "DISPLAY_STREAM",
        stream_duration,
        "how long a stream lasts until the page opens the next: less than the Service's timeoutSeconds",
        example="60s",
        default="60s",
    )
    file: Path | None = setting(
        "DISPLAY_FILE",
        Path,
        "SQLite file that keeps the held events, on a volume; unset: memory, which a restart empties",
        example="/data/display.db",
        default=None,
    )
    token: Secret | None = setting(
        "DISPLAY_TOKEN",
        Secret,
        "bearer token that readers must bring, browsers as the password; unset: none",
        example="'…'",
        default=None,
    )
    login: Secret | None = setting(
        "DISPLAY_LOGIN", Secret, "user:password that readers must give; unset: none", example="'admin:…'", default=None
    )
    allow_send: bool = setting(
        "DISPLAY_ALLOW_SEND",
        flag,
        "let whoever may read also send and replay events, to K_SINK or to the display itself, and redrive and drop "
        "dead letters",
        example="true",
        default="false",
    )
    sink: str | None = setting(
        "K_SINK",
        http_url,
        "where the page sends events, if it may; unset: only to itself",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
    )
    dead_letters: str | None = setting(
        "DISPLAY_DEAD_LETTERS",
        http_url,
        "the deadletter function, whose letters the page then shows; unset: no such tab",
        example="http://deadletter.vcenter-events.svc.cluster.local",
        default=None,
    )
    service: str = setting(
        "K_SERVICE", text, "name of the Knative Service, which Knative injects", example="display", default="display"
    )
