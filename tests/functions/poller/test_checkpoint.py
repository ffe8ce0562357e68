"""One contract for every store; the ConfigMap's is kept with a real API server, where there is one."""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.poller.checkpoint import (
    Checkpoint,
    CheckpointUnreadable,
    ClaimHeld,
    ConfigMapStore,
    FileStore,
    MemoryStore,
    Store,
    StoreUnavailable,
    decode,
    encode,
    vcenter_name,
)
from vsphere.event import Position

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
POSITION = Position(4711, datetime.datetime(2021, 2, 15, 20, 0, 25, 112999, tzinfo=datetime.UTC), "VmPoweredOnEvent")

PREDECESSORS = (
    '{"vCenter":"10.161.153.226","lastEventKey":17208,"lastEventType":"UserLogoutSessionEvent",'
    '"lastEventKeyTimestamp":"2021-02-15T20:00:25.112999999Z","createdTimestamp":"2021-02-15T20:02:28.123456789Z"}'
)


def test_predecessors_record_is_read() -> None:
    checkpoint = decode(PREDECESSORS)
    assert checkpoint.vcenter == "10.161.153.226"
    assert checkpoint.position.key == 17208
    assert checkpoint.position.event_type == "UserLogoutSessionEvent"
    assert checkpoint.position.created_time == datetime.datetime(2021, 2, 15, 20, 0, 25, 112999, tzinfo=datetime.UTC)


def test_record_has_the_predecessors_fields() -> None:
    record = encode(Checkpoint("vcenter.example", POSITION), NOW)
    assert list(json.loads(record)) == list(json.loads(PREDECESSORS))
    assert decode(record) == Checkpoint("vcenter.example", POSITION)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "null",
        "[]",
        "17208",
        '{"lastEventKey": "soon", "lastEventKeyTimestamp": "2021-02-15T20:00:25Z"}',
        '{"lastEventKey": 1}',
        '{"lastEventKey": 1, "lastEventKeyTimestamp": "yesterday"}',
        "[" * 100_000,
    ],
    ids=lambda record: record[:30] or "empty",
)
def test_what_is_no_checkpoint_is_refused_with_the_reason(record: str) -> None:
    with pytest.raises(CheckpointUnreadable, match="read the checkpoint"):
        decode(record)


def test_vcenter_is_named_by_its_host() -> None:
    assert vcenter_name("https://vcenter.example:8443/sdk") == "vcenter.example"


@pytest.fixture(params=["memory", "file", pytest.param("configmap", marks=pytest.mark.cluster)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        made: Store = MemoryStore()
    elif request.param == "file":
        made = FileStore(tmp_path / "deep" / "checkpoint.json")
    else:
        api, namespace, name = request.getfixturevalue("config_map")
        made = ConfigMapStore(name, "poller-1", api, namespace)
    yield made
    made.release()


def test_new_store_is_empty(store: Store) -> None:
    store.claim()
    assert store.load() is None


def test_saved_record_is_loaded(store: Store) -> None:
    store.claim()
    store.save("one")
    store.save("two")
    assert store.load() == "two"


def test_claim_may_be_renewed_released_and_taken_again(store: Store) -> None:
    store.claim()
    store.claim()
    store.release()
    store.claim()
    store.save("kept")
    assert store.load() == "kept"


def test_set_aside_record_no_longer_counts(store: Store) -> None:
    store.claim()
    store.save("broken")
    assert store.set_aside("broken")
    store.save("whole")
    assert store.load() == "whole"


def test_file_is_claimed_by_one_process_and_free_once_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    script = f"""
import time
from pathlib import Path
from functions.poller.checkpoint import FileStore
store = FileStore(Path({str(path)!r}))
store.claim()
print("claimed", flush=True)
time.sleep(60)
"""
    store = FileStore(path)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(ClaimHeld, match="another poller"):
            store.claim()
        with pytest.raises(ClaimHeld):
            store.save("not mine")
        other.kill()
    store.claim()
    store.save("mine")
    store.release()


def test_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="checkpoint file"):
        FileStore(tmp_path / "file" / "checkpoint.json").claim()


def test_configmap_without_a_cluster_says_what_to_do(tmp_path: Path) -> None:
    script = "from functions.poller.checkpoint import open_store; open_store('configmap:x').load()"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert "outside a cluster set CHECKPOINT=file:PATH" in ran.stderr


@pytest.mark.cluster
def test_configmap_is_claimed_by_one_poller_until_its_claim_expires(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    clock = [NOW]
    first = ConfigMapStore(name, "poller-1", api, namespace, lambda: clock[0])
    second = ConfigMapStore(name, "poller-2", api, namespace, lambda: clock[0])
    first.claim()
    first.save("first's")
    with pytest.raises(ClaimHeld, match="poller-1"):
        second.claim()
    clock[0] += datetime.timedelta(seconds=16)
    second.claim()
    second.save("second's")
    with pytest.raises(ClaimHeld):
        first.save("too late")
    assert second.load() == "second's"


@pytest.mark.cluster
def test_configmap_that_an_administrator_writes_meanwhile_is_still_claimed(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    store = ConfigMapStore(name, "poller-1", api, namespace)
    store.claim()
    api.patch_namespaced_config_map(name, namespace, {"metadata": {"labels": {"team": "storage"}}})
    store.save("record")
    assert store.load() == "record"
    assert api.read_namespaced_config_map(name, namespace).metadata.labels == {"team": "storage"}


@pytest.mark.cluster
def test_configmap_keeps_what_else_is_in_it(config_map: tuple[Any, str, str]) -> None:
    api, namespace, name = config_map
    api.patch_namespaced_config_map(name, namespace, {"data": {"note": "by hand"}})
    store = ConfigMapStore(name, "poller-1", api, namespace)
    store.claim()
    store.save("record")
    store.set_aside("odd")
    store.release()
    assert api.read_namespaced_config_map(name, namespace).data == {"note": "by hand", "checkpoint.unreadable": "odd"}


@pytest.mark.cluster
def test_missing_configmap_is_said(config_map: tuple[Any, str, str]) -> None:
    api, namespace, _ = config_map
    with pytest.raises(StoreUnavailable, match="apply config/030-checkpoint"):
        ConfigMapStore("another", "poller-1", api, namespace).claim()
