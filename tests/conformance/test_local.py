"""The local Broker does what the table says. tests/e2e/test_conformance.py holds Knative's to the same table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from local.engine import Engine
from local.manifests import ManifestError, load
from tests.conformance.play import Object, Played, check_delivery, check_filter, check_ingress, play
from tests.conformance.table import DELIVERIES, FILTERS, INGRESS
from tests.support import client
from tests.support.recorder import Recorder, Request, Response

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "default"


class LocalEngine:
    """`local/`, and a recorder in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine: Engine | None = None
        self._recorder = Recorder().start()
        self.recorder = self._recorder.url

    def open(self, objects: Sequence[Object]) -> None:
        manifest = self._folder / "objects.yaml"
        manifest.write_text(yaml.safe_dump_all(objects))
        self._engine = Engine([manifest], self._folder / "state")
        self._engine.start()

    def send(self, broker: str, method: str, below: str, headers: Mapping[str, str], body: bytes) -> int:
        assert self._engine is not None
        return client.send(method, self._engine.broker_url(NAMESPACE, broker) + below, headers, body)[0]

    def script(self, box: str, responses: Sequence[Response]) -> None:
        self._recorder.script(box, responses)

    def boxes(self, names: Sequence[str]) -> dict[str, list[Request]]:
        return {name: self._recorder.box(name) for name in names}

    def close(self) -> None:
        if self._engine is not None:
            self._engine.stop()
        self._recorder.stop()


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
def test_filter_that_local_lacks_is_rejected_by_name(tmp_path: Path, name: str) -> None:
    manifest = tmp_path / "trigger.yaml"
    spec = {"broker": "b", "subscriber": {"uri": "http://127.0.0.1/"}, **FILTERS[name].spec}
    trigger = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": "a"}, "spec": spec}
    manifest.write_text(yaml.safe_dump(trigger))

    with pytest.raises(ManifestError, match=f"the dialect {name} is not supported"):
        load([manifest])
