"""Mutation testing: a mutant is killed by its module's own tests, and by nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutation.__main__ import read_reasons
from tools.mutation.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]

TRY = """
import sys
from tools.mutation import trial
from tools.mutation.targets import TARGETS
target = TARGETS["acknowledgements"]
code = (trial.ROOT / target.source).read_text()
harmless = code.replace("was never assigned", "was never assigned.")
wrong = code.replace("return False", "return True")
assert len({code, harmless, wrong}) == 3
codes = {"harmless": harmless, "wrong": wrong, "ending": "raise SystemExit(0)"}
outcomes = dict(trial.prepare(target, examples=10).trials(codes, jobs=1))
print(*(outcomes[name].value for name in codes))
"""


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_target_names_existing_files(target: Target) -> None:
    assert [file for file in (target.source, *target.tests) if not (ROOT / file).is_file()] == []


def test_tests_kill_wrong_code_and_nothing_else() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", TRY], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )

    assert completed.stdout.split() == ["survived", "killed", "killed"], completed.stderr


def test_reasons_name_code_that_exists() -> None:
    stale = [
        f"{file}: {change}"
        for file, change in read_reasons()
        if change.partition(" → ")[0] not in " ".join((ROOT / file).read_text(encoding="utf-8").split())
    ]

    assert stale == []
