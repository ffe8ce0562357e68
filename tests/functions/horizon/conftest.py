"""Fixtures of the tests of Horizon's adapter: a server and the settings for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.horizon import DOMAIN, PASSWORD, USERNAME, HorizonServer
from tests.support.recorder import Recorder


@pytest.fixture
def server() -> Iterator[HorizonServer]:
    with HorizonServer() as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The folder of a mounted Secret with the login."""
    folder = tmp_path / "secret"
    folder.mkdir()
    for name, value in (("domain", DOMAIN), ("username", USERNAME), ("password", f"{PASSWORD}\n")):
        (folder / name).write_text(value)
    return folder


@pytest.fixture
def environ(server: HorizonServer, sink: Recorder, secret: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "HORIZON_URL": server.url,
        "HORIZON_SECRET_PATH": str(secret),
        "K_SINK": sink.url,
        "CHECKPOINT": f"file:{tmp_path / 'checkpoint.json'}",
        "SINK_BACKOFF": "10ms",
        "SINK_BACKOFF_MAX": "100ms",
    }
