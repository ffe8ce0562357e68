"""The plan of a run: the settings, the events and the faults that a seed draws. A plan can be read, and printed."""

import dataclasses
import random
from collections.abc import Mapping

from delivery.retry import MAX_RETRY_AFTER_SECONDS
from tests.simulation.faults import FAULTS
from tests.simulation.sink import DEAD_LETTERS, SINK
from tests.simulation.vcenter import ENTITIES

BOUND_SECONDS = 150.0
"""Delivery is complete within this time after the last fault. The longest waits are: 60 s until a rejected password is
used again, 60 s between two reports of undeliverable events, 30 s between two attempts at the sink, and 15 s each for a
lease and for a vCenter that does not respond."""
TICK_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class PlannedFault:
    """A fault, from *at* for *seconds*."""

    at: float
    seconds: float
    name: str
    choice: int
    """The seed of what the fault itself draws."""


@dataclasses.dataclass(frozen=True)
class PlannedEvent:
    """An event of vCenter's."""

    at: float
    entity: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is drawn before a run begins."""

    seed: int
    store: str
    """configmap, file or memory."""
    pods: int
    environ: Mapping[str, str]
    first_key: int
    doubles: bool
    """True if collectors have the events twice that come while they are created."""
    mutes: bool
    """True if a watch never reports after a wait that ran out."""
    max_bytes: int
    """The size of an answer at which the line to vCenter breaks. 0: it never does."""
    events: tuple[PlannedEvent, ...]
    faults: tuple[PlannedFault, ...]
    end: float
    """The end of the last fault, in seconds."""

    @property
    def last(self) -> float:
        """The time of the last fault or event, in seconds."""
        return max(self.end, self.events[-1].at)

    @property
    def bound(self) -> float:
        """The time after the last fault within which delivery is complete, in seconds."""
        asks_for_delays = any(fault.name == "sink asks for rubbish delays" for fault in self.faults)
        return BOUND_SECONDS + (MAX_RETRY_AFTER_SECONDS if asks_for_delays else 0)

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.pods} poller(s), store {self.store}, first key {self.first_key}"
            + (", collectors double events" if self.doubles else "")
            + (", watches fall silent" if self.mutes else "")
            + (f", answers over {self.max_bytes} bytes break" if self.max_bytes else ""),
            "  settings: " + " ".join(f"{name}={value}" for name, value in self.environ.items() if value),
            f"  {len(self.events)} events until {self.events[-1].at:.1f} s",
        ]
        lines += [f"  {fault.at:7.3f} s  for {fault.seconds:6.3f} s: {fault.name}" for fault in self.faults]
        return "\n".join(lines)


def draw(seed: int) -> Plan:
    """Return the plan of *seed*."""
    chance = random.Random(f"plan {seed}")
    store = chance.choices(("configmap", "file", "memory"), (6, 3, 1))[0]
    duration = chance.uniform(3, 35)
    faults = _faults(chance, duration, store)
    return Plan(
        seed=seed,
        store=store,
        pods=1 if store == "memory" else chance.choice((1, 1, 1, 2)),
        environ=_environ(chance),
        first_key=chance.choice((1, chance.randrange(1, 2**31 - 10_000))),
        doubles=chance.random() < 0.3,
        mutes=chance.random() < 0.3,
        max_bytes=chance.choice((0,) * 9 + (20_000,)),
        events=_events(chance, duration),
        faults=faults,
        end=max([fault.at + fault.seconds for fault in faults], default=duration),
    )


def _environ(chance: random.Random) -> dict[str, str]:
    """Return settings of the poller."""
    resends = chance.random() < 0.3
    in_flight = chance.choice(("200", "2000") if resends else ("4", "20", "200", "2000"))
    return {
        "VC_URL": "https://vcenter.example",
        "VC_USERNAME": "u",
        "VC_PASSWORD": "p",
        "K_SINK": SINK,
        "DEAD_LETTER_SINK": DEAD_LETTERS if chance.random() < 0.5 else "",
        "SINK_BACKOFF_MAX": chance.choice(("1s", "5s", "30s")),
        "SINK_MAX_ATTEMPTS": chance.choice(("3", "10")),
        "SINK_CONCURRENCY": chance.choice(("1", "2", "4")),
        "SINK_MAX_IN_FLIGHT": in_flight,
        "SINK_RESEND": "5s" if resends else "0",
        "CHECKPOINT_PERIOD": chance.choice(("1s", "10s")),
        "CHECKPOINT_MAX_AGE": chance.choice(("5m", "5m", "720h", "720h", "0")),
        "FOLLOW_SECONDS": chance.choice(("always", "always", "15s", "15s", "0")),
    }


def _events(chance: random.Random, duration: float) -> tuple[PlannedEvent, ...]:
    times = [chance.uniform(0, duration) for _ in range(chance.randrange(3, 25))]
    if chance.random() < 0.3:
        burst = chance.uniform(0, duration)
        times += [burst + chance.uniform(0, 0.5) for _ in range(chance.choice((10, 30)))]
    times += [duration + chance.uniform(0, 10) for _ in range(2)]
    return tuple(PlannedEvent(at, chance.choice(ENTITIES)) for at in sorted(times))


def _faults(chance: random.Random, duration: float, store: str) -> tuple[PlannedFault, ...]:
    names = [name for name, fault in FAULTS.items() if fault.store in ("", store)]
    planned = []
    for _ in range(chance.choice((0, 1, 2, 3, 4, 6))):
        seconds = chance.choice((chance.uniform(0.1, 3), chance.uniform(3, 12), chance.uniform(12, 30)))
        name = chance.choice(names)
        planned.append(PlannedFault(chance.uniform(0, duration), seconds, name, chance.randrange(2**32)))
    return tuple(sorted(planned, key=lambda fault: fault.at))
