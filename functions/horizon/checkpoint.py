"""The record of a position in Horizon's history. Pure.

The predecessor kept none. A record with `lastEventTime` alone begins with the events of that time.
"""

import datetime
import json

from delivery.checkpoint import Checkpoint, CheckpointUnreadable, host_name
from functions.horizon.cursor import Position
from functions.horizon.event import MAX_TIME_MS
from pipeline.errors import cut
from pipeline.times import rfc3339


class HorizonCheckpoint:
    """The format of one Horizon server's checkpoint."""

    def __init__(self, url: str) -> None:
        """Describe the server at *url*."""
        self.server = host_name(url)
        """The server's host name."""

    def encode(self, position: Position, now: datetime.datetime) -> str:
        """Return the record of *position*, created at *now*."""
        return json.dumps(
            {
                "horizon": self.server,
                "lastEventTime": position.time_ms,
                "lastEventIds": sorted(position.ids),
                "createdTimestamp": rfc3339(now),
            },
            separators=(",", ":"),
        )

    def decode(self, record: str) -> Checkpoint[Position]:
        """Return the checkpoint in *record*. Raises `CheckpointUnreadable` with the reason."""
        try:
            fields = json.loads(record)
            time_ms, ids = fields["lastEventTime"], fields.get("lastEventIds", [])
            if not 0 <= int(time_ms) <= MAX_TIME_MS:
                raise ValueError("lastEventTime is not in the calendar")
            return Checkpoint(str(fields.get("horizon", "")), Position(int(time_ms), frozenset(map(int, ids))))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else cut(str(error), 100)
            raise CheckpointUnreadable(f"read the checkpoint {cut(record, 100)!r}: {reason}") from error
