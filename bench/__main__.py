"""`python -m bench [NAME...]`: measure and write `bench/results.md`. Without names, all that needs no cluster."""

import argparse
import datetime
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import attack, display, failures, faults, knative, largest, long_memory, page, poller, runtime
from bench.measure import Measurement
from demo.vcsim import build
from pipeline import logs

RESULTS = Path(__file__).parent / "results.md"
HEAD = """# Measured

`make bench` writes this page. `NAMES="trickle backlog"` measures some. vcsim, poller, display, browser and sink share
the cores. Some figures have a raw baseline of the same run beside them. Machines differ more than these ratios.
"""
MEASUREMENTS = {
    "trickle": poller.trickle,
    "backlog": poller.backlog,
    "burst": poller.burst,
    "memory": poller.memory,
    "start": poller.cold_start,
    "failures": failures.failures,
    "faults": faults.faults,
    "largest": largest.largest,
    "kills": poller.kills,
    "ticks": poller.ticks,
    "display": display.display,
    "page": page.page,
    "long_memory": long_memory.long_memory,
    "runtime": runtime.runtime,
    "attack": attack.attack,
    "viewers": attack.viewers,
    "drain": attack.drain,
    "knative": knative.knative,
}
"""Name → what measures it: each returns its rows, the baseline of the same run beside each figure that has one."""


def main() -> int:
    """Run the named measurements, one after the other, since each wants the machine for itself."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of " + ", ".join(MEASUREMENTS))
    names = parser.parse_args().names or [name for name in MEASUREMENTS if name != "knative"]
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    logs.configure("ERROR", sys.stderr)
    build()
    for name in names:
        print(f"measuring {name} …", flush=True)
        rows: list[Measurement] = []
        for row in MEASUREMENTS[name]():
            print(f"  {row.what}: {row.value}" + (f" (baseline {row.baseline})" if row.baseline else ""), flush=True)
            rows.append(row)
        keep(name, rows)
    print(f"written to {RESULTS}")
    return 0


def keep(name: str, rows: Sequence[Measurement]) -> None:
    """Put the rows of one measurement into the results, in place of those of an earlier run."""
    known = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", known, re.DOTALL | re.MULTILINE))
    sections[name] = section(rows)
    ordered = [f"## {title}\n\n{sections[title].rstrip()}\n" for title in MEASUREMENTS if title in sections]
    RESULTS.write_text("\n".join([HEAD, *ordered]), encoding="utf-8")


def section(rows: Sequence[Measurement]) -> str:
    """When and on what it was measured, and the table, as Markdown."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = os.getloadavg()[0]
    where = (
        f"{today}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, load {load:.1f}."
    )
    lines = [where, "", "| what | measured | raw baseline | to reach |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.what} | {row.value} | {row.baseline} | {row.goal} |" for row in rows)])


if __name__ == "__main__":
    sys.exit(main())
