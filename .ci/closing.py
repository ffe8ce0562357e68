"""The closing lines of `.ci/run`: the time of each part, the flaky tests, and the counts of all tests."""

import collections
import re
import sys
from pathlib import Path

WIDTH = 100


def main(work: Path, seconds: float) -> list[str]:
    """Return the closing lines: from the file *work*/times and the logs of pytest there, after *seconds* in all."""
    logs = "\n".join(log.read_text(errors="replace") for log in sorted(work.glob("*.log"), reverse=True))
    return [times(work / "times", seconds), *flaky(logs), counts(logs)]


def times(file: Path, seconds: float) -> str:
    """Return one line with the time of each part."""
    parts = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return f"Times: {', '.join(f'{name} {part} s' for name, part in parts)}; in all {seconds:.0f} s"


def flaky(logs: str) -> list[str]:
    """Return the lines that report tests which failed once and then passed."""
    return re.findall(r"^FLAKY .+$", logs, re.MULTILINE)


def counts(logs: str) -> str:
    """Return pytest's closing line for all runs together."""
    closing = re.findall(r"^=+ (.+) in ([0-9.]+)s", logs, re.MULTILINE)
    sums: collections.Counter[str] = collections.Counter()
    for outcomes, _ in closing:
        for number, outcome in re.findall(r"(\d+) (\w+)", outcomes):
            sums[outcome] += int(number)
    line = ", ".join(f"{number} {outcome}" for outcome, number in sums.items()) or "no tests ran"
    return f" {line} in {sum(float(part) for _, part in closing):.2f}s ".center(WIDTH, "=")


if __name__ == "__main__":
    sys.stdout.write("\n".join(main(Path(sys.argv[1]), float(sys.argv[2]))) + "\n")
