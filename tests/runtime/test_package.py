"""The package `function`, as the scaffolding of `kn func` 1.18 to 1.22 installs it."""

import email
import re
import subprocess
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from runtime import VERSION
from tests.support.headers import headers
from tests.support.recorder import Recorder
from tests.support.servers import ROOT, func_python, running


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds from the project."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [str(func_python()), "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel, and nothing else of the project."""
    folder = tmp_path_factory.mktemp("installed")
    install = [str(func_python()), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True)
    return folder


def test_package_has_the_name_and_the_version(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("function", VERSION)


def test_package_accepts_every_python_of_the_scaffolding(metadata: Message) -> None:
    assert metadata["Requires-Python"] == ">=3.10"  # Poetry rejects one that is narrower


def test_package_needs_neither_parliament_nor_its_sdk(metadata: Message) -> None:
    needed = {re.split(r"[^\w-]", requirement)[0] for requirement in metadata.get_all("Requires-Dist", [])}

    assert {"uvicorn", "pyvmomi", "structlog"} <= needed
    assert not {"parliament-functions", "cloudevents"} & needed


@pytest.mark.parametrize("invoke", ["http", "cloudevent"])
def test_installed_package_handles_an_event(installed: Path, invoke: str) -> None:
    with (
        Recorder() as receiver,
        running(f"func-python {invoke}", "webhook", installed, WEBHOOK_URL=receiver.url) as function,
    ):
        assert function.request("POST", "/", b'{"Key": 1}', headers(id="packaged")).status == 202
        assert len(receiver.requests) == 1


def test_installed_package_has_the_page(installed: Path) -> None:
    with running("func-python http", "display", installed) as function:
        assert function.request("GET", "/").body.lower().startswith(b"<!doctype html>")
