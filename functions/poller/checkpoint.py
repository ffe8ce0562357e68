"""The checkpoint: the position up to which one vCenter's history was delivered, as a record of text. Pure.

The record is the predecessor's, so that its ConfigMap is continued. `stores` keeps it.
"""

import dataclasses
import datetime
import json
from urllib.parse import urlsplit

from pipeline.errors import PermanentError, cut
from vsphere.event import Position, utc


class CheckpointUnreadable(PermanentError):
    """The record is not a checkpoint."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the history of one vCenter."""

    vcenter: str
    """The vCenter's host name, as in VC_URL. Empty in a record that names none."""
    position: Position


def encode(checkpoint: Checkpoint, now: datetime.datetime) -> str:
    """Return the record as the predecessor writes it, created at *now*."""
    return json.dumps(
        {
            "vCenter": checkpoint.vcenter,
            "lastEventKey": checkpoint.position.key,
            "lastEventType": checkpoint.position.event_type,
            "lastEventKeyTimestamp": rfc3339(checkpoint.position.created_time),
            "createdTimestamp": rfc3339(now),
        },
        separators=(",", ":"),
    )


def decode(record: str) -> Checkpoint:
    """Return the checkpoint in *record*. Raises `CheckpointUnreadable` with the reason."""
    try:
        fields = json.loads(record)
        position = Position(
            int(fields["lastEventKey"]), utc(fields["lastEventKeyTimestamp"]), str(fields.get("lastEventType", ""))
        )
        return Checkpoint(str(fields.get("vCenter", "")), position)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else cut(str(error), 100)
        raise CheckpointUnreadable(f"read the checkpoint {cut(record, 100)!r}: {reason}") from error


def vcenter_name(url: str) -> str:
    """Return the record's name of the vCenter at *url*, which is its host."""
    return urlsplit(url).hostname or ""


def rfc3339(moment: datetime.datetime) -> str:
    """Return *moment* in UTC, `2026-01-02T03:04:05Z`."""
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
