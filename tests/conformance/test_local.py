"""The local Broker does what the table says. tests/e2e/test_conformance.py holds Knative's to the same table."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from local.engine import Engine
from local.manifests import ManifestError, load
from tests.conformance.play import Object, Played, check_delivery, check_filter, check_ingress, play
from tests.conformance.recorder import Recorder
from tests.conformance.requests import Box, as_box
from tests.conformance.table import DELIVERIES, FILTERS, INGRESS

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "default"


class LocalEngine:
    """`local/`, and a recorder in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine: Engine | None = None
        self._recorder = Recorder("127.0.0.1", 0)
        self.recorder = f"http://127.0.0.1:{self._recorder.server_address[1]}"
        threading.Thread(target=self._recorder.serve_forever, args=(0.02,), daemon=True).start()

    def open(self, objects: Sequence[Object]) -> None:
        manifest = self._folder / "objects.yaml"
        manifest.write_text(yaml.safe_dump_all(objects))
        self._engine = Engine([manifest], self._folder / "state")
        self._engine.start()

    def send(self, broker: str, method: str, below: str, headers: Mapping[str, str], body: bytes) -> int:
        assert self._engine is not None
        address = urlsplit(self._engine.broker_url(NAMESPACE, broker))
        connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(method, address.path + below, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()

    def answer(self, box: str, answers: list[dict[str, Any]]) -> None:
        self._recorder.answers[box] = answers

    def boxes(self, names: Sequence[str]) -> dict[str, Box]:
        with self._recorder.lock:
            return {name: as_box(self._recorder.boxes[name]) for name in names}

    def close(self) -> None:
        if self._engine is not None:
            self._engine.stop()
        self._recorder.shutdown()
        self._recorder.server_close()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    engine = LocalEngine(tmp_path_factory.mktemp("conformance"))
    try:
        yield play(engine, everything=False)
    finally:
        engine.close()


@pytest.mark.parametrize("name", INGRESS)
def test_ingress(played: Played, name: str) -> None:
    check_ingress(played, name)


@pytest.mark.parametrize("name", [name for name, case in FILTERS.items() if case.local])
def test_filter(played: Played, name: str) -> None:
    check_filter(played, name)


@pytest.mark.parametrize("name", DELIVERIES)
def test_delivery(played: Played, name: str) -> None:
    check_delivery(played, name)


@pytest.mark.parametrize("name", [name for name, case in FILTERS.items() if not case.local])
def test_filter_that_local_lacks_is_refused_by_name(tmp_path: Path, name: str) -> None:
    manifest = tmp_path / "trigger.yaml"
    spec = {"broker": "b", "subscriber": {"uri": "http://127.0.0.1/"}, **FILTERS[name].spec}
    trigger = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": "a"}, "spec": spec}
    manifest.write_text(yaml.safe_dump(trigger))

    with pytest.raises(ManifestError, match=f"the dialect {name} is not supported"):
        load([manifest])
