"""The checkpoint: how far vCenter's history was delivered, and the stores that keep it.

The record is the predecessor's, so that its ConfigMap is continued. A store is also the claim: one poller at a time
holds it, and one that lost it cannot save. `open_store` makes the store that the setting CHECKPOINT names.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from pipeline.errors import PermanentError, TemporaryError, cut
from vsphere.event import Position, utc

KEY = "checkpoint"
CLAIM_KEY = "claim"
CLAIM_SECONDS = 15.0
"""How long a claim in a ConfigMap lasts unless renewed: after a crash another pod waits so long, the same one not."""
REQUEST_TIMEOUT_SECONDS = 10.0


class CheckpointUnreadable(PermanentError):
    """What the store holds is no checkpoint."""


class StoreUnavailable(TemporaryError):
    """The store cannot be read or written at the moment."""


class ClaimHeld(TemporaryError):
    """Another poller holds the claim."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the history of one vCenter."""

    vcenter: str
    """The vCenter's host name, as in VC_URL."""
    position: Position


def encode(checkpoint: Checkpoint, now: datetime.datetime) -> str:
    """The record as the predecessor writes it; *now* says when."""
    return json.dumps(
        {
            "vCenter": checkpoint.vcenter,
            "lastEventKey": checkpoint.position.key,
            "lastEventType": checkpoint.position.event_type,
            "lastEventKeyTimestamp": _rfc3339(checkpoint.position.created_time),
            "createdTimestamp": _rfc3339(now),
        },
        separators=(",", ":"),
    )


def decode(record: str) -> Checkpoint:
    """The checkpoint in *record*. Raises `CheckpointUnreadable`, saying what is wrong."""
    try:
        fields = json.loads(record)
        position = Position(
            int(fields["lastEventKey"]), utc(fields["lastEventKeyTimestamp"]), str(fields.get("lastEventType", ""))
        )
        return Checkpoint(str(fields.get("vCenter", "")), position)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else cut(str(error), 100)
        raise CheckpointUnreadable(f"read the checkpoint {cut(record, 100)!r}: {reason}") from error


class _Conflict(TemporaryError):
    """The ConfigMap is no longer what was read."""


class Store(Protocol):
    """Where a record is kept. Every method raises `StoreUnavailable` when it cannot be done now."""

    pause_seconds: float
    """Least time between two saves: what a write costs its server."""

    def claim(self) -> None:
        """Take the claim, or renew it. Raises `ClaimHeld` if another poller has it."""

    def release(self) -> None:
        """Give the claim up, if it is held."""

    def load(self) -> str | None:
        """The record; None if there is none yet."""

    def save(self, record: str) -> None:
        """Keep *record* in place of the one before. Raises `ClaimHeld` if the claim was lost."""

    def set_aside(self, record: str) -> str:
        """Keep an unreadable *record* beside; says where."""


def open_store(address: str, holder: str | None = None) -> Store:
    """The store at *address*: `configmap:NAME`, `file:PATH` or `memory:`. *holder* names this poller in a claim."""
    kind, _, name = address.partition(":")
    if kind == "configmap":
        return ConfigMapStore(name, holder or socket.gethostname())
    if kind == "file":
        return FileStore(Path(name))
    return MemoryStore()


class MemoryStore:
    """Forgets with the process: for trials."""

    pause_seconds = 0.0

    def __init__(self) -> None:
        self._record: str | None = None

    def claim(self) -> None:
        """Nobody else can have it."""

    def release(self) -> None:
        """Nothing to give up."""

    def load(self) -> str | None:
        """The record of this process."""
        return self._record

    def save(self, record: str) -> None:
        """Keep it for this process."""
        self._record = record

    def set_aside(self, record: str) -> str:
        """Forget it."""
        self._record = None
        return f"not kept: {cut(record)}"


class FileStore:
    """A file that holds the record; the claim is a lock, which the system drops when the process ends, even killed."""

    pause_seconds = 0.05

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None

    def claim(self) -> None:
        """Lock `PATH.lock`."""
        if self._lock is not None:
            return
        with _file_access("lock", self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.with_name(self._path.name + ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ClaimHeld(f"another poller of this machine works from {self._path}") from error
        self._lock = lock

    def release(self) -> None:
        """Unlock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> str | None:
        """The file's text; None if there is no file or it is empty."""
        with _file_access("read", self._path):
            try:
                return self._path.read_text(encoding="utf-8", errors="replace").strip() or None
            except FileNotFoundError:
                return None

    def save(self, record: str) -> None:
        """Replace the file in one step, so that a crash leaves the old or the new one, whole."""
        if self._lock is None:
            raise ClaimHeld(f"save to {self._path} without its claim")
        new = self._path.with_name(self._path.name + ".new")
        with _file_access("write", self._path):
            with new.open("w", encoding="utf-8") as file:
                file.write(record + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)

    def set_aside(self, record: str) -> str:
        """Keep it as `PATH.unreadable`."""
        aside = self._path.with_name(self._path.name + ".unreadable")
        with _file_access("write", aside):
            aside.write_text(record + "\n", encoding="utf-8")
        return str(aside)


class ConfigMapStore:
    """Keys of one ConfigMap, which must exist: the poller may get, update and patch it, and nothing else.

    The claim is a key beside the record; every write carries the `resourceVersion` that was read, so that of two
    pollers which believe they hold the claim only one can write, and the other learns it.
    """

    pause_seconds = 1.0

    def __init__(
        self,
        name: str,
        holder: str,
        api: Any = None,
        namespace: str | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """*api* is a `kubernetes.client.CoreV1Api`; by default the cluster's that this runs in, else KUBECONFIG's."""
        self._name = name
        self._holder = holder
        self._api = api
        self._namespace = namespace
        self._now = now
        self._object: Any = None
        self._claimed = False

    def claim(self) -> None:
        """Write holder and expiry, unless another's claim has not expired."""
        self._read()
        self._refuse_others_claim()
        self._write(self._claim())
        self._claimed = True

    def release(self) -> None:
        """Remove the claim."""
        if self._claimed:
            self._write({CLAIM_KEY: None})
            self._claimed = False

    def load(self) -> str | None:
        """The key `checkpoint`; None if it is absent or empty."""
        self._read()
        return str(self._data().get(KEY, "")).strip() or None

    def save(self, record: str) -> None:
        """Write the key `checkpoint` and renew the claim, in one update."""
        if not self._claimed:
            raise ClaimHeld(f"save to ConfigMap {self._name} without its claim")
        self._write({KEY: record, **self._claim()})

    def set_aside(self, record: str) -> str:
        """Keep it under the key `checkpoint.unreadable`."""
        self._read()
        self._write({f"{KEY}.unreadable": record, KEY: None})
        return f"key {KEY}.unreadable of ConfigMap {self._name}"

    def _data(self) -> dict[str, str]:
        return self._object.data or {}

    def _read(self) -> None:
        self._object = self._call(
            "read",
            lambda api, ns: api.read_namespaced_config_map(self._name, ns, _request_timeout=REQUEST_TIMEOUT_SECONDS),
        )

    def _claim(self) -> dict[str, str | None]:
        expires = self._now() + datetime.timedelta(seconds=CLAIM_SECONDS)
        return {CLAIM_KEY: json.dumps({"holder": self._holder, "expires": _rfc3339(expires)})}

    def _refuse_others_claim(self) -> None:
        found = _claim_of(self._data().get(CLAIM_KEY, ""))
        if found and found[0] != self._holder and found[1] > self._now():
            self._claimed = False
            raise ClaimHeld(f"poller {found[0]} holds ConfigMap {self._name} until {_rfc3339(found[1])}")

    def _write(self, changes: dict[str, str | None]) -> None:
        """Replace the ConfigMap as it was read, with *changes*; a None removes the key.

        If it was written meanwhile, by somebody who did not take the claim (`kubectl apply`), the changes are made to
        what it is now; a poller that had the claim and finds another's must not write.
        """
        try:
            self._replace(changes)
        except _Conflict:
            self._read()
            self._refuse_others_claim()
            if self._claimed and CLAIM_KEY not in self._data():
                self._claimed = False
                raise ClaimHeld(f"ConfigMap {self._name} lost its claim; another poller may have had it") from None
            try:
                self._replace(changes)
            except _Conflict as error:
                self._claimed = False
                raise ClaimHeld(f"{error}; another poller wrote it") from error

    def _replace(self, changes: dict[str, str | None]) -> None:
        data = {**self._data(), **changes}
        self._object.data = {key: value for key, value in data.items() if value is not None}
        body = self._object
        self._object = self._call(
            "update",
            lambda api, ns: api.replace_namespaced_config_map(
                self._name, ns, body, _request_timeout=REQUEST_TIMEOUT_SECONDS
            ),
        )

    def _call(self, verb: str, call: Callable[[Any, str], Any]) -> Any:
        from kubernetes.client import ApiException  # noqa: PLC0415 - half a second that other stores need not pay
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            api, namespace = self._connect()
            return call(api, namespace)
        except ApiException as error:
            what = f"{verb} ConfigMap {self._name}: {error.status} {cut(_reason(error))}"
            if error.status == 409:
                raise _Conflict(what) from error
            hint = {403: "; the Role must allow get, update and patch on it", 404: "; apply config/030-checkpoint.yaml"}
            raise StoreUnavailable(what + hint.get(error.status or 0, "")) from error
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(f"{verb} ConfigMap {self._name}: {cut(str(error))}") from error

    def _connect(self) -> tuple[Any, str]:
        from kubernetes import client, config  # noqa: PLC0415

        if self._api is None:
            try:
                config.load_incluster_config()
                self._namespace = (
                    self._namespace
                    or Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text().strip()
                )
            except config.ConfigException:
                try:
                    config.load_kube_config()
                    _, active = config.list_kube_config_contexts()
                    self._namespace = self._namespace or active["context"].get("namespace")
                except config.ConfigException as error:
                    raise StoreUnavailable(
                        f"CHECKPOINT=configmap:{self._name} needs a cluster: neither a service account nor "
                        "KUBECONFIG is usable; outside a cluster set CHECKPOINT=file:PATH"
                    ) from error
            self._api = client.CoreV1Api()
        return self._api, self._namespace or "default"


@contextlib.contextmanager
def _file_access(verb: str, path: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{verb} checkpoint file {path}: {error.strerror}") from error


def _claim_of(text: str) -> tuple[str, datetime.datetime] | None:
    """Holder and expiry; None if the text is no claim, which then binds nobody."""
    try:
        fields = json.loads(text)
        return str(fields["holder"]), utc(fields["expires"])
    except (ValueError, TypeError, KeyError):
        return None


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, TypeError, KeyError):
        return str(error.reason)


def vcenter_name(url: str) -> str:
    """The record's name of the vCenter at *url*: its host, as the predecessor has it."""
    return urlsplit(url).hostname or ""


def _rfc3339(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
