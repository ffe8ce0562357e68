"""Rules that the import checker cannot state."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("functions", "pipeline", "runtime", "vsphere", "local", "demo")

ENTRY_POINTS = {"func.py", "launcher.py", "local/__main__.py", "local/engine.py", "demo/__main__.py"}
"""The files that start a process. They read the environment and pass it to `pipeline.settings`."""


def reads_the_environment(source: str) -> bool:
    """Return whether *source* uses os.environ, os.getenv or a similar name."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                return True
        elif isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}:
            return True
    return False


def test_only_entry_points_read_the_environment() -> None:
    files = [*ROOT.glob("*.py"), *(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))]

    touching = {str(file.relative_to(ROOT)) for file in files if reads_the_environment(file.read_text())}

    assert touching <= ENTRY_POINTS


@pytest.mark.parametrize("source", ["import os\nos.environ['X']", "from os import getenv", "import os\nos.getenv('X')"])
def test_reading_the_environment_is_found(source: str) -> None:
    assert reads_the_environment(source)
