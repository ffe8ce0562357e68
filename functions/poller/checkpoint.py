"""The checkpoint: the position up to which one vCenter's history was delivered, as a record of text. Pure.

The record is the predecessor's, so that its ConfigMap is continued. `stores` keeps it.
"""

import dataclasses
import datetime
import json
from urllib.parse import urlsplit

from pipeline.errors import PermanentError, cut
from pipeline.times import rfc3339, utc
from vsphere.event import Position


class CheckpointUnreadable(PermanentError):
    """The record is not a checkpoint."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the history of one vCenter."""

    vcenter: str
    """The vCenter's host name, as in VC_URL. Empty in a record that names none."""
    position: Position | None
    """The last acknowledged event. None in a record that holds only a time."""
    begin: datetime.datetime | None = None
    """The time from which to read if there is no position (vCenter's clock, UTC)."""


def encode(vcenter: str, position: Position, now: datetime.datetime) -> str:
    """Return the record of *position* at *vcenter* (host name) as the predecessor writes it, created at *now*."""
    return json.dumps(
        {
            "vCenter": vcenter,
            "lastEventKey": position.key,
            "lastEventType": position.event_type,
            "lastEventKeyTimestamp": rfc3339(position.created_time),
            "createdTimestamp": rfc3339(now),
        },
        separators=(",", ":"),
    )


def decode(record: str) -> Checkpoint:
    """Return the checkpoint in *record*. Raises `CheckpointUnreadable` with the reason.

    A key that is absent or 0 is that of no event: the predecessor's users create such a record to choose a time.
    """
    try:
        fields = json.loads(record)
        vcenter, created = str(fields.get("vCenter", "")), utc(fields["lastEventKeyTimestamp"])
        key = int(fields.get("lastEventKey") or 0)
        if not key:
            return Checkpoint(vcenter, None, created)
        return Checkpoint(vcenter, Position(key, created, str(fields.get("lastEventType", ""))))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else cut(str(error), 100)
        raise CheckpointUnreadable(f"read the checkpoint {cut(record, 100)!r}: {reason}") from error


def vcenter_name(url: str) -> str:
    """Return the record's name of the vCenter at *url*, which is its host."""
    return urlsplit(url).hostname or ""
