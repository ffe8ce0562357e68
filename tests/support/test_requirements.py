"""Tests of missing programs: a skip on a developer's machine, a failure in CI."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import golang
from tests.support import requirements
from tests.support.requirements import require, require_built, require_kubernetes, require_variable, require_vcsim


def not_built(*_: object) -> Path:
    raise golang.NotBuilt("build vcsim: no Go")


@pytest.fixture(
    params=[
        lambda: require("no-such-program"),
        lambda: require_kubernetes("no-such-program"),
        lambda: require_variable("NO_SUCH_VARIABLE", "1"),
        require_vcsim,
        lambda: require_built(Path("nowhere")),
    ],
    ids=["program", "program of Kubernetes", "variable", "vcsim", "Go module"],
)
def unmet(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """A requirement that this machine does not meet."""
    monkeypatch.setattr(requirements, "build_vcsim", not_built)
    monkeypatch.setattr(golang, "build", not_built)
    requirement: Callable[[], object] = request.param
    return requirement


def test_unmet_requirement_skips_the_test(unmet: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception):
        unmet()


def test_unmet_requirement_fails_the_test_in_ci(unmet: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="CI must have it"):
        unmet()


def test_program_on_path_is_returned() -> None:
    assert require(Path(sys.executable).name).name == Path(sys.executable).name


def test_no_test_file_decides_by_itself_to_skip() -> None:
    root = Path(__file__).parent.parent
    deciding = ("pytest." + "skip(", "mark." + "skipif", "shutil." + "which(")

    files = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if path.name not in ("requirements.py", "programs.py") and any(call in path.read_text() for call in deciding)
    ]

    assert files == []
