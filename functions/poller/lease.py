"""The lease on a checkpoint: which poller may save, and until when. Pure.

It is like `coordination.k8s.io/Lease`, but JSON in a key beside the checkpoint:
`{"holder": "vcenter-poller-0", "expires": "2026-01-02T03:04:05Z"}`.
"""

import dataclasses
import datetime
import json

from functions.poller.checkpoint import rfc3339
from pipeline.errors import TemporaryError
from vsphere.event import utc

LEASE_SECONDS = 15.0
"""The duration of a lease that is not renewed. After a crash, another pod waits for it to expire. The same pod does
not."""


class LeaseHeld(TemporaryError):
    """Another poller holds the lease."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """A holder's right to save."""

    holder: str
    expires: datetime.datetime

    def binds(self, other: str, now: datetime.datetime) -> bool:
        """Return True if *other* may not acquire the lease at *now*."""
        return other != self.holder and self.expires > now


def encode(lease: Lease) -> str:
    """Return *lease* as JSON."""
    return json.dumps({"holder": lease.holder, "expires": rfc3339(lease.expires)})


def decode(text: str) -> Lease | None:
    """Return the lease in *text*, or None if there is none. An unreadable lease binds nobody."""
    try:
        fields = json.loads(text)
        return Lease(str(fields["holder"]), utc(fields["expires"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
