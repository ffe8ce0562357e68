"""One contract for every store. The ConfigMap's is tested with a real API server, if there is one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.lease import LeaseHeld
from delivery.stores import ConfigMapStore, FileStore, MemoryStore, Store, StoreUnavailable
from tests.support.config_map_server import NAME, ConfigMapServer


@pytest.fixture(params=["memory", "file", pytest.param("configmap", marks=pytest.mark.cluster)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        opened: Store = MemoryStore()
    elif request.param == "file":
        opened = FileStore(tmp_path / "deep" / "checkpoint.json")
    else:
        api, namespace, name = request.getfixturevalue("config_map")
        opened = ConfigMapStore(name, "poller-1", api, namespace)
    yield opened
    opened.release()


def test_new_store_is_empty(store: Store) -> None:
    store.acquire()
    assert store.load() is None


def test_saved_record_is_loaded(store: Store) -> None:
    store.acquire()
    store.save("one")
    store.save("two")
    assert store.load() == "two"


def test_lease_is_renewed_released_and_acquired_again(store: Store) -> None:
    store.acquire()
    store.acquire()
    store.release()
    store.acquire()
    store.save("kept")
    assert store.load() == "kept"


def test_record_set_aside_is_not_loaded(store: Store) -> None:
    store.acquire()
    store.save("broken")
    assert store.set_aside("broken")
    store.save("whole")
    assert store.load() == "whole"


def test_lease_of_a_file_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    script = f"""
import time
from pathlib import Path
from delivery.stores import FileStore
store = FileStore(Path({str(path)!r}))
store.acquire()
print("acquired", flush=True)
time.sleep(60)
"""
    store = FileStore(path)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "acquired\n"
        with pytest.raises(LeaseHeld, match="another poller"):
            store.acquire()
        with pytest.raises(LeaseHeld):
            store.save("not mine")
        other.kill()
    store.acquire()
    store.save("mine")
    store.release()


@pytest.fixture
def server() -> Iterator[ConfigMapServer]:
    with ConfigMapServer() as running:
        yield running


def test_configmap_keeps_the_record(server: ConfigMapServer) -> None:
    store = ConfigMapStore(NAME, "poller-1", server.client(), "default")
    store.acquire()
    store.save("record")
    assert store.load() == "record"
    store.release()
    assert server.data == {"checkpoint": "record"}


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>log in</html>",
        b"[]",
        b"",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"metadata": {"name": "another", "resourceVersion": "1"}}',
        b'{"metadata": {"name": "checkpoint"}}',
        b'{"metadata": {"name": "checkpoint", "resourceVersion": "1"}, "data": {"checkpoint": 7}}',
        b'{"metadata": 7, "data": "x"}',
    ],
    ids=lambda garbage: garbage[:40].decode("latin-1") or "nothing",
)
def test_response_that_is_not_the_configmap_is_unavailable(server: ConfigMapServer, garbage: bytes) -> None:
    store = ConfigMapStore(NAME, "poller-1", server.client(), "default")
    store.acquire()
    server.garbage = garbage
    for attempt in (store.acquire, store.load, lambda: store.save("lost")):
        with pytest.raises(StoreUnavailable, match="ConfigMap checkpoint"):
            attempt()
    server.garbage = None
    store.acquire()
    store.save("kept")
    assert store.load() == "kept"


def test_lease_by_a_clock_that_is_ahead_binds_15_seconds(server: ConfigMapServer) -> None:
    server.data["lease"] = '{"holder": "poller-1", "expires": "2099-01-02T03:04:05Z"}'
    clock = [0.0]
    store = ConfigMapStore(NAME, "poller-2", server.client(), "default", lambda: clock[0])
    with pytest.raises(LeaseHeld, match="poller-1"):
        store.acquire()
    clock[0] += 14.9
    with pytest.raises(LeaseHeld, match="poller-1"):
        store.acquire()
    clock[0] += 0.2
    store.acquire()


def test_lease_by_a_clock_that_is_behind_binds_while_renewed(server: ConfigMapServer) -> None:
    clock = [0.0]
    store = ConfigMapStore(NAME, "poller-2", server.client(), "default", lambda: clock[0])
    for second in range(4):
        server.data["lease"] = f'{{"holder": "poller-1", "expires": "2001-01-02T03:04:0{second}Z"}}'
        with pytest.raises(LeaseHeld, match="poller-1"):
            store.acquire()
        clock[0] += 10


def test_unwritable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="checkpoint file"):
        FileStore(tmp_path / "file" / "checkpoint.json").acquire()


def test_configmap_without_a_cluster_has_a_hint(tmp_path: Path) -> None:
    script = "from delivery.stores import open_store; open_store('configmap:x').load()"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    result = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert "Outside a cluster set CHECKPOINT=file:PATH" in result.stderr


@pytest.mark.cluster
def test_lease_of_a_configmap_binds_until_it_expires(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    clock = [0.0]
    first = ConfigMapStore(name, "poller-1", api, namespace, lambda: clock[0])
    second = ConfigMapStore(name, "poller-2", api, namespace, lambda: clock[0])
    first.acquire()
    first.save("first's")
    with pytest.raises(LeaseHeld, match="poller-1"):
        second.acquire()
    clock[0] += 16
    second.acquire()
    second.save("second's")
    with pytest.raises(LeaseHeld):
        first.save("too late")
    assert second.load() == "second's"


@pytest.mark.cluster
def test_lease_survives_another_write_of_the_configmap(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    store = ConfigMapStore(name, "poller-1", api, namespace)
    store.acquire()
    api.patch_namespaced_config_map(name, namespace, {"metadata": {"labels": {"team": "storage"}}})
    store.save("record")
    assert store.load() == "record"
    assert api.read_namespaced_config_map(name, namespace).metadata.labels == {"team": "storage"}


@pytest.mark.cluster
def test_configmap_keeps_its_other_keys(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    api.patch_namespaced_config_map(name, namespace, {"data": {"note": "by hand"}})
    store = ConfigMapStore(name, "poller-1", api, namespace)
    store.acquire()
    store.save("record")
    store.set_aside("odd")
    store.release()
    assert api.read_namespaced_config_map(name, namespace).data == {"note": "by hand", "checkpoint.unreadable": "odd"}


@pytest.mark.cluster
def test_missing_configmap_is_reported_with_a_hint(config_map: tuple[Any, str, str]) -> None:
    api, namespace, _ = config_map
    with pytest.raises(StoreUnavailable, match="Apply config/030-checkpoint"):
        ConfigMapStore("another", "poller-1", api, namespace).acquire()
