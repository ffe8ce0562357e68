"""Many runs: on several processes, and their sums."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.faults import EFFECTS
from tests.simulation.plan import draw
from tests.simulation.world import Result, World

CHUNK = 50
"""Seeds that a process runs at a time."""
COLLECTED = 10
"""Seeds between two collections of garbage. More of it would leave the processor's cache."""
YEAR_SECONDS = 365.25 * 86_400


class Totals(NamedTuple):
    """The sums of some runs."""

    runs: int
    seconds: float
    """Virtual time."""
    events: int
    repeated: int
    slowest: float
    """The longest time from the last fault until delivery was complete."""
    faults: Counter[str]
    failed: list[Result]

    def plus(self, other: "Totals") -> "Totals":
        """Return the sum of both."""
        return Totals(
            self.runs + other.runs,
            self.seconds + other.seconds,
            self.events + other.events,
            self.repeated + other.repeated,
            max(self.slowest, other.slowest),
            self.faults + other.faults,
            self.failed + other.failed,
        )


def run_seeds(seeds: range) -> Totals:
    """Run *seeds* in this process."""
    gc.collect()
    gc.freeze()
    gc.disable()  # a third faster
    totals = Totals(0, 0.0, 0, 0, 0.0, Counter(), [])
    for seed in seeds:
        if seed % COLLECTED == 0:
            gc.collect()
        result = World(draw(seed)).run()
        failed = [result] if result.violations else []
        totals = Totals(
            totals.runs + 1,
            totals.seconds + result.seconds,
            totals.events + result.events,
            totals.repeated + result.repeated,
            max(totals.slowest, result.resumed_seconds),
            totals.faults,
            totals.failed + failed,
        )
        totals.faults.update(result.faults)
    gc.enable()
    gc.unfreeze()
    return totals


def schedule(seed: int) -> str:
    """Return the plan of *seed*, every step of its run, and the invariants that it breaks."""
    world = World(draw(seed), traces=True)
    result = world.run()
    lines = [str(world.plan), *(world.lines or []), *(f"VIOLATED {violation}" for violation in result.violations)]
    return "\n".join(lines)


def run_all(first: int, runs: int, processes: int) -> Iterator[Totals]:
    """Run *runs* seeds from *first* on in *processes* and yield the totals so far, now and then."""
    chunks = [range(start, min(start + CHUNK, first + runs)) for start in range(first, first + runs, CHUNK)]
    totals = Totals(0, 0.0, 0, 0, 0.0, Counter(), [])
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for part in pool.imap_unordered(run_seeds, chunks):
            totals = totals.plus(part)
            yield totals


def report(totals: Totals, seconds: float) -> str:
    """Return the figures of all runs."""
    met = [f"  {count:>12,}  {fault}" for fault, count in sorted(totals.faults.items())]
    missing = sorted(EFFECTS - totals.faults.keys())
    return "\n".join(
        [
            "faults that took effect:",
            *met,
            *([f"faults never reached: {', '.join(missing)}"] if missing else []),
            (
                f"{totals.runs:,} runs in {seconds:.1f} s: {totals.seconds / YEAR_SECONDS:.3f} simulated years, "
                f"{totals.events:,} events, {totals.repeated:,} repeated, {sum(totals.faults.values()):,} faults of "
                f"{len(totals.faults)} kinds. Delivery was complete at most {totals.slowest:.0f} s after the last fault"
            ),
        ]
    )
