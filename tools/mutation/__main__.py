"""`python -m tools.mutation [NAME…]`: mutate modules, run their own tests, print which mutants no test noticed.

The exit code is 1 if a module's score is below the minimum, or if a survivor has no reason in `survivors.toml`.
"""

import argparse
import dataclasses
import os
import site
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tools.mutation import trial
from tools.mutation.targets import TARGETS, Target
from tools.mutation.trial import Outcome

if TYPE_CHECKING:
    from tools.mutation.mutants import Mutant

HERE = Path(__file__).resolve().parent
LIBRARIES = trial.ROOT / ".cache/mutate"
"""The folder into which `make mutate` installs mutmut."""
MIN_SCORE = 85
"""The percentage of a module's mutants that its tests must notice."""
PROGRESS_SECONDS = 10

Reasons = Mapping[tuple[str, str], str]
"""(file, change) → the reason why no test notices the change."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The trials of one module."""

    name: str
    target: Target
    mutants: int
    timeouts: int
    survivors: "list[Mutant]"
    seconds: float

    @property
    def killed(self) -> int:
        """The number of mutants that a test noticed."""
        return self.mutants - len(self.survivors)

    @property
    def score(self) -> float:
        """The same, in percent."""
        return 100 * self.killed / self.mutants


def main(arguments: Sequence[str]) -> int:
    """Try the modules with the names in *arguments*, or all. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants tried at the same time")
    parser.add_argument("--examples", type=int, default=10, help="examples for each test of a property")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep outcomes in FILE, and continue from there")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(TARGETS):
        parser.error(f"no such module: {', '.join(sorted(unknown))}. There are {', '.join(TARGETS)}")
    site.addsitedir(str(LIBRARIES))
    os.chdir(trial.ROOT)
    reasons = read_reasons()
    results = [try_module(name, options) for name in options.names or TARGETS]
    print_survivors(results, reasons)
    print_table(results)
    reached = all(result.score >= MIN_SCORE for result in results)
    explained = all(reason(result, mutant, reasons) for result in results for mutant in result.survivors)
    return 0 if reached and explained else 1


def read_reasons() -> Reasons:
    """Return the reasons in `survivors.toml`."""
    groups = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))["survivors"]
    return {
        (group["file"], " ".join(change.split())): group["reason"] for group in groups for change in group["changes"]
    }


def try_module(name: str, options: argparse.Namespace) -> Result:
    """Try the mutants of the module *name* and report the progress."""
    from tools.mutation.mutants import mutants  # noqa: PLC0415 - mutmut is on the path since `main`

    target = TARGETS[name]
    began = reported = time.monotonic()
    candidates = {mutant.key: mutant for mutant in mutants(target.source, Path(target.source).read_text("utf-8"))}
    record = OutcomeRecord(options.resume)
    outcomes = {key: outcome for key, outcome in record.read().items() if key in candidates}
    bench = trial.prepare(target, options.examples)
    print(f"{name}: {len(candidates)} mutants, {bench.cpu_seconds:.1f} s for its tests", flush=True)
    codes = {key: mutant.code for key, mutant in candidates.items() if key not in outcomes}
    for key, outcome in bench.trials(codes, options.jobs):
        outcomes[key] = outcome
        record.add(key, outcome)
        if time.monotonic() - reported > PROGRESS_SECONDS:
            reported = time.monotonic()
            survivors = sum(outcome is Outcome.SURVIVED for outcome in outcomes.values())
            print(f"{name}: {len(outcomes)} of {len(candidates)}, {survivors} survived", flush=True)
    return Result(
        name,
        target,
        len(candidates),
        sum(outcome is Outcome.TIMEOUT for outcome in outcomes.values()),
        [mutant for key, mutant in candidates.items() if outcomes[key] is Outcome.SURVIVED],
        time.monotonic() - began,
    )


class OutcomeRecord:
    """The outcomes of trials in a file, so that a run that was interrupted can continue. Without a file it is empty.

    It does not know the tests: delete it when they change.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> dict[str, Outcome]:
        """Return mutant's key → outcome."""
        if self._file is None or not self._file.exists():
            return {}
        lines = self._file.read_text("utf-8").splitlines()
        return {key: Outcome(outcome) for key, _, outcome in (line.partition(" ") for line in lines)}

    def add(self, key: str, outcome: Outcome) -> None:
        """Append one outcome."""
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{key} {outcome.value}\n")


def reason(result: Result, mutant: "Mutant", reasons: Reasons) -> str:
    """Return the reason why *mutant* survives, or "" if there is none."""
    return reasons.get((result.target.source, " ".join(mutant.change.split())), "")


def print_survivors(results: Sequence[Result], reasons: Reasons) -> None:
    """Print each survivor with its place, its difference and its reason."""
    for result in results:
        for mutant in result.survivors:
            print(f"\n{result.target.source}:{mutant.line}")
            print(f"  - {mutant.removed}\n  + {mutant.added}")
            print(f"  {reason(result, mutant, reasons) or 'NO REASON: write a test, or a reason in survivors.toml'}")


def print_table(results: Sequence[Result]) -> None:
    """Print a line for each module."""
    print(f"\n{'module':<18}{'mutants':>8}{'killed':>8}{'timeout':>9}{'survived':>10}{'score':>8}{'seconds':>9}")
    for result in results:
        print(
            f"{result.name:<18}{result.mutants:>8}{result.killed:>8}{result.timeouts:>9}{len(result.survivors):>10}"
            f"{result.score:>7.1f}%{result.seconds:>9.0f}"
        )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except trial.TestsFail as error:
        sys.exit(str(error))
