"""Fixtures of the tests of functions: for the poller a sink and settings, for the display a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.vcsim import VCSim
from tests.support.browser import browser, resolver_rules, served, visit
from tests.support.recorder import Recorder

__all__ = ["browser", "environ", "resolver_rules", "served", "sink", "visit"]


@pytest.fixture
def sink() -> Iterator[Recorder]:
    with Recorder() as receiver:
        yield receiver


@pytest.fixture
def environ(vcsim: VCSim, sink: Recorder, tmp_path: Path) -> dict[str, str]:
    return {
        **vcsim.environ,
        "K_SINK": sink.url,
        "CHECKPOINT": f"file:{tmp_path / 'checkpoint.json'}",
        "FOLLOW_SECONDS": "0",
        "SINK_BACKOFF": "10ms",
        "SINK_BACKOFF_MAX": "100ms",
    }
