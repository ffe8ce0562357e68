"""`make reaction`: what it makes works, in a copy of the project."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.reaction import CannotMake, main, make

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a reaction touches and its tests need."""
    for folder in ("functions", "pipeline", "config", "triggers", "docs", "tests", "demo", "local", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for file in ("func.py", "func.yaml", "pyproject.toml", ".funcignore", "Procfile", "app.sh", "launcher.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def run(project: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_made_reaction_passes_its_test_the_linters_and_what_holds_for_every_manifest(project: Path) -> None:
    assert main(["greet"], project) == 0

    tests = ["tests/functions/test_greet.py", "tests/config/test_reactions.py", "-k", "not through and not reaches"]
    assert "failed" not in run(project, "pytest", "-q", "-p", "no:cacheprovider", *tests)
    run(project, "ruff", "check", "functions/greet.py", "tests/functions/test_greet.py")
    assert "  - 500-greet.yaml\n" in (project / "config/reactions/kustomization.yaml").read_text()


def test_name_that_cannot_be_one_or_is_taken_makes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    for name in ("Greet", "my-reaction", "", "../greet"):
        with pytest.raises(CannotMake, match="lower-case"):
            make(project, name)
    assert main(["tag"], project) == 2

    assert "functions/tag.py" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
