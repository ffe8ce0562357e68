"""The whole pipeline on one vm, from config/ and triggers/ as they are: vCenter → … → page and notification."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from demo.__main__ import VCenter, write_overrides
from demo.vcsim import VCSim
from local.engine import Engine
from pipeline.settings import Secret
from tests.support.administrator import Administrator
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until

ROOT = Path(__file__).parent.parent


@pytest.fixture
def notified() -> Iterator[Recorder]:
    with Recorder() as receiver:
        yield receiver


@pytest.fixture
def engine(vcsim: VCSim, notified: Recorder, tmp_path: Path) -> Iterator[Engine]:
    overrides = tmp_path / "overrides.yaml"
    vcenter = VCenter(vcsim.url, vcsim.username, Secret(vcsim.password), insecure=True)
    write_overrides(overrides, vcenter, notified.json_url)
    with Engine([ROOT / "config", ROOT / "triggers", overrides], tmp_path) as running:
        running.start()
        yield running


def shown(stream: HTTPResponse, enough: Callable[[str], bool]) -> str:
    """Return the first line of the page's stream for which *enough* is true."""
    for line in stream:
        if enough(line.decode()):
            return line.decode()
    raise AssertionError("the stream ended")


def test_powered_off_vm_reaches_the_page_and_a_notification(engine: Engine, vcsim: VCSim, notified: Recorder) -> None:
    with (
        urllib.request.urlopen(f"{engine.url('display')}/api/events", timeout=30) as stream,
        Administrator(vcsim.port) as administrator,
    ):
        vm = administrator.vms[0]
        name = vm.name
        administrator.post("somebody looked at it", vm)
        assert "GeneralUserEvent" in shown(stream, lambda line: "somebody looked at it" in line)
        assert notified.requests == []
        administrator.power_off(vm)
        assert name in shown(stream, lambda line: "VmPoweredOffEvent" in line)
        wait_until(lambda: bool(notified.requests))
        administrator.power_on(vm)
        shown(stream, lambda line: "VmPoweredOnEvent" in line)
    [message] = [json.loads(request.body) for request in notified.requests]
    assert message["title"] == f"VM powered off: {name}"
