"""Trials of mutants: the tests of a module, run in a fork of this process in which the module is another.

A fork has pytest and the libraries of the tests already imported. It imports the project's own modules itself. It is
limited in CPU time and not in wall-clock time, so that a busy machine kills no mutant.
"""

import contextlib
import dataclasses
import enum
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import hypothesis
import pytest

from tools.mutation.targets import Target

ROOT = Path(__file__).resolve().parents[2]
CPU_FACTOR = 5
"""A mutant may take this many times the CPU time of the unchanged module."""
MIN_CPU_SECONDS = 5
MAX_BYTES = 4 * 1024**3
"""The address space of a fork: an endless loop may fill a list."""
ARGUMENTS = [
    "-x", "-q", "--noconftest", "--disable-warnings", "--tb=no",
    "--assert=plain", "-p", "no:unraisableexception",   # nobody reads why a test fails: half of a trial's time
    "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:rerunfailures",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",   # the libraries are imported before pytest starts
]  # fmt: skip


class Outcome(enum.Enum):
    """The end of a trial."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    """It took too much CPU time, which a test would notice."""
    SURVIVED = "survived"


class TestsFail(Exception):
    """The tests fail for the module as it is, so that they say nothing about mutants."""

    __test__ = False


@dataclasses.dataclass(frozen=True)
class Bench:
    """Place for trials of one module: its libraries are imported, and the time that its tests take is known."""

    target: Target
    cpu_seconds: float
    durations: Mapping[str, float]
    """Test → seconds."""

    def trials(self, codes: Mapping[str, str], jobs: int) -> Iterator[tuple[str, Outcome]]:
        """Try each of *codes* (key → module), *jobs* at a time, and yield key and outcome as they come."""
        limit = int(max(MIN_CPU_SECONDS, CPU_FACTOR * self.cpu_seconds)) + 1
        running: dict[int, str] = {}
        waiting = iter(codes.items())
        while True:
            while len(running) < jobs and (job := next(waiting, None)):
                running[self._fork(job[1], limit)] = job[0]
            if not running:
                return
            process, status = os.wait()
            yield running.pop(process), _outcome(status)

    def _fork(self, code: str, limit: int) -> int:
        """Begin the trial of *code* in a fork with *limit* seconds of CPU time, and return its process id."""
        process = os.fork()
        if process:
            return process
        _silence()
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.dont_write_bytecode = True
        sys.meta_path.insert(0, _Finder(self.target, code))
        os._exit(int(pytest.main([*ARGUMENTS, *self.target.tests], plugins=[_FastestFirst(self.durations)])))


def prepare(target: Target, examples: int) -> Bench:
    """Run the tests of *target* without a mutation and import their libraries. Raises `TestsFail`.

    Tests of properties use *examples* examples.
    """
    configure_hypothesis(examples)
    readable, writable = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(readable)
        _report(target, writable)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        report = pipe.read()
    _, status = os.waitpid(process, 0)
    if status or not report:
        raise TestsFail(f"the tests of {target.source} fail without a mutation: {' '.join(target.tests)}")
    cpu_seconds, durations, libraries = json.loads(report)
    with warnings.catch_warnings(action="ignore"):  # of libraries that are imported in an unusual order
        for name in libraries:
            with contextlib.suppress(ImportError):  # a module that its package makes
                importlib.import_module(name)
    gc.freeze()
    return Bench(target, cpu_seconds, durations)


def configure_hypothesis(examples: int) -> None:
    """Use the same *examples* for each mutant, and stop at the first that fails."""
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        report_multiple_bugs=False,
    )
    hypothesis.settings.load_profile("mutation")


def _report(target: Target, pipe: int) -> NoReturn:
    """Run the tests and write to *pipe* what they took and imported."""
    _silence()
    stopwatch = _Stopwatch()
    status = pytest.main([*ARGUMENTS, *target.tests], plugins=[stopwatch])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    libraries = [name for name, module in list(sys.modules.items()) if _is_library(module)]
    with os.fdopen(pipe, "w") as file:
        json.dump([usage.ru_utime + usage.ru_stime, stopwatch.durations, libraries], file)
    os._exit(int(status))


def _is_library(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return not path.is_relative_to(ROOT) or "site-packages" in path.parts


def _silence() -> None:
    """Throw away all output."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _outcome(status: int) -> Outcome:
    if status == 0:
        return Outcome.SURVIVED
    return Outcome.TIMEOUT if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU else Outcome.KILLED


class _Stopwatch:
    """A plugin of pytest that measures each test."""

    def __init__(self) -> None:
        self.durations: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the duration of one phase of a test."""
        self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration


class _FastestFirst:
    """A plugin of pytest that runs the fastest tests first, because most mutants fail one of those."""

    def __init__(self, durations: Mapping[str, float]) -> None:
        self._durations = durations

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        items.sort(key=lambda item: self._durations.get(item.nodeid, 0.0))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module of *target* with *code* in place of its file's contents."""

    def __init__(self, target: Target, code: str) -> None:
        self._target, self._code = target, code

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - importlib's
        target: ModuleType | None = None,  # noqa: ARG002 - importlib's
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the target, and None for every other module."""
        if fullname != self._target.module:
            return None
        file = str(ROOT / self._target.source)
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, file, self._code))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, code: str) -> None:
        super().__init__(name, file)
        self._code = code

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - importlib's
        """Return the mutant in place of the file's contents."""
        return self._code.encode()

    def path_stats(self, path: str) -> NoReturn:
        """Keep importlib from reading compiled code."""
        raise OSError(path)
