"""`python -m bench [NAME...]`: measure, print a table, and write it to `bench/results.md`; without names, all of it."""

import argparse
import datetime
import platform
import sys
from pathlib import Path

from bench import poller
from bench.measure import Measurement
from demo.vcsim import build
from pipeline import logs

RESULTS = Path(__file__).parent / "results.md"
MEASUREMENTS = {
    "trickle": poller.trickle,
    "backlog": poller.backlog,
    "burst": poller.burst,
    "memory": poller.memory,
    "start": poller.cold_start,
    "kills": poller.kills,
    "ticks": poller.ticks,
}
"""Name → what measures it: each returns its rows, the baseline of the same run beside each figure that has one."""


def main() -> int:
    """Run the named measurements, one after the other, since each wants the machine for itself."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of " + ", ".join(MEASUREMENTS))
    names = parser.parse_args().names or list(MEASUREMENTS)
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    logs.configure("ERROR", sys.stderr)
    build()
    rows: list[Measurement] = []
    for name in names:
        print(f"measuring {name} …", flush=True)
        for row in MEASUREMENTS[name]():
            print(f"  {row.what}: {row.value}" + (f" (baseline {row.baseline})" if row.baseline else ""), flush=True)
            rows.append(row)
    if len(names) == len(MEASUREMENTS):
        RESULTS.write_text(report(rows), encoding="utf-8")
        print(f"written to {RESULTS}")
    return 0


def report(rows: list[Measurement]) -> str:
    """The table as Markdown."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    head = (
        "# Measured\n\n"
        f"`make bench`, {today}, {platform.machine()}, Python {platform.python_version()}; vcsim, poller and sink "
        "share two cores. A figure stands beside a raw baseline of the same run where there is one: machines differ, "
        "ratios less so.\n\n"
        "| what | measured | raw baseline | to reach |\n|---|---|---|---|\n"
    )
    return head + "".join(f"| {row.what} | {row.value} | {row.baseline} | {row.goal} |\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
