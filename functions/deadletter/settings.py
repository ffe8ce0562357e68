"""Settings of the dead-letter sink: where dead letters are kept, how many, and where they go."""

import dataclasses
from pathlib import Path

from pipeline import bounds
from pipeline.settings.parsers import duration, http_url, whole_number
from pipeline.settings.variable import Secret, setting


def new_file(value: str) -> Path:
    """Return the path of a file, which need not exist, in a folder that does. Raises `ValueError`."""
    path = Path(value)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"is {value!r}, not a file in a folder that exists")
    return path


@dataclasses.dataclass(frozen=True)
class DeadLetterSettings:
    """The dead-letter sink."""

    broker_url: str | None = setting(
        "K_SINK",
        http_url,
        "The Broker that receives redriven events.",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
        unset="nothing can be redriven",
    )
    file: Path | None = setting(
        "DEADLETTER_FILE",
        new_file,
        "SQLite file for the dead letters, on a volume.",
        example="/data/dead-letters.sqlite",
        default=None,
        unset="memory, which a restart empties",
    )
    handover_url: str | None = setting(
        "DEADLETTER_HANDOVER",
        http_url,
        "Address of this function, where a pod that shuts down sends its dead letters to the next pod.",
        example="http://deadletter.vcenter-events.svc.cluster.local",
        default=None,
        unset="they are lost with the pod's volume",
    )
    token: Secret | None = setting(
        "DEADLETTER_TOKEN",
        Secret,
        "Bearer token that requests to redrive, drop and hand over must have.",
        example="'…'",
        default=None,
        unset="such requests are rejected, and nothing is handed over",
    )
    max_events: int = setting(
        "DEADLETTER_EVENTS",
        whole_number(1, 1_000_000),
        "Maximum number of dead letters. Redriven and dropped ones are deleted first, then the oldest.",
        example="10000",
        default=str(bounds.DEAD_LETTERS),
    )
    megabytes: int = setting(
        "DEADLETTER_MEGABYTES",
        whole_number(1, 100_000),
        "Maximum size of their events, in MB. Deleted in the same order.",
        example="256",
        default=str(bounds.DEAD_LETTERS_MEGABYTES),
    )
    age_seconds: float = setting(
        "DEADLETTER_AGE",
        duration,
        "Age, since the last failure, at which a redriven or dropped dead letter is deleted. Waiting ones stay.",
        example="720h",
        default="720h",
    )
