"""The client of the ConfigMap, with an API server that answers slowly, too much, or not at all."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import config_map
from delivery.config_map import ConfigMapClient, ConfigMapUnavailable
from pipeline import bounds
from tests.support.config_map_server import NAME, ConfigMapServer
from tests.support.drip import drip
from tests.support.faulty_poller import kubeconfig
from tests.support.faulty_proxy import HALF_OPEN, NONE, FaultyProxy

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@pytest.fixture
def server() -> Iterator[ConfigMapServer]:
    with ConfigMapServer() as running:
        yield running


def client(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigMapClient:
    """Return a client that finds the server on *port* by a kubeconfig, as outside a cluster."""
    file = folder / "kubeconfig"
    file.write_text(json.dumps(kubeconfig(port)))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    return ConfigMapClient(NAME)


def test_silent_server_costs_one_timeout(
    server: ConfigMapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_map, "REQUEST_TIMEOUT_SECONDS", 0.5)
    with FaultyProxy(server.port) as proxy:
        reader = client(proxy.port, tmp_path, monkeypatch)
        content = reader.read()
        proxy.fault = HALF_OPEN
        started = time.monotonic()
        with pytest.raises(ConfigMapUnavailable, match="timed out"):
            reader.replace(content)
        assert time.monotonic() - started < 1
        proxy.fault = NONE
        assert reader.replace(content)["metadata"]["name"] == NAME


def test_response_without_end_costs_one_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_map, "REQUEST_TIMEOUT_SECONDS", 0.5)
    with drip(JSON_HEAD, 0.05) as address:
        reader = client(int(address.rpartition(":")[2].partition("/")[0]), tmp_path, monkeypatch)
        with pytest.raises(ConfigMapUnavailable, match="not complete within"):
            reader.read()


@pytest.mark.parametrize("status", [200, 500])
def test_large_response_is_not_read(server: ConfigMapServer, status: int) -> None:
    server.status, server.garbage = status, b" " * (bounds.CONFIG_MAP_BYTES + 1)
    with pytest.raises(ConfigMapUnavailable, match="more than"):
        ConfigMapClient(NAME, server.client()).read()
