"""The engine starts and stops the objects of a local run."""

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from local.broker import BrokerServer, Counts
from local.environment import Service, cluster_addresses, environment
from local.kinds import KINDS
from local.manifests import ManifestError, load
from local.objects import Name, Object
from local.ping import PingScheduler
from local.run import Kind, Run
from local.services import Command, ServiceNotReady, ServiceProcess, free_ports, web_command

log = structlog.get_logger()

Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parent.parent
"""The project: the folder with the Procfile, in which its `web:` line runs."""

READY_SECONDS = 60.0
"""All services together have this long to become ready."""

STOP_SECONDS = 3.5
"""All services together have this long to end after SIGTERM. Then they are killed, within 5 s in all."""


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of a run. As text, it is one line."""

    brokers: Mapping[Name, Counts]
    services: Mapping[str, bool]
    """By name: true while its process runs."""

    def __str__(self) -> str:
        counts = [
            f"{name}: {count.received} received, {count.delivered} delivered, {count.failed} failed, "
            f"{count.dead_lettered} dead-lettered, {count.pending} pending"
            for name, count in self.brokers.items()
        ]
        return " | ".join([*counts, f"{sum(self.services.values())} of {len(self.services)} services up"])


class Engine:
    """One local run. Use it from one thread. `stop` works in any state, also a second time."""

    def __init__(
        self,
        paths: Sequence[Path],
        state: Path,
        ports: Mapping[str, int] | None = None,
        root: Path = ROOT,
        environ: Mapping[str, str] = os.environ,
        echo: Callable[[str, str], None] | None = None,
    ) -> None:
        """Load and check the objects of *paths* without starting anything.

        - *state* is a folder for logs, volumes and checkpoints.
        - *ports* gives a Service a certain port.
        - *echo* gets the name of a service and each line that it prints.

        Raises `ManifestError` with all errors, and `PermanentError` if *root* has no Procfile.
        """
        self._objects = load(paths)
        self._command = web_command(root)
        self._root = root
        self._state = state.resolve()
        self._environ = environ
        self._echo = echo
        names = [name.name for name in self._objects.of(Service)]
        unknown = [name for name in ports or {} if name not in names]
        if unknown:
            raise ManifestError([f"a port is given for {name}, which is not a Service here" for name in unknown])
        self._ports = {**dict(zip(names, free_ports(len(names)), strict=True)), **(ports or {})}
        self._processes: dict[str, ServiceProcess] = {}
        self._loop: _Loop | None = None
        self._run: Run | None = None

    def start(self) -> None:
        """Open the Brokers, start the services, wait until all are ready, then start the PingSources.

        Raises `ServiceNotReady` with the last log lines if a service does not become ready. Call `stop` then, too.
        """
        self._loop = _Loop()
        self._run = run = self._loop.run(self._open())
        for folder in (self._state, self._state / "logs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for service in self._objects.of(Service).values():
            process = self._processes[service.name.name] = self._process(service, run)
            process.start()
        self._wait_until_ready()
        self._loop.run(self._begin(run))

    def stop(self) -> None:
        """Stop everything that was started, within 5 seconds."""
        if self._loop is not None and self._run is not None:
            self._loop.call(self._run.pings.close)
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            if not process.join(deadline):
                log.warning("killed service: it did not end in time", service=process.name)
                process.kill()
        for process in self._processes.values():
            process.join(deadline + 0.5)
        if self._loop is not None:
            if self._run is not None:
                self._loop.run(self._run.brokers.close())
            self._loop.close()
            self._loop = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, service: str) -> str:
        """Return the address of the Knative Service of this name."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def services(self) -> list[str]:
        """Return the names of the Knative Services, in the order of their files."""
        return list(self._ports)

    def broker_url(self, namespace: str, name: str) -> str:
        """Return the address of a Broker. Call `start` before."""
        assert self._run is not None  # noqa: S101 - the caller's error
        return self._run.brokers.url(Name(namespace, name))

    def status(self) -> Status:
        """Return the state of the run at this moment."""
        return Status(
            brokers=self._run.brokers.counts() if self._run else {},
            services={name: process.is_alive() for name, process in self._processes.items()},
        )

    async def _open(self) -> Run:
        """Open the address of each object that has one."""
        server = BrokerServer()
        await server.start()
        urls = {name: self.url(name) for name in self._ports}
        run = Run(self._objects, KINDS, urls, server, PingScheduler(server.session))
        for kind, content in self._contents():
            kind.open(content, run)
        return run

    async def _begin(self, run: Run) -> None:
        """Let the objects begin that wait for the services."""
        for kind, content in self._contents():
            kind.start(content, run)
        run.pings.start()

    def _contents(self) -> Iterator[tuple[Kind[Any], Object]]:
        for kind in KINDS.values():
            for content in self._objects.of(kind.object_type).values():
                yield kind, content

    def _process(self, service: Service, run: Run) -> ServiceProcess:
        name = service.name.name
        added = {
            variable: value
            for kind, content in self._contents()
            for variable, value in kind.variables(content, service.name, run).items()
        }
        addresses = cluster_addresses({other: self.url(other.name) for other in self._objects.of(Service)})
        return ServiceProcess(
            Command(
                name,
                self._command,
                self._root,
                environment(service, self._objects, self._state, self._environ, added, addresses),
                self._ports[name],
                self._state / "logs" / f"{name}.log",
                service.readiness_path,
            ),
            self._echo,
        )

    def _wait_until_ready(self) -> None:
        waiting = list(self._processes.values())
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            for process in list(waiting):
                if process.is_ready():
                    log.info("service ready", service=process.name, url=process.url)
                    waiting.remove(process)
            if waiting and time.monotonic() > deadline:
                raise ServiceNotReady("\n".join(process.complaint() for process in waiting))
            time.sleep(0.05 if waiting else 0)


class _Loop:
    """An event loop in a thread of its own, for Brokers and schedules."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="brokers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of *work*."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], None]) -> None:
        """Call *function* in the thread of the loop, without waiting."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Cancel all tasks and end the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
