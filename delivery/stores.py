"""The stores of the checkpoint: process memory, a file, a ConfigMap.

A store also holds the lease: one poller at a time may save, and a poller that lost the lease cannot. `open_store` opens
the store that the setting CHECKPOINT names.
"""

import contextlib
import datetime
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from delivery import lease
from delivery.config_map import ConfigMapClient, ConfigMapConflict, ConfigMapUnavailable
from delivery.lease import LEASE_SECONDS, Lease, LeaseHeld, LeaseObserver
from pipeline.errors import TemporaryError, cut

KEY = "checkpoint"
LEASE_KEY = "lease"


class StoreUnavailable(TemporaryError):
    """The store cannot be read or written at the moment."""


class Store(Protocol):
    """A place for one record and its lease. Every method raises `StoreUnavailable` if it cannot do its work now."""

    min_save_seconds: float
    """Minimum time between two saves, so that they do not burden the server."""
    keeps_lease: bool
    """True if the lease is held until it is released, although saving fails."""

    def acquire(self) -> None:
        """Acquire the lease or renew it. Raises `LeaseHeld` if another poller holds it."""

    def release(self) -> None:
        """Release the lease, if it is held."""

    def load(self) -> str | None:
        """Return the record, or None if there is none yet."""

    def save(self, record: str) -> None:
        """Replace the record. Raises `LeaseHeld` if the lease was lost."""

    def set_aside(self, record: str) -> str:
        """Keep an unreadable *record* in another place, and return a description of that place."""


def open_store(address: str, holder: str | None = None) -> Store:
    """Open the store at *address*: `configmap:NAME`, `file:PATH` or `memory:`.

    *holder* names this poller in the lease. The default is the host's name, which is the pod's.
    """
    store, _, name = address.partition(":")
    if store == "configmap":
        return ConfigMapStore(name, holder or socket.gethostname())
    if store == "file":
        return FileStore(Path(name))
    return MemoryStore()


class MemoryStore:
    """A store for trials, which ends with the process."""

    min_save_seconds = 0.0
    keeps_lease = True

    def __init__(self) -> None:
        self._record: str | None = None

    def acquire(self) -> None:
        """Do nothing: no other poller can hold the lease."""

    def release(self) -> None:
        """Do nothing."""

    def load(self) -> str | None:
        """Return the record of this process."""
        return self._record

    def save(self, record: str) -> None:
        """Replace the record."""
        self._record = record

    def set_aside(self, record: str) -> str:
        """Discard the record."""
        self._record = None
        return f"not kept: {cut(record)}"


class FileStore:
    """A file with the record. The lease is a lock, which the system removes when the process ends, even if killed."""

    min_save_seconds = 0.05
    keeps_lease = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None

    def acquire(self) -> None:
        """Lock the file `PATH.lock`."""
        if self._lock is not None:
            return
        with _file_access("lock", self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.with_name(self._path.name + ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise LeaseHeld(f"another poller on this host uses {self._path}") from error
        self._lock = lock

    def release(self) -> None:
        """Unlock the file."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> str | None:
        """Return the file's text, or None if there is no file or it is empty."""
        with _file_access("read", self._path):
            try:
                return self._path.read_text(encoding="utf-8", errors="replace").strip() or None
            except FileNotFoundError:
                return None

    def save(self, record: str) -> None:
        """Replace the file in one step, so that a crash leaves either the old or the new file complete."""
        if self._lock is None:
            raise LeaseHeld(f"save to {self._path} without its lease")
        new = self._path.with_name(self._path.name + ".new")
        with _file_access("write", self._path):
            with new.open("w", encoding="utf-8") as file:
                file.write(record + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)

    def set_aside(self, record: str) -> str:
        """Write the record to `PATH.unreadable`."""
        aside = self._path.with_name(self._path.name + ".unreadable")
        with _file_access("write", aside):
            aside.write_text(record + "\n", encoding="utf-8")
        return str(aside)


class ConfigMapStore:
    """Keys of one ConfigMap, which must exist. The poller may get, update and patch it and nothing else.

    The lease is a key beside the record. Every write carries the `resourceVersion` that was read. So if two pollers
    believe that they hold the lease, only one can write, and the other one finds out.
    """

    min_save_seconds = 1.0
    keeps_lease = False

    def __init__(
        self,
        name: str,
        holder: str,
        api: Any = None,
        namespace: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use *api*, a `kubernetes.client.CoreV1Api`. The default is the pod's own cluster, else KUBECONFIG's.

        *now* is a monotonic clock, in seconds.
        """
        self._name = name
        self._holder = holder
        self._client = ConfigMapClient(name, api, namespace)
        self._now = now
        self._observer = LeaseObserver(holder)
        self._object: dict[str, Any] = {}
        self._acquired = False

    def acquire(self) -> None:
        """Write holder and expiry, unless another poller's lease has not expired."""
        self._read()
        self._check_lease()
        self._write(self._lease())
        self._acquired = True

    def release(self) -> None:
        """Remove the lease."""
        if self._acquired:
            self._write({LEASE_KEY: None})
            self._acquired = False

    def load(self) -> str | None:
        """Return the value of the key `checkpoint`, or None if it is absent or empty."""
        self._read()
        return str(self._data().get(KEY, "")).strip() or None

    def save(self, record: str) -> None:
        """Write the key `checkpoint` and renew the lease, in one update."""
        if not self._acquired:
            raise LeaseHeld(f"save to ConfigMap {self._name} without its lease")
        self._write({KEY: record, **self._lease()})

    def set_aside(self, record: str) -> str:
        """Move the record to the key `checkpoint.unreadable`."""
        self._read()
        self._write({f"{KEY}.unreadable": record, KEY: None})
        return f"key {KEY}.unreadable of ConfigMap {self._name}"

    def _data(self) -> dict[str, str]:
        data: dict[str, str] = self._object.get("data", {})
        return data

    def _read(self) -> None:
        self._object = self._call(self._client.read)

    def _lease(self) -> dict[str, str | None]:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=LEASE_SECONDS)
        return {LEASE_KEY: lease.encode(Lease(self._holder, expires))}

    def _check_lease(self) -> None:
        current = lease.decode(self._data().get(LEASE_KEY, ""))
        if current and self._observer.binds(current, self._now()):
            self._acquired = False
            raise LeaseHeld(
                f"poller {cut(current.holder, 100)} holds ConfigMap {self._name}, or did until less than "
                f"{LEASE_SECONDS:.0f} s ago"
            )

    def _write(self, changes: dict[str, str | None]) -> None:
        """Replace the ConfigMap as it was read, with *changes*. A value of None removes the key.

        If somebody wrote it meanwhile without acquiring the lease (`kubectl apply`), the changes are applied to its new
        content. A poller that held the lease and finds another poller's must not write.
        """
        try:
            self._replace(changes)
        except ConfigMapConflict:
            self._read()
            self._check_lease()
            if self._acquired and LEASE_KEY not in self._data():
                self._acquired = False
                raise LeaseHeld(f"ConfigMap {self._name} lost its lease, another poller may have held it") from None
            try:
                self._replace(changes)
            except ConfigMapConflict as error:
                self._acquired = False
                raise LeaseHeld(f"{error}, another poller wrote it") from error

    def _replace(self, changes: dict[str, str | None]) -> None:
        data = {**self._data(), **changes}
        content = {**self._object, "data": {key: value for key, value in data.items() if value is not None}}
        self._object = self._call(lambda: self._client.replace(content))

    def _call(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return call()
        except ConfigMapUnavailable as error:
            raise StoreUnavailable(str(error)) from error


@contextlib.contextmanager
def _file_access(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{verb} checkpoint file {path}: {error.strerror}") from error
