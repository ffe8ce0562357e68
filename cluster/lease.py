"""The lease that one of several replicas holds: the leader.

The times are those of Kubernetes' own controllers. A replica takes the lease of another one only if that has not
changed for as long as it is valid, by this replica's own monotonic clock. Clocks of two hosts are never compared.
"""

import datetime
import threading
import time
from collections.abc import Callable

import structlog

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import LEASES, Object

LEASE_SECONDS = 15
"""The time after which a lease that nobody renews may be taken."""
RENEW_SECONDS = 10.0
"""The time after which a leader that could not renew stops to lead. It ends before another one may begin."""
RETRY_SECONDS = 2.0
"""The time between two renewals, or two attempts."""

log = structlog.get_logger()


class LeaderElection:
    """This replica's part in the election, in a thread of its own."""

    def __init__(
        self,
        client: ClusterClient,
        namespace: str,
        name: str,
        holder: str,
        on_change: Callable[[bool], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """*holder* names this replica. *on_change* is called when it begins (True) and stops (False) to lead."""
        self.holder = holder
        self._client = client
        self._place = (namespace, name)
        self._on_change = on_change
        self._now = now
        self._renewed_at: float | None = None
        self._seen: tuple[object, float] = (None, 0.0)
        self._reported = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def is_leader(self) -> bool:
        """This replica may write. True only for `RENEW_SECONDS` after each renewal."""
        renewed_at = self._renewed_at
        return renewed_at is not None and self._now() - renewed_at < RENEW_SECONDS

    def start(self) -> None:
        """Begin to take part."""
        self._thread.start()

    def close(self) -> None:
        """Release the lease, if this replica holds it, so that another one need not wait."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(RETRY_SECONDS * 2)
        if self.is_leader:
            self._renewed_at = None
            try:
                self._release()
            except ClusterError as error:
                log.warning("Cannot release the lease", reason=str(error))

    def step(self) -> None:
        """Acquire or renew the lease, once. Never raises."""
        started = self._now()
        try:
            if self._acquire(started):
                self._renewed_at = started
        except ClusterError as error:
            log.info("Cannot renew or acquire the lease", reason=str(error))
            if error.is_conflict or error.already_exists:
                self._renewed_at = None
        if self.is_leader != self._reported:
            self._reported = self.is_leader
            log.info("Leading" if self._reported else "Not leading", lease=self._place[1], holder=self.holder)
            self._on_change(self._reported)

    def _run(self) -> None:
        while not self._closed.is_set():
            self.step()
            self._closed.wait(RETRY_SECONDS)

    def _acquire(self, now: float) -> bool:
        """Write this replica into the lease, unless another one holds it. Return whether it did."""
        lease = self._client.find(LEASES, *self._place)
        if lease is None:
            self._client.create(LEASES, self._lease({}, {}))
            return True
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") not in (self.holder, "", None) and self._is_valid(spec, now):
            self._renewed_at = None
            return False
        self._client.replace(LEASES, self._lease(lease["metadata"], spec))
        return True

    def _is_valid(self, spec: Object, now: float) -> bool:
        """Return whether another replica's lease changed less than its duration ago."""
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._seen[0]:
            self._seen = (record, now)
        return now - self._seen[1] < int(spec.get("leaseDurationSeconds") or LEASE_SECONDS)

    def _lease(self, metadata: Object, before: Object) -> Object:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_mine = before.get("holderIdentity") == self.holder
        namespace, name = self._place
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {**metadata, "namespace": namespace, "name": name},
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": before.get("acquireTime", now) if is_mine else now,
                "renewTime": now,
                "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not is_mine and bool(before)),
            },
        }

    def _release(self) -> None:
        lease = self._client.find(LEASES, *self._place)
        if lease is None or lease["spec"].get("holderIdentity") != self.holder:
            return
        lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        self._client.replace(LEASES, lease)
