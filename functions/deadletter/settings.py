"""deadletter: where letters are kept, and how many."""

import dataclasses
from pathlib import Path

from pipeline.settings.parsers import duration, http_url, whole_number
from pipeline.settings.variable import setting


def new_file(value: str) -> Path:
    """The path of a file, in a folder that exists."""
    path = Path(value)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"is {value!r}, not a file in a folder that exists")
    return path


@dataclasses.dataclass(frozen=True)
class DeadletterSettings:
    """The dead-letter sink."""

    broker_url: str | None = setting(
        "K_SINK",
        http_url,
        "where redriven events are sent: the Broker that they failed at; unset: nothing can be redriven",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
    )
    file: Path | None = setting(
        "DEADLETTER_FILE",
        new_file,
        "SQLite file that keeps the dead letters, on a volume; unset: memory, which a restart empties",
        example="/data/letters.sqlite",
        default=None,
    )
    handover_url: str | None = setting(
        "DEADLETTER_HANDOVER",
        http_url,
        "this function's own address, where a pod that ends hands its letters to the next; unset: they go with it",
        example="http://deadletter.vcenter-events.svc.cluster.local",
        default=None,
    )
    most: int = setting(
        "DEADLETTER_LETTERS",
        whole_number(1, 1_000_000),
        "letters kept at most; redriven and dropped ones go first, then the oldest",
        example="10000",
        default="10000",
    )
    megabytes: int = setting(
        "DEADLETTER_MEGABYTES",
        whole_number(1, 100_000),
        "size of their events at most, in MB; likewise",
        example="256",
        default="256",
    )
    age_seconds: float = setting(
        "DEADLETTER_AGE",
        duration,
        "how long a letter is kept after its last failure",
        example="720h",
        default="720h",
    )
