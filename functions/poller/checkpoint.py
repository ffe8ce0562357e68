"""The record of a position in a vCenter's history: the predecessor's, so that its ConfigMap is continued. Pure."""

import datetime
import json

from delivery.checkpoint import Checkpoint, CheckpointUnreadable, host_name
from pipeline.errors import cut
from pipeline.times import rfc3339, utc
from vsphere.event import Position


class VCenterCheckpoint:
    """The format of one vCenter's checkpoint."""

    def __init__(self, url: str) -> None:
        """Describe the vCenter at *url*."""
        self.server = host_name(url)
        """The vCenter's host name."""

    def encode(self, position: Position, now: datetime.datetime) -> str:
        """Return the record of *position* as the predecessor writes it, created at *now*."""
        return json.dumps(
            {
                "vCenter": self.server,
                "lastEventKey": position.key,
                "lastEventType": position.event_type,
                "lastEventKeyTimestamp": rfc3339(position.created_time),
                "createdTimestamp": rfc3339(now),
            },
            separators=(",", ":"),
        )

    def decode(self, record: str) -> Checkpoint[Position]:
        """Return the checkpoint in *record*. Raises `CheckpointUnreadable` with the reason.

        A key that is absent or 0 is that of no event: the predecessor's users create such a record to choose a time.
        """
        try:
            fields = json.loads(record)
            vcenter, created = str(fields.get("vCenter", "")), utc(fields["lastEventKeyTimestamp"])
            key = int(fields.get("lastEventKey") or 0)
            if not key:
                return Checkpoint(vcenter, None, created)
            position = Position(key, created, str(fields.get("lastEventType", "")))
            return Checkpoint(vcenter, position, saved=_saved(fields.get("createdTimestamp")))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else cut(str(error), 100)
            raise CheckpointUnreadable(f"read the checkpoint {cut(record, 100)!r}: {reason}") from error


def _saved(value: object) -> datetime.datetime | None:
    try:
        return utc(str(value))
    except ValueError:
        return None
