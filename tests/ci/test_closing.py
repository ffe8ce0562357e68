"""Tests of the closing lines of `.ci/run`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TESTS = """
======================= 1 failed, 1590 passed in 200.10s (0:03:20) ==============
"""
E2E = """
============== FLAKY: passed only in a second run ==============
FLAKY tests/e2e/test_a.py::test_b - AssertionError: no route (tests/e2e/test_a.py:7)
============== 90 passed, 2 skipped, 1 rerun in 600.25s (0:10:00) ==============
"""


def closing_lines(work: Path) -> list[str]:
    command = [sys.executable, str(ROOT / ".ci/closing.py"), str(work), "900"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_last_line_sums_the_counts_of_all_runs(tmp_path: Path) -> None:
    (tmp_path / "tests.log").write_text(TESTS)
    (tmp_path / "e2e.log").write_text(E2E)

    last = closing_lines(tmp_path)[-1]

    assert last.strip("= ") == "1 failed, 1680 passed, 2 skipped, 1 rerun in 800.35s"
    assert last.startswith("=")


def test_flaky_tests_and_the_times_stand_before_it(tmp_path: Path) -> None:
    (tmp_path / "e2e.log").write_text(E2E)
    (tmp_path / "times").write_text("venv 20\ntests 200\n")

    times, flaky, _ = closing_lines(tmp_path)

    assert times == "Times: venv 20 s, tests 200 s; in all 900 s"
    assert flaky == "FLAKY tests/e2e/test_a.py::test_b - AssertionError: no route (tests/e2e/test_a.py:7)"


def test_run_that_failed_early_says_that_no_tests_ran(tmp_path: Path) -> None:
    assert closing_lines(tmp_path)[-1].strip("= ") == "no tests ran in 0.00s"
