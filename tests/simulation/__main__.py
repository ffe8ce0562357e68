"""`python -m tests.simulation [--seed SEED] [--runs RUNS]`: run seeds, and print the schedule of each that fails."""

import argparse
import math
import os
import sys
import time

from tests.simulation.faults import EFFECTS
from tests.simulation.plan import draw
from tests.simulation.runs import report, run_all, schedule
from tests.simulation.world import World

PROGRESS_SECONDS = 10.0
MAX_FAILURES = 3
"""Failing seeds whose schedule is printed."""
REACHING_RUNS = 10_000
"""As many seeds reach every fault."""


def main() -> int:
    """Run the seeds of the command line. Return 1 if an invariant is broken, or if many seeds do not reach a fault."""
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
            failed = ", ".join(str(result.seed) for result in totals.failed) or "none"
            rate = totals.runs / (shown - started)
            print(f"{totals.runs:,} of {options.runs:,} seeds, {rate:.0f}/s, failed: {failed}", flush=True)
    if totals is None:
        return 0
    for result in totals.failed[:MAX_FAILURES]:
        print(schedule(result.seed), end="\n\n")
    print(report(totals, time.monotonic() - started))
    for result in totals.failed:
        print(f"FAILED seed {result.seed}: {result.violations[0]}")
    has_unreached = totals.runs >= REACHING_RUNS and bool(EFFECTS - totals.faults.keys())
    return int(bool(totals.failed) or has_unreached)


if __name__ == "__main__":
    sys.exit(main())
