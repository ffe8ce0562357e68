"""The faults: each changes a model, and returns the function that ends it."""

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from delivery.stores import LEASE_KEY
from tests.simulation.sink import DEAD_LETTERS, GATEWAY, SERVER_ERRORS, SINK, TEMPORARY

PERMANENT = (400, 406, 410, 413, 415, 422, 451)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    begin: Callable[[Any, random.Random], Callable[[], Any] | None]
    """Begins it in a `World`, and returns what ends it."""
    store: str = ""
    """The only store that it concerns. Empty: any."""


def _poller_killed(world: Any, chance: random.Random) -> Callable[[], Any]:
    pod = chance.choice(world.pods)
    pod.kill()

    def end() -> None:
        pod.start()

    return end


def _poller_terminated(world: Any, chance: random.Random) -> Callable[[], Any]:
    pod = chance.choice(world.pods)
    pod.terminate()
    return lambda: (pod.kill(), pod.start())


def _poller_restarts_often(world: Any, chance: random.Random) -> None:
    pod = chance.choice(world.pods)
    for _ in range(chance.randrange(2, 6)):
        world.scheduler.call_later(chance.uniform(0, 8), lambda: (pod.kill(), pod.start()))


def _node_lost(world: Any, chance: random.Random) -> None:
    """Kill a poller that never comes back, if there is another one."""
    pod = chance.choice(world.pods)
    pod.kill()
    if len(world.pods) > 1:
        world.pods.remove(pod)
        world.audit.met("a node is lost")
    else:
        pod.start()


def _clock_jumps(world: Any, chance: random.Random) -> Callable[[], Any]:
    host = chance.choice(world.pods).host
    jump = chance.choice((-86_400.0, -3_600.0, -20.0, 20.0, 3_600.0, 31 * 86_400.0))
    host.wall_lead += jump
    world.audit.met(f"the poller's clock jumps {'forward' if jump > 0 else 'back'}")

    def end() -> None:
        host.wall_lead -= jump

    return end


def _network(fault: str) -> Fault:
    """Return a fault of the network to vCenter."""

    def begin(world: Any, chance: random.Random) -> Callable[[], Any]:
        network = world.server.network
        network.fault, network.probability = fault, chance.choice((1.0, 0.5, 0.2))
        world.vcenter.wake()

        def end() -> None:
            network.fault = ""

        return end

    return Fault(begin)


def _vcenter_slow(world: Any, chance: random.Random) -> Callable[[], Any]:
    network = world.server.network
    before, network.latency = network.latency, chance.uniform(0.5, 6)
    world.audit.met("vcenter is slow")

    def end() -> None:
        network.latency = before

    return end


def _vcenter_restarts(world: Any, chance: random.Random) -> Callable[[], Any]:
    world.audit.met("vcenter restarts")
    world.vcenter.end_sessions()
    return _network("unreachable").begin(world, random.Random(0)) or (lambda: None)


def _sessions_end(world: Any, chance: random.Random) -> None:
    world.audit.met("an administrator ends the sessions")
    world.vcenter.end_sessions()


def _login_rejected(world: Any, chance: random.Random) -> Callable[[], Any]:
    network = world.server.network
    network.rejects_login = True
    world.vcenter.end_sessions()

    def end() -> None:
        network.rejects_login = False

    return end


def _pruned(world: Any, chance: random.Random) -> None:
    pruned = world.vcenter.prune(chance.choice((0, 1, 3, 10)))
    if pruned:
        world.audit.met("vcenter prunes its history")


def _restored(world: Any, chance: random.Random) -> Callable[[], Any]:
    removed = world.vcenter.restore(chance.choice((1, 3, 10, 10_000)))
    world.audit.restored(removed)
    world.audit.met("vcenter is restored from a backup")
    return _network("unreachable").begin(world, random.Random(0)) or (lambda: None)


def _vcenter_clock_set(world: Any, chance: random.Random) -> None:
    """Set vCenter's clock far ahead, or far back, the same way for all of a run.

    The events between the times that a clock passes twice, while no poller runs, cannot be found by their time.
    """
    vcenter, sign = world.vcenter, 1 if world.plan.seed % 2 else -1
    vcenter.clock_lead += sign * chance.choice((3_600.0, 86_400.0))
    world.audit.met(f"vcenter's clock is set {'forward' if sign > 0 else 'back'}")
    world.audit.promise.is_clock_set_back |= sign < 0


def _vcenter_clock_jumps(world: Any, chance: random.Random) -> Callable[[], Any]:
    vcenter = world.vcenter
    jump = chance.choice((-90.0, -30.0, -2.0, 2.0, 30.0, 90.0))
    vcenter.clock_lead += jump
    world.audit.met(f"vcenter's clock jumps {'forward' if jump > 0 else 'back'}")
    world.audit.promise.is_clock_set_back = True  # sooner or later

    def end() -> None:
        vcenter.clock_lead -= jump

    return end


def _collector_stuck(world: Any, chance: random.Random) -> None:
    for session in world.vcenter.sessions:
        for collector in session.collectors.values():
            collector.is_stuck = True
    world.audit.met("an event collector is stuck")


def _odd_event(oddity: str, effect: str) -> Fault:
    def begin(world: Any, chance: random.Random) -> None:
        world.post(chance.choice(("VirtualMachine/vm-1", "")), oddity)
        world.audit.met(effect)

    return Fault(begin)


def _burst(world: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((20, 60))):
        world.post(chance.choice(("VirtualMachine/vm-1", "VirtualMachine/vm-2", "")))
    world.audit.met("a burst of events")


def _sink(fault: str, statuses: tuple[int, ...] = (), url: str = SINK) -> Fault:
    """Return a fault of the sink at *url*."""

    def begin(world: Any, chance: random.Random) -> Callable[[], Any]:
        behavior = world.sink.behavior[url]
        behavior.fault, behavior.probability, behavior.statuses = fault, chance.choice((1.0, 0.5, 0.2)), statuses
        if fault == "memory":
            behavior.probability = 1.0

        def end() -> None:
            behavior.fault = ""

        return end

    return Fault(begin)


def _poison(statuses: tuple[int, ...]) -> Fault:
    """Return a fault of the sink that concerns one event, or several."""

    def begin(world: Any, chance: random.Random) -> Callable[[], Any]:
        rejected = world.sink.behavior[SINK].rejected
        for offset in range(chance.choice((1, 1, 8))):
            rejected[world.count + 1 + offset] = chance.choice(statuses)

        def end() -> None:
            rejected.clear()

        return end

    return Fault(begin)


def _store(fault: str, store: str) -> Fault:
    """Return a fault of the store."""

    def begin(world: Any, chance: random.Random) -> Callable[[], Any]:
        behavior = world.store.behavior
        behavior.fault, behavior.probability = fault, chance.choice((1.0, 1.0, 0.5))
        behavior.process = chance.choice((None, world.pods[0].process))

        def end() -> None:
            behavior.fault = ""

        return end

    return Fault(begin, store)


def _foreign_write(world: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 5))):
        world.scheduler.call_later(chance.uniform(0, 3), lambda: world.store.write(other=str(world.store.version)))
    world.audit.met("somebody else writes the ConfigMap")


def _lease_removed(world: Any, chance: random.Random) -> None:
    world.store.write(**{LEASE_KEY: None})
    world.audit.lease_removed()
    world.audit.met("somebody else removes the lease")


FAULTS: Mapping[str, Fault] = {
    "poller killed": Fault(_poller_killed),
    "poller terminated": Fault(_poller_terminated),
    "poller restarts often": Fault(_poller_restarts_often),
    "node lost": Fault(_node_lost),
    "poller's clock jumps": Fault(_clock_jumps),
    "vcenter is unreachable": _network("unreachable"),
    "vcenter does not respond": _network("hang"),
    "vcenter resets connections": _network("reset"),
    "vcenter resets after the request": _network("reset after"),
    "vcenter's answers are garbled": _network("garble"),
    "vcenter slow": Fault(_vcenter_slow),
    "vcenter restarts": Fault(_vcenter_restarts),
    "vcenter's sessions end": Fault(_sessions_end),
    "vcenter rejects the login": Fault(_login_rejected),
    "vcenter prunes": Fault(_pruned),
    "vcenter restored": Fault(_restored),
    "vcenter's clock jumps": Fault(_vcenter_clock_jumps),
    "vcenter's clock is set": Fault(_vcenter_clock_set),
    "collector stuck": Fault(_collector_stuck),
    "event without key": _odd_event("no key", "an event has no key"),
    "event with a word as key": _odd_event("word as key", "an event has a word as key"),
    "event without time": _odd_event("no time", "an event has no time"),
    "event with a time outside of the day": _odd_event("late time", "an event has a late time"),
    "event too deep": _odd_event("deep", "an event is too deep"),
    "burst": Fault(_burst),
    "sink answers 5xx": _sink("status", SERVER_ERRORS),
    "sink answers 401, 404, 429 …": _sink("status", TEMPORARY),
    "sink's gateway answers 3xx, 405, 421": _sink("status", GATEWAY),
    "sink rejects everything": _sink("status", PERMANENT),
    "sink rejects some events": _poison(PERMANENT),
    "sink fails with some events": _poison(SERVER_ERRORS),
    "sink asks for rubbish delays": _sink("retry after"),
    "sink does not respond": _sink("time-out"),
    "sink slow": _sink("slow"),
    "sink resets": _sink("reset"),
    "sink resets after taking": _sink("reset after"),
    "sink's answers are cut": _sink("cut"),
    "requests to the sink are late": _sink("late"),
    "sink forgets": _sink("memory"),
    "dead-letter sink down": _sink("status", SERVER_ERRORS + PERMANENT, DEAD_LETTERS),
    "API server unreachable": _store("unreachable", "configmap"),
    "API server does not respond": _store("hang", "configmap"),
    "API server answers with errors": _store("status", "configmap"),
    "API server answers with garbage": _store("garbage", "configmap"),
    "API server's answers are lost": _store("lost", "configmap"),
    "API server slow": _store("slow", "configmap"),
    "API server's answers drip": _store("drip", "configmap"),
    "ConfigMap written by somebody else": Fault(_foreign_write, "configmap"),
    "lease removed by somebody else": Fault(_lease_removed, "configmap"),
    "disk full": _store("full", "file"),
    "disk unreadable": _store("unreadable", "file"),
}
"""Name → fault."""

EFFECTS = frozenset(
    """
a burst of events
a node is lost
a request reaches the sink late
an administrator ends the sessions
an event collector is stuck
an event has a late time
an event has a word as key
an event has no key
an event has no time
an event is too deep
API server: drip
API server: garbage
API server: hang
API server: lost
API server: unreachable
API server: slow
API server: status
dead-letter sink answers 4xx
dead-letter sink answers 5xx
disk: full
disk: unreadable
poller killed
poller terminated
sink answers 3xx
sink answers 4xx
sink answers 5xx
somebody else removes the lease
somebody else writes the ConfigMap
status event gap
status event recovered
status event undeliverable
status event unreachable
status event unreadable
the ConfigMap was written meanwhile
the poller's clock jumps back
the poller's clock jumps forward
the sink asks for a delay, or for rubbish
the sink does not respond and has not taken the event
the sink does not respond and has taken the event
the sink forgets what it took
the sink is slow
the sink rejects one event with 4xx
the sink rejects one event with 5xx
the sink's answer is cut
the sink's connection breaks after the event is taken
the sink's connection breaks before the event is taken
the sink's gateway answers 3xx, 405 or 421
vcenter does not respond
vcenter is restored from a backup
vcenter is slow
vcenter prunes its history
vcenter is unreachable
vcenter rejects the login
vcenter resets after the request
vcenter resets before the request
vcenter restarts
vcenter's answer is garbled
vcenter's clock is set back
vcenter's clock is set forward
vcenter's clock jumps back
vcenter's clock jumps forward
vcenter's line breaks large answers
""".strip().splitlines()
)
"""The effects that a run counts, and the status events that report some of them. Enough seeds reach all of them."""
