"""The summary of an event that every viewer gets: some 250 bytes, a JSON list in the order of `COLUMNS`."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline import payload, severity
from pipeline.cloudevents import CloudEvent

MESSAGE_CHARACTERS = 200
"""What a row shows of a message; the whole event is a click away."""

ATTRIBUTE_CHARACTERS = 200
"""What a row holds of an attribute."""

COLUMNS = (
    "seq", "repeats", "received", "severity", "time", "type", "source", "subject", "id", "contenttype", "size",
    "target", "user", "chain", "message", "kind",
)  # fmt: skip
"""What a row lists: first what the ring knows (number, repeats, when it came in ms since 1970), then the `Summary`."""


class Summary(NamedTuple):
    """What is read from the event itself."""

    severity: str
    """As `severity.of` says it."""
    time: str
    type: str
    source: str
    subject: str
    id: str
    contenttype: str
    size: int
    """Of the payload, in bytes."""
    target: str
    """The VM, host, datastore, cluster … that it is about."""
    user: str
    chain: str
    """vCenter's ChainId, the same for all events of one operation; "" if none."""
    message: str
    kind: str = ""
    """Of the target: `vm`, `host` …, as `payload.Target` has it. Last, for files that were written without it."""


def summary(event: CloudEvent) -> Summary:
    """What a row says of *event*."""
    known, properties = event.attributes, payload.fields(event)
    about = payload.about(event)

    def attribute(name: str) -> str:
        return known.get(name, "")[:ATTRIBUTE_CHARACTERS]

    return Summary(
        severity=severity.of(known["type"], properties),
        time=attribute("time")[:40],
        type=attribute("type"),
        source=attribute("source"),
        subject=attribute("subject"),
        id=attribute("id"),
        contenttype=attribute("datacontenttype"),
        size=len(event.data),
        target=_target(about, known.get("subject", "")),
        user=payload.user(event),
        chain=_chain(properties),
        message=payload.message(event, MESSAGE_CHARACTERS),
        kind=about.kind,
    )


def write(seq: int, repeats: int, received_ms: int, event_summary: Summary) -> bytes:
    """The row as JSON."""
    return json.dumps([seq, repeats, received_ms, *event_summary], ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def _target(about: payload.Target, subject: str) -> str:
    """The target's name; of the subject `VirtualMachine/vm-12` only `vm-12`, for the kind says the rest."""
    return subject.partition("/")[2][:ATTRIBUTE_CHARACTERS] if about.kind and about.name == subject else about.name


def _chain(properties: Mapping[str, Any]) -> str:
    chain = properties.get("ChainId")
    return str(chain)[:20] if isinstance(chain, int | str) and str(chain) not in ("", "0") else ""
