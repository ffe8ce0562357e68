"""Rules that the import checker cannot state."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("functions", "pipeline", "vsphere", "local", "demo")

DOORS = {"func.py", "launcher.py", "local/__main__.py", "local/engine.py", "demo/__main__.py"}
"""What a process starts with: they take the environment, and hand it to `pipeline.settings`."""


def reads_the_environment(source: str) -> bool:
    """Whether *source* names os.environ, os.getenv or one of their kind."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                return True
        elif isinstance(node, ast.ImportFrom) and node.module == "os" and names & {each.name for each in node.names}:
            return True
    return False


def test_only_the_doors_touch_the_environment() -> None:
    files = [*ROOT.glob("*.py"), *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]

    touching = {str(file.relative_to(ROOT)) for file in files if reads_the_environment(file.read_text())}

    assert touching <= DOORS


@pytest.mark.parametrize("source", ["import os\nos.environ['X']", "from os import getenv", "import os\nos.getenv('X')"])
def test_reading_the_environment_is_noticed(source: str) -> None:
    assert reads_the_environment(source)
