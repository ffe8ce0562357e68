"""The model API server with one ConfigMap, and the model disk with the checkpoint's files."""

import dataclasses
import fcntl
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from delivery.stores import KEY, LEASE_KEY
from tests.simulation.scheduler import Process, Scheduler

NAME = "checkpoint"
GARBAGE = (
    b"<html></html>",
    b"[]",
    b"",
    b'"x"',
    b"\xff",
    b"[" * 100_000,
    b'{"metadata": {}}',
    b'{"metadata": {"name": "checkpoint", "resourceVersion": "1"}, "data": {"checkpoint": 1}}',
)
"""Answers with status 200 that are not the ConfigMap."""


@dataclasses.dataclass
class StoreBehavior:
    """The state of a store and of the network to it."""

    fault: str = ""
    """For the API server: unreachable, hang, status, garbage, lost, slow, drip. For the disk: full, unreadable."""
    probability: float = 1.0
    process: Process | None = None
    """The only process that meets the fault. None: all of them."""


class ApiServer:
    """A `CoreV1Api` whose client reaches a model server with one ConfigMap."""

    def __init__(self, scheduler: Scheduler, audit: Any) -> None:
        self._scheduler = scheduler
        self._audit = audit
        self.data: dict[str, str] = {}
        self.version = 1
        self.behavior = StoreBehavior()

    @property
    def api_client(self) -> "ApiServer":
        """The client, which sends requests."""
        return self

    def param_serialize(self, **parts: Any) -> tuple[Any, ...]:
        """Return a request."""
        body = parts["body"]
        return parts["method"], None if body is None else json.dumps(body)

    def call_api(self, method: str, body: str | None, _request_timeout: float) -> SimpleNamespace:
        """Send a request and return its response."""
        work = self._object if body is None else lambda: self._replace(json.loads(body))
        return SimpleNamespace(response=self._perform(_request_timeout, work))

    def write(self, **changes: str | None) -> None:
        """Write as somebody else does. None removes a key."""
        self._set({key: value for key, value in {**self.data, **changes}.items() if value is not None})

    def _object(self) -> "ApiResponse":
        metadata = {"name": NAME, "namespace": "namespace", "resourceVersion": str(self.version)}
        content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": self.data}
        return ApiResponse(self._scheduler, 200, json.dumps(content).encode())

    def _replace(self, content: Any) -> "ApiResponse":
        if content["metadata"]["resourceVersion"] != str(self.version):
            self._audit.met("the ConfigMap was written meanwhile")
            return ApiResponse(self._scheduler, 409, b'{"message": "it was changed"}')
        self._set(dict(content["data"]))
        return self._object()

    def _set(self, data: dict[str, str]) -> None:
        before, self.data = self.data, data
        self.version += 1
        if data.get(LEASE_KEY) != before.get(LEASE_KEY):
            lease = data.get(LEASE_KEY)
            self._audit.leased(json.loads(lease)["holder"] if lease else None)
        if data.get(KEY) != before.get(KEY) and KEY in data:
            self._audit.saved(data[KEY])

    def _perform(self, timeout: float, work: Callable[[], "ApiResponse"]) -> "ApiResponse":
        scheduler, behavior = self._scheduler, self.behavior
        chance = scheduler.random
        concerns = behavior.process is None or behavior.process is scheduler.current.process
        fault = behavior.fault if concerns and behavior.fault and chance.random() < behavior.probability else ""
        scheduler.sleep(chance.uniform(0.002, 0.02))
        if fault:
            self._audit.met(f"API server: {fault}")
        if fault == "unreachable":
            raise ConnectionRefusedError(111, "Connection refused")
        if fault == "hang":
            scheduler.sleep(timeout)
            raise TimeoutError("read timed out")
        if fault == "status":
            return ApiResponse(scheduler, chance.choice((401, 403, 404, 429, 500, 503, 504)), b"reason")
        if fault == "slow":
            scheduler.sleep(chance.uniform(0.5, timeout * 0.95))
        response = work()
        scheduler.sleep(chance.uniform(0.002, 0.02))
        if fault == "lost":
            raise ConnectionResetError(104, "Connection reset by peer")
        if fault == "garbage":
            return ApiResponse(scheduler, 200, chance.choice(GARBAGE))
        if fault == "drip":
            response.part_seconds = chance.uniform(0.1, 3)
        return response


class ApiResponse:
    """A response of the API server, as urllib3 gives it."""

    def __init__(self, scheduler: Scheduler, status: int, body: bytes) -> None:
        self._scheduler = scheduler
        self.status = status
        self._body = body
        self.part_seconds = 0.0
        """The time that each 30 bytes take."""
        self.length_remaining = 0

    def read1(self, size: int, decode_content: bool) -> bytes:
        """Return the next part of the body, empty at its end."""
        if self.part_seconds and self._body:
            self._scheduler.sleep(self.part_seconds)
            part, self._body = self._body[:30], self._body[30:]
            return part
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Do nothing."""


class Disk:
    """The files of one host, and their locks."""

    def __init__(self, scheduler: Scheduler, audit: Any) -> None:
        self.scheduler = scheduler
        self.audit = audit
        self.files: dict[str, str] = {}
        self.lock_holder: Process | None = None
        self.behavior = StoreBehavior()

    def check(self, fault: str) -> None:
        """Raise the error that the disk's *fault* causes, if it has that fault now."""
        behavior = self.behavior
        self.scheduler.sleep(self.scheduler.random.uniform(0.0001, 0.005))
        if behavior.fault == fault and self.scheduler.random.random() < behavior.probability:
            self.audit.met(f"disk: {fault}")
            raise OSError(28, "No space left on device")

    def fcntl(self) -> SimpleNamespace:
        """Return a `fcntl` for the lock."""
        return SimpleNamespace(flock=self._flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)

    def os(self) -> SimpleNamespace:
        """Return an `os` for the files."""
        return SimpleNamespace(fsync=lambda _: self.check("full"))

    def _flock(self, file: "LockFile", operation: int) -> None:
        holder = self.lock_holder
        if holder is not None and holder.is_alive:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.lock_holder = self.scheduler.current.process
        self.audit.leased(self.lock_holder.name)


class LockFile:
    """An open file that carries the lock."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def close(self) -> None:
        """Close it, and release the lock if this process holds it."""
        if self._disk.lock_holder is self._disk.scheduler.current.process:
            self._disk.lock_holder = None
            self._disk.audit.leased(None)


class ModelPath:
    """A `pathlib.Path` on the model disk, as far as `FileStore` uses it."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self.name = name
        self.parent = SimpleNamespace(mkdir=lambda **_: None)

    def __str__(self) -> str:
        return self.name

    def with_name(self, name: str) -> "ModelPath":
        """Return the path of another file."""
        return ModelPath(self._disk, name)

    def open(self, mode: str, encoding: str = "") -> Any:
        """Open the file for writing."""
        if mode == "wb":
            return LockFile(self._disk)
        self._disk.check("full")
        self._disk.files[self.name] = ""
        return Writing(self._disk, self.name)

    def read_text(self, **_: str) -> str:
        """Return the content."""
        self._disk.check("unreadable")
        if self.name not in self._disk.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self._disk.files[self.name]

    def write_text(self, text: str, **_: str) -> None:
        """Replace the content."""
        self._disk.files[self.name] = text

    def replace(self, target: "ModelPath") -> None:
        """Rename the file in one step."""
        self._disk.check("full")
        self._disk.files[target.name] = self._disk.files.pop(self.name)
        self._disk.audit.saved(self._disk.files[target.name].strip())


class Writing:
    """A file that is open for writing."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, text: str) -> None:
        """Append *text*."""
        self._disk.files[self._name] += text

    def flush(self) -> None:
        """Do nothing."""

    def fileno(self) -> int:
        """Return a number."""
        return 3
