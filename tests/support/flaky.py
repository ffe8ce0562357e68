"""A pytest plugin: a test on a cluster that fails runs once more, and is reported as FLAKY if it passes then.

A cluster on two cores sometimes fails tests for reasons that are not ours. Other tests never run again.
"""

import pytest

_first_errors: dict[str, str] = {}
"""By the id of a test that runs again: the error of its first run."""
_passed: set[str] = set()
"""The ids of tests that passed in their second run."""


def pytest_configure(config: pytest.Config) -> None:
    """Reject options that rerun other tests."""
    if config.getoption("reruns", None):
        raise pytest.UsageError("--reruns would also rerun tests that need no cluster: those must pass the first time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test on a cluster run twice."""
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        elif item.get_closest_marker("flaky"):
            raise pytest.UsageError(f"{item.nodeid} is marked flaky: only tests on a cluster run twice")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the error of a first run, and note that the second one passed."""
    if report.outcome == "rerun":  # type: ignore[comparison-overlap]  # set by pytest-rerunfailures
        _first_errors.setdefault(report.nodeid, first_error(report))
    elif report.nodeid in _first_errors:
        if report.failed:
            _passed.discard(report.nodeid)
        elif report.when == "call":
            _passed.add(report.nodeid)


def first_error(report: pytest.TestReport) -> str:
    """Return one line: the exception of *report* and where it was raised."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return " ".join(report.longreprtext.split())
    return f"{' '.join(str(crash.message).split())} ({crash.path}:{crash.lineno})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the tests that passed only in their second run, one line each, which `.ci/run` repeats."""
    lines = [f"FLAKY {nodeid} - {error}" for nodeid, error in _first_errors.items() if nodeid in _passed]
    if lines:
        terminalreporter.section("FLAKY: passed only in a second run")
        for line in lines:
            terminalreporter.write_line(line)
