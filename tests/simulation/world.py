"""A world: the models, the pollers between them, and one run of a plan."""

import dataclasses
import functools
import random
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from delivery.stores import ConfigMapStore, FileStore, MemoryStore, Store
from functions.poller import Poller
from functions.poller.settings import PollerSettings
from pipeline.cloudevents import CloudEvent
from pipeline.errors import VCenterEventsError
from pipeline.settings import read
from tests.simulation.audit import Audit, Promise
from tests.simulation.faults import FAULTS
from tests.simulation.loop import VirtualLoop
from tests.simulation.plan import TICK_SECONDS, Plan, PlannedFault
from tests.simulation.scheduler import BusyLoopError, Host, Process, Scheduler
from tests.simulation.sink import ModelSink, aiohttp_of
from tests.simulation.soap import ModelSession, SoapServer
from tests.simulation.store import NAME, ApiServer, Disk, ModelPath
from tests.simulation.substitution import datetime_of, elements_of, random_of, substituted
from tests.simulation.threads import threading_of, time_of
from tests.simulation.vcenter import VCenter

TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/simulation"})
PROBE_LOOKS = 20
"""While delivery is not complete after the last fault, an event comes after this many seconds."""
ELEMENTS = elements_of()
GRACE_SECONDS = 10.0
"""The time that a process has to end after SIGTERM."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of a run."""

    seed: int
    violations: tuple[str, ...]
    faults: Mapping[str, int]
    """Fault that took effect → how often."""
    seconds: float
    """Virtual time."""
    resumed_seconds: float
    """The time from the last fault until delivery was complete."""
    events: int
    repeated: int
    digest: int
    """A number that depends on every choice of the run."""


class Pod:
    """A place for one poller at a time."""

    def __init__(self, world: "World", number: int) -> None:
        self._world = world
        self._name = f"poller-{number}"
        self.host = Host(self._name, world.scheduler)
        self.process = Process(self._name, self.host)
        self.process.is_alive = False
        self.poller: Poller | None = None

    def start(self) -> None:
        """Start a poller if none runs."""
        if self.process.is_alive:
            return
        self._world.trace(f"{self._name} starts")
        self.process = Process(self._name, self.host)
        self.poller = None
        self._world.scheduler.spawn(self.process, self._run)

    def kill(self) -> None:
        """End the process at once."""
        if self.process.is_alive:
            self._world.trace(f"{self._name} is killed")
            self._world.audit.met("poller killed")
        self.process.is_alive = False

    def terminate(self) -> None:
        """End the process as Kubernetes does: SIGTERM, and SIGKILL if that takes too long."""
        poller, process = self.poller, self.process
        if poller is None or not process.is_alive:
            return
        self._world.trace(f"{self._name} gets SIGTERM")
        self._world.audit.met("poller terminated")

        def close() -> None:
            poller.close()
            self._world.trace(f"{self._name} has ended")
            process.is_alive = False

        self._world.scheduler.spawn(process, close)
        self._world.scheduler.call_later(GRACE_SECONDS, lambda: setattr(process, "is_alive", False))

    def tick(self) -> None:
        """Send a tick."""
        poller = self.poller
        if poller is None or not self.process.is_alive:
            return

        def handle() -> None:
            try:
                poller.handle(TICK)
            except VCenterEventsError as error:
                self._world.trace(f"{self._name}: tick answered with an error: {error}")

        self._world.scheduler.spawn(self.process, handle)

    def _run(self) -> None:
        world = self._world
        session = ModelSession(world.settings.vcenter, world.server, self.host.monotonic)
        self.poller = Poller(world.settings, session, world.open_store(self))
        if world.settings.follow_seconds > 0:
            self.poller.begin()
        else:
            self.poller.log_in()


class World:
    """The models and the pollers of one run."""

    def __init__(self, plan: Plan, traces: bool = False) -> None:
        self.plan = plan
        self.scheduler = Scheduler(plan.seed)
        self.vcenter = VCenter(self.scheduler, plan.first_key)
        self.vcenter.doubles, self.vcenter.mutes = plan.doubles, plan.mutes
        at_most_once = self.settings.replay_window_seconds == 0
        promise = Promise(self.settings.sink.resend_seconds, at_most_once, plan.store != "memory")
        self.audit = Audit(self.scheduler, self.vcenter, promise)
        self.scheduler.on_death = self._die
        self.server = SoapServer(self.scheduler, self.vcenter, self.audit.met, self.audit.reading)
        self.server.network.max_bytes = plan.max_bytes
        self.sink = ModelSink(self.scheduler, self.audit)
        self.store: Any = (ApiServer if plan.store == "configmap" else Disk)(self.scheduler, self.audit)
        self.pods = [Pod(self, number) for number in range(plan.pods)]
        self.lines: list[str] | None = [] if traces else None

    @property
    def settings(self) -> PollerSettings:
        """The settings of every poller."""
        return settings_of(tuple(self.plan.environ.items()))

    @property
    def count(self) -> int:
        """The number of events so far."""
        return len(self.audit.records)

    def trace(self, text: str) -> None:
        """Add a line to the schedule."""
        if self.lines is not None:
            self.lines.append(f"{self.scheduler.now:9.3f} s  {text}")

    def post(self, entity: str, oddity: str = "") -> None:
        """Create an event at vCenter."""
        event = self.vcenter.post(self.count + 1, entity, oddity)
        self.audit.posted(event)
        if self.lines is not None:
            created = f"{event.created:%H:%M:%S.%f}"
            self.trace(f"vCenter: event {event.key} #{event.number} {entity} {oddity} created {created}")

    def open_store(self, pod: Pod) -> Store:
        """Return the store for a new process of *pod*."""
        if self.plan.store == "configmap":
            return ConfigMapStore(NAME, pod.process.name, self.store, "namespace", pod.host.monotonic)
        if self.plan.store == "file":
            return FileStore(ModelPath(self.store, "checkpoint.json"))  # type: ignore[arg-type]
        return MemoryStore()

    def run(self) -> Result:
        """Run the plan."""
        scheduler, plan = self.scheduler, self.plan
        with substituted(self._virtual()):
            try:
                for pod in self.pods:
                    scheduler.call_later(scheduler.random.uniform(0, 2), pod.start)
                for event in plan.events:
                    scheduler.call_later(event.at, self.post, event.entity)
                for fault in plan.faults:
                    scheduler.call_later(fault.at, self._begin, fault)
                if self.settings.follow_seconds < 3600:
                    scheduler.call_later(scheduler.random.uniform(0, TICK_SECONDS), self._tick)
                scheduler.call_later(self.plan.last, self._end_faults)
                scheduler.call_later(self.plan.last + 1, self._look)
                scheduler.run(self.plan.last + self.plan.bound)
            except BusyLoopError as error:
                self.audit.violate(f"busy loop: {error}")
            finally:
                scheduler.close()
        return self._result()

    def _virtual(self) -> dict[str, Any]:
        scheduler = self.scheduler
        time = time_of(scheduler)
        virtual = {
            "threading": threading_of(scheduler),
            "time": time,
            "datetime": datetime_of(time),
            "random": random_of(scheduler.random),
            "aiohttp": aiohttp_of(self.sink),
            "ElementTree": ELEMENTS,
            "uvloop": SimpleNamespace(new_event_loop=self._new_event_loop),
            "log": Log(self),
        }
        disk = self.store if isinstance(self.store, Disk) else Disk(scheduler, self.audit)
        return {**virtual, "fcntl": disk.fcntl(), "os": disk.os()}

    def _new_event_loop(self) -> VirtualLoop:
        loop_class: Any = VirtualLoop  # which has only the methods that the sink needs
        loop: VirtualLoop = loop_class(self.scheduler)
        self.audit.opened(loop)
        return loop

    def _begin(self, planned: PlannedFault) -> None:
        self.trace(f"FAULT for {planned.seconds:.3f} s: {planned.name}")
        end = FAULTS[planned.name].begin(self, random.Random(planned.choice))

        def finish() -> None:
            self.trace(f"fault ends: {planned.name}")
            if end is not None:
                end()

        self.scheduler.call_later(planned.seconds, finish)

    def _end_faults(self) -> None:
        """Start what does not run."""
        for pod in self.pods:
            pod.start()

    def _tick(self) -> None:
        self.scheduler.random.choice(self.pods).tick()
        self.scheduler.call_later(TICK_SECONDS, self._tick)

    def _look(self) -> None:
        if self.audit.is_complete() and self.scheduler.now > self.plan.last:
            self.scheduler.stop()
            return
        if (
            round(self.scheduler.now - self.plan.last) % PROBE_LOOKS == 0
        ):  # what is missing is named when the next event comes
            self.post("")
        self.scheduler.call_later(1.0, self._look)

    def _die(self, task: Any, error: Exception) -> None:
        self.trace(f"thread {task.name} of {task.process.name} dies: {error!r}")
        self.audit.died(task, error)
        task.process.is_alive = False

    def _result(self) -> Result:
        audit = self.audit
        check = audit.check()
        at_most_once = self.settings.replay_window_seconds == 0
        if not audit.is_complete() or (check.lost and not at_most_once):
            lost = ", ".join(f"{audit.records[number].event.key} (#{number})" for number in check.lost[:10])
            audit.violate(
                f"delivery is not complete {self.plan.bound:.0f} s after the last fault. Missing: {lost or 'none'}"
            )
        for number in check.out_of_order:
            if audit.has_order(number):
                audit.violate(f"event #{number} arrives first after a later one of its entity")
        return Result(
            self.plan.seed,
            tuple(audit.violations),
            Counter(audit.faults),
            self.scheduler.now,
            max(0.0, self.scheduler.now - self.plan.last),
            len(audit.records),
            len(check.repeated),
            hash((self.scheduler.random.random(), tuple(audit.arrived))),
        )


class Log:
    """The logger of every module."""

    def __init__(self, world: World) -> None:
        self._world = world

    def debug(self, event: str, *arguments: Any, **fields: Any) -> None:
        """Write a line."""
        world = self._world
        if world.lines is not None:
            text = event % arguments if arguments else event
            more = {name: value for name, value in fields.items() if name not in ("data", "text", "attributes")}
            world.trace(f"{world.scheduler.current.process.name}: {text}" + (f" {more}" if more else ""))

    info = warning = exception = debug

    def error(self, event: str, *arguments: Any, **fields: Any) -> None:
        """Write a line, which may be the last place of an event."""
        self.debug(event, *arguments, **fields)
        if event.startswith("Dropping event"):
            self._world.audit.dropped(fields["type"], fields["data"])


@functools.cache
def settings_of(environ: tuple[tuple[str, str], ...]) -> PollerSettings:
    """Return the settings in *environ*."""
    return read(PollerSettings, dict(environ))
