"""The lease on a checkpoint: which poller may save, and until when. Pure.

It is like `coordination.k8s.io/Lease`, but JSON in a key beside the checkpoint:
`{"holder": "vcenter-poller-0", "expires": "2026-01-02T03:04:05Z"}`.
"""

import dataclasses
import datetime
import json

from pipeline.errors import TemporaryError
from pipeline.times import rfc3339, utc

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
    """By the holder's clock. It changes with each renewal, and is for people to read: nobody compares it with their own
    clock."""


class LeaseObserver:
    """Judges another holder's lease by the time since it was last seen to change, as Kubernetes' client-go does.

    Two hosts' clocks may differ by hours, so an expiry of one means nothing to the other.
    """

    def __init__(self, holder: str) -> None:
        """Observe for *holder*, whom the own lease never binds."""
        self._holder = holder
        self._lease: Lease | None = None
        self._seen = 0.0

    def binds(self, lease: Lease, moment: float) -> bool:
        """Return True if *lease*, as it is stored at *moment* (monotonic, seconds), may not be acquired."""
        if lease.holder == self._holder:
            return False
        if lease != self._lease:
            self._lease, self._seen = lease, moment
        return moment - self._seen < LEASE_SECONDS


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
