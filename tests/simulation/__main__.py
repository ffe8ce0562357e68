"""`python -m tests.simulation [--seed SEED] [--runs RUNS]`: run seeds, and print the schedule of each that fails."""

import argparse
import gc
import math
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.faults import EFFECTS
from tests.simulation.plan import draw
from tests.simulation.world import Result, World

CHUNK = 50
"""Seeds that a process runs at a time."""
PROGRESS_SECONDS = 10.0
MAX_FAILURES = 3
"""Failing seeds whose schedule is printed."""
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
    gc.disable()  # a third faster; what one run leaves is collected after these
    totals = Totals(0, 0.0, 0, 0, 0.0, Counter(), [])
    for seed in seeds:
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


def main() -> int:
    """Run the seeds of the command line. Return 1 if an invariant is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="the number of seeds")
    parser.add_argument("--seconds", type=float, default=math.inf, help="the time after which no more seeds begin")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="the number of processes")
    options = parser.parse_args()
    if options.runs == 1:
        print(schedule(options.seed))
        return int(bool(World(draw(options.seed)).run().violations))
    started = shown = time.monotonic()
    totals = None
    for totals in run_all(options.seed, options.runs, options.processes):
        if time.monotonic() - started > options.seconds:
            break
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            print(
                f"{totals.runs:,} of {options.runs:,} seeds, {totals.runs / (shown - started):.0f}/s, "
                f"{len(totals.failed)} failed",
                flush=True,
            )
    if totals is None:
        return 0
    for result in totals.failed[:MAX_FAILURES]:
        print(schedule(result.seed), end="\n\n")
    print(report(totals, time.monotonic() - started))
    for result in totals.failed:
        print(f"FAILED seed {result.seed}: {result.violations[0]}")
    return int(bool(totals.failed))


if __name__ == "__main__":
    sys.exit(main())
