"""Faults of the network to vCenter, to the sink and to the API server: `python -m bench.faults [EDGE...]`.

The poller is a process, each edge has a proxy (`tests.support.faulty_proxy`), and events are created all the time. The
edges are measured at the same time, since they mostly wait. `tests/functions/poller/test_faults.py` has short cases.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.measure import Measurement
from demo.vcsim import VCSim
from pipeline.errors import cut
from tests.support.faulty_poller import EDGES, FaultyPoller, Outcome
from tests.support.faulty_proxy import GARBAGE, HALF_OPEN, LATENCY, PAGE, RESET, SLICES, Fault

CASES: Sequence[tuple[str, Fault, float]] = (
    ("latency of 300 ms each way", LATENCY, 10),
    ("slices of 1 byte", SLICES, 10),
    ("resets in mid-answer, 30 % of answers", RESET, 10),
    ("garbage instead of answers", GARBAGE, 10),
    ("200 with a page of HTML", PAGE, 10),
    ("half-open", HALF_OPEN, 60),
)
"""The fault of each case, and the seconds it lasts."""
GOAL = "lost 0, noticed within 20 s"


def faults(edges: Sequence[str] = EDGES) -> Iterator[Measurement]:
    """Measure every case on each of *edges*."""
    with ThreadPoolExecutor(len(edges)) as pool:
        for rows in pool.map(lambda edge: list(cases(edge)), edges):
            yield from rows


def cases(edge: str) -> Iterator[Measurement]:
    """Measure every case on *edge*, each with a simulator and a poller of its own."""
    for name, fault, seconds in CASES:
        if fault is PAGE and edge != "API server":  # a 200 of a sink acknowledges the event, and vCenter speaks TLS
            continue
        with VCSim() as vcsim, FaultyPoller(vcsim) as faulty:
            outcome = faulty.play(edge, fault, seconds)
        yield Measurement(f"{edge}: {name}, {seconds:.0f} s", described(outcome), "", GOAL)


def described(outcome: Outcome) -> str:
    """Return the figures in words."""
    noticed = f"after {outcome.noticed_seconds:.1f} s ({cut(outcome.sign, 70)})" if outcome.sign else "not, events flow"
    return (
        f"{outcome.events} events, lost {outcome.lost}, twice {outcome.repeated}; noticed {noticed}; "
        f"all there {outcome.recovered_seconds:.1f} s after its end, "
        f"slowest event {outcome.longest_seconds:.1f} s"
    )


def main() -> int:
    """Print the table of the edges that the command line names, or of all."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("edges", nargs="*", metavar="EDGE", choices=[*EDGES, []], help=", ".join(EDGES))
    for row in faults(parser.parse_args().edges or EDGES):
        print(f"| {row.what} | {row.value} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
