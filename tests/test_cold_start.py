"""A reaction listens before it imports what only its first event needs."""

import subprocess
import sys
from pathlib import Path

import prometheus_client
import pytest

from pipeline.metrics import CONTENT_TYPE

ROOT = Path(__file__).parent.parent
LATER = {"aiohttp", "apprise", "click", "flask", "jinja2", "kubernetes", "prometheus_client", "pyVmomi", "requests"}


def imported(statements: str) -> set[str]:
    """Return the packages in memory after *statements* in a process of its own."""
    script = f"{statements}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_reaction_starts_without_libraries_that_it_needs_later() -> None:
    start = "import launcher, functions.webhook\nfunctions.webhook.create({'WEBHOOK_URL': 'http://127.0.0.1:9/'})"

    assert LATER & imported(start) == set()


@pytest.mark.parametrize("name", ["aiohttp", "jinja2", "prometheus_client"])
def test_rest_is_imported_once_the_process_listens(name: str) -> None:
    assert name in imported("import launcher, functions.webhook\nfrom pipeline import lazy\nlazy.load()")


def test_uvicorn_still_has_its_command_line() -> None:
    assert "click" in imported("import runtime.server, uvicorn.main\nassert uvicorn.main.main")


def test_content_type_is_that_of_the_library() -> None:
    assert CONTENT_TYPE == prometheus_client.CONTENT_TYPE_LATEST
