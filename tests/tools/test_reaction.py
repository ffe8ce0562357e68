"""`make reaction` writes files that work, in a copy of the project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.manifests import ROOT, rendered
from tools.reaction import TEMPLATES, CannotCreate, create, main

FOLDERS = (
    "delivery",
    "function",
    "cluster",
    "functions",
    "sources",
    "pipeline",
    "runtime",
    "vsphere",
    "config",
    "triggers",
    "docs",
    "tests",
    "demo",
    "local",
    "tools",
)
FILES = ("func.py", "func.yaml", "pyproject.toml", ".funcignore", "Procfile", "app.sh", "launcher.py", "Makefile")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the files that a reaction and its tests need."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for file in FILES:
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def contents(project: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


def run(project: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_reaction_is_four_new_files_and_edits_none(project: Path) -> None:
    before = contents(project)

    assert main(["greet"], project) == 0

    after = contents(project)
    assert {path: after[path] for path in before} == before
    assert {str(path.relative_to(project)) for path in after.keys() - before.keys()} == {
        "functions/greet.py",
        "tests/functions/test_greet.py",
        "config/reactions/greet/greet.yaml",
        "config/reactions/greet/kustomization.yaml",
    }


def test_new_reaction_passes_tests_and_linters(project: Path) -> None:
    create(project, "greet")

    tests = [
        "tests/functions/test_greet.py",
        "tests/config/test_reactions.py",
        "tests/tools/test_metrics.py",
        "tests/tools/test_settings.py",
    ]
    run(project, "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "not redrive")
    run(project, "ruff", "check", "functions/greet.py", "tests/functions/test_greet.py")
    assert "naming" not in (project / "functions/greet.py").read_text().lower()


def test_folder_of_a_new_reaction_installs_the_same_image(project: Path) -> None:
    kustomization = project / "config/image/kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("dev.local/", "registry.example/team/"))
    create(project, "greet")

    manifests = {manifest["kind"]: manifest for manifest in rendered(project / "config" / "reactions" / "greet")}

    [container] = manifests["Service"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/team/vcenter-events:1"
    assert manifests["Trigger"]["spec"]["subscriber"]["ref"]["name"] == "greet"


@pytest.mark.parametrize("name", ["Greet", "my-reaction", "", "../greet"])
def test_invalid_name_writes_nothing(project: Path, name: str) -> None:
    before = contents(project)

    with pytest.raises(CannotCreate, match="lower-case"):
        create(project, name)

    assert contents(project) == before


@pytest.mark.parametrize(("name", "existing"), [("tag", "functions/tag.py"), ("notify", "functions/notify")])
def test_existing_function_is_not_overwritten(
    project: Path, name: str, existing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(project)

    assert main([name], project) == 2

    assert existing in capsys.readouterr().err
    assert contents(project) == before


@pytest.mark.parametrize("template", ["naming.py", "test_naming.py"])
def test_documentation_shows_the_templates(template: str) -> None:
    page = (ROOT / "docs" / "tutorials" / "first-reaction.md").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    expected = (TEMPLATES / template).read_text(encoding="utf-8").replace("tools.templates", "functions")
    assert expected in shown
