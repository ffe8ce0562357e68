"""The files that a stranger looks for at the top of a repository."""

import re
from pathlib import Path

import pytest
import yaml

from runtime import VERSION

ROOT = Path(__file__).parent.parent


def test_license_is_the_one_that_the_package_names() -> None:
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize(
    "name", ["NOTICE", "SECURITY.md", "CODE_OF_CONDUCT.md", "SUPPORT.md", "CONTRIBUTING.md", "CHANGELOG.md"]
)
def test_file_is_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_changelog_has_a_section_of_the_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert VERSION in headings


def test_paths_that_have_code_owners_exist() -> None:
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    paths = [line.split()[0] for line in lines if line.startswith("/")]

    assert [path for path in paths if not list(ROOT.glob(path.strip("/")))] == []


def test_folders_with_updated_dependencies_exist() -> None:
    """Each has the file that its package ecosystem needs, and no other folder has one."""
    files = {"pip": "requirements*.in", "gomod": "go.mod", "npm": "package.json"}
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    for update in updates:
        if update["package-ecosystem"] in files:
            pattern = files[update["package-ecosystem"]]
            named = {folder.strip("/") for folder in update.get("directories") or [update["directory"]]}
            there = {
                str(file.parent.relative_to(ROOT)).removeprefix(".")
                for file in ROOT.rglob(pattern)
                if not any(part.startswith(".") or part == "node_modules" for part in file.relative_to(ROOT).parts)
            }
            assert named == there


def test_hooks_run_programs_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    makefile = (ROOT / "Makefile").read_text()

    assert [repository["repo"] for repository in hooks] == ["local"]  # so that versions are pinned in one place
    for hook in hooks[0]["hooks"]:
        program = re.search(r"\.venv/bin/(python -m [\w.]+|[\w-]+)", hook["entry"])
        assert program is not None
        assert f"$(BIN)/{program[1]}" in makefile
