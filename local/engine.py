"""The engine: the objects of a local run, brought to life and ended again."""

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from local.broker import BrokerServer, Counts, Subscription
from local.delivery import Retries
from local.environment import cluster_addresses, environment
from local.manifests import ManifestError, load
from local.objects import Broker, Destination, Name, Service, Trigger
from local.ping import PingScheduler
from local.services import ServiceNotReady, ServiceProcess, free_ports, web_command

log = structlog.get_logger()

Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parent.parent
"""The project: where the Procfile is, and where its `web:` line is run."""

READY_SECONDS = 60.0
"""How long the services may take to become ready, all together."""

STOP_SECONDS = 3.5
"""How long services may take to end after SIGTERM, all together; then they are killed, so that 5 s is the most."""


@dataclasses.dataclass(frozen=True)
class Status:
    """How a run is doing; as text, one line."""

    brokers: Mapping[Name, Counts]
    services: Mapping[str, bool]
    """By name, whether its process is alive."""

    def __str__(self) -> str:
        counts = [
            f"{name}: {each.received} received, {each.delivered} delivered, {each.failed} failed, "
            f"{each.dead_lettered} dead-lettered, {each.pending} pending"
            for name, each in self.brokers.items()
        ]
        return " | ".join([*counts, f"{sum(self.services.values())} of {len(self.services)} services up"])


class Engine:
    """One local run. Use it from one thread; `stop` ends it from any state, and may be called twice."""

    def __init__(
        self,
        paths: Sequence[Path],
        state: Path,
        ports: Mapping[str, int] | None = None,
        root: Path = ROOT,
        environ: Mapping[str, str] = os.environ,
        echo: Callable[[str, str], None] | None = None,
    ) -> None:
        """Load and check the objects of *paths*; nothing is started.

        *state* is a folder for logs, volumes and checkpoints; *ports* gives a Service a port of its own choice; *echo*
        gets each line that a service prints, with its name. Raises `ManifestError` with every fault, and
        `PermanentError` if *root* has no Procfile.
        """
        self._manifests = load(paths)
        self._command = web_command(root)
        self._root = root
        self._state = state.resolve()
        self._environ = environ
        self._echo = echo
        names = [name.name for name in self._manifests.services]
        unknown = [name for name in ports or {} if name not in names]
        if unknown:
            raise ManifestError([f"a port is given for {name}, which is no Service here" for name in unknown])
        self._ports = {**dict(zip(names, free_ports(len(names)), strict=True)), **(ports or {})}
        self._services: dict[str, ServiceProcess] = {}
        self._loop: _Loop | None = None
        self._server = BrokerServer()
        self._pings: PingScheduler | None = None

    def start(self) -> None:
        """Open the Brokers, start the services, wait until all are ready, then start the PingSources.

        Raises `ServiceNotReady`, with its last log lines, for the first service that does not become ready; call
        `stop` then, too.
        """
        self._loop = _Loop()
        self._loop.run(self._server.start())
        for broker in self._manifests.brokers.values():
            self._loop.run(self._open(broker))
            log.info("broker ready", broker=str(broker.name), url=self._server.url(broker.name))
        for folder in (self._state, self._state / "logs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for service in self._manifests.services.values():
            self._services[service.name.name] = self._process(service)
            self._services[service.name.name].start()
        self._wait_until_ready()
        self._loop.run(self._schedule())

    def stop(self) -> None:
        """End everything that was started, within 5 seconds."""
        if self._loop is not None and self._pings is not None:
            self._loop.call(self._pings.close)
        for service in self._services.values():
            service.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for service in self._services.values():
            if not service.join(deadline):
                log.warning("service killed: it did not end in time", service=service.name)
                service.kill()
        for service in self._services.values():
            service.join(deadline + 0.5)
        if self._loop is not None:
            self._loop.run(self._server.close())
            self._loop.close()
            self._loop = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, service: str) -> str:
        """Where the Knative Service of this name answers."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def services(self) -> list[str]:
        """The names of the Knative Services, in the order of their files."""
        return list(self._ports)

    def broker_url(self, namespace: str, name: str) -> str:
        """Where the Broker takes events, once `start` was called."""
        return self._server.url(Name(namespace, name))

    def status(self) -> Status:
        """How the run is doing at this moment."""
        return Status(
            brokers=self._server.counts(),
            services={name: service.is_alive() for name, service in self._services.items()},
        )

    async def _open(self, broker: Broker) -> None:
        triggers = [each for each in self._manifests.triggers.values() if each.broker == broker.name]
        self._server.add(broker.name, [self._subscription(trigger, broker) for trigger in triggers])

    def _subscription(self, trigger: Trigger, broker: Broker) -> Subscription:
        """*trigger* with its addresses. Its delivery spec replaces the Broker's, except for a sink that it lacks."""
        delivery = trigger.delivery or broker.delivery
        sinks = [each.dead_letter_sink for each in (trigger.delivery, broker.delivery) if each]
        sink = next((each for each in sinks if each), None)
        return Subscription(
            trigger.name,
            trigger.matches,
            url=self._address(trigger.subscriber),
            retries=delivery.retries if delivery else Retries(),
            dead_letter_url=self._address(sink) if sink else "",
        )

    def _address(self, destination: Destination) -> str:
        if destination.name is None:
            return destination.uri
        is_service = destination.kind == "Service"
        base = self.url(destination.name.name) if is_service else self._server.url(destination.name)
        return f"{base}/{destination.uri.lstrip('/')}" if destination.uri else base

    def _addresses(self) -> dict[str, str]:
        return cluster_addresses({name: self.url(name.name) for name in self._manifests.services})

    def _process(self, service: Service) -> ServiceProcess:
        name = service.name.name
        bound = {}
        for binding in self._manifests.sink_bindings.values():
            if binding.service == service.name:
                bound = {"K_SINK": self._address(binding.sink), "K_CE_OVERRIDES": binding.overrides}
        return ServiceProcess(
            name,
            self._command,
            self._root,
            environment(service, self._manifests, self._state, self._environ, bound, self._addresses()),
            self._ports[name],
            self._state / "logs" / f"{name}.log",
            service.readiness_path,
            self._echo,
        )

    def _wait_until_ready(self) -> None:
        waiting = list(self._services.values())
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            for service in list(waiting):
                if service.is_ready():
                    log.info("service ready", service=service.name, url=service.url)
                    waiting.remove(service)
            if waiting and time.monotonic() > deadline:
                raise ServiceNotReady("\n".join(service.complaint() for service in waiting))
            time.sleep(0.05 if waiting else 0)

    async def _schedule(self) -> None:
        self._pings = PingScheduler(self._server.session)
        for source in self._manifests.ping_sources.values():
            self._pings.add(source, self._address(source.sink))
        self._pings.start()


class _Loop:
    """An event loop in a thread of its own: Brokers and clocks live in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="brokers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run *work* to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], None]) -> None:
        """Have *function* called in the loop's thread."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
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
