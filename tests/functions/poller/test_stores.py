"""One contract for every store. The ConfigMap's is tested with a real API server, if there is one."""

import datetime
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.poller.lease import LeaseHeld
from functions.poller.stores import ConfigMapStore, FileStore, MemoryStore, Store, StoreUnavailable

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


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
from functions.poller.stores import FileStore
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


def test_unwritable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="checkpoint file"):
        FileStore(tmp_path / "file" / "checkpoint.json").acquire()


def test_configmap_without_a_cluster_has_a_hint(tmp_path: Path) -> None:
    script = "from functions.poller.stores import open_store; open_store('configmap:x').load()"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    result = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert "Outside a cluster set CHECKPOINT=file:PATH" in result.stderr


@pytest.mark.cluster
def test_lease_of_a_configmap_binds_until_it_expires(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    clock = [NOW]
    first = ConfigMapStore(name, "poller-1", api, namespace, lambda: clock[0])
    second = ConfigMapStore(name, "poller-2", api, namespace, lambda: clock[0])
    first.acquire()
    first.save("first's")
    with pytest.raises(LeaseHeld, match="poller-1"):
        second.acquire()
    clock[0] += datetime.timedelta(seconds=16)
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
