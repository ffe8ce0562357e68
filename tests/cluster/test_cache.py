"""Tests of the cache: what it reports, and what it takes for older."""

from typing import Any

from cluster.cache import Cache, slim

Change = tuple[str | None, str | None]


def obj(name: str, version: int, uid: str = "1", namespace: str = "ns") -> dict[str, Any]:
    """Return an object of one version."""
    metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


class Recorded:
    """A cache and the versions before and after each change."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.cache = Cache(lambda before, after: self.changes.append((_version(before), _version(after))))


def _version(value: dict[str, Any] | None) -> str | None:
    return None if value is None else value["metadata"]["resourceVersion"]


def test_changes_are_reported_with_the_object_before() -> None:
    recorded = Recorded()
    recorded.cache.set(obj("a", 1))
    recorded.cache.set(obj("a", 2))
    recorded.cache.remove(obj("a", 3))

    assert recorded.changes == [(None, "1"), ("1", "2"), ("2", None)]
    assert recorded.cache.get("ns", "a") is None


def test_list_reports_only_what_differs() -> None:
    recorded = Recorded()
    recorded.cache.replace([obj("a", 1), obj("b", 2), obj("c", 3)])
    recorded.changes.clear()

    recorded.cache.replace([obj("a", 1), obj("b", 4)])

    assert sorted(recorded.changes, key=str) == [("2", "4"), ("3", None)]


def test_older_version_is_ignored() -> None:
    recorded = Recorded()
    recorded.cache.set(obj("a", 10))
    recorded.cache.set(obj("a", 9))
    recorded.cache.remove(obj("a", 9))

    assert recorded.changes == [(None, "10")]


def test_list_of_a_cluster_restored_from_a_backup_counts() -> None:
    recorded = Recorded()
    recorded.cache.set(obj("a", 10))

    recorded.cache.replace([obj("a", 5)])

    assert recorded.changes[-1] == ("10", "5")


def test_object_of_the_same_name_with_another_uid_replaces() -> None:
    recorded = Recorded()
    recorded.cache.set(obj("a", 10, uid="1"))
    recorded.cache.set(obj("a", 9, uid="2"))

    assert recorded.changes[-1] == ("10", "9")


def test_reader_may_change_what_it_gets() -> None:
    cache = Recorded().cache
    cache.set(obj("a", 1))

    first = cache.get("ns", "a")
    assert first is not None
    first["metadata"]["name"] = "changed"

    assert cache.get("ns", "a") == obj("a", 1)


def test_all_objects_are_as_last_seen() -> None:
    cache = Recorded().cache
    cache.set(obj("a", 1))
    assert cache.all() == [obj("a", 1)]

    cache.set(obj("a", 2))
    assert cache.all() == [obj("a", 2)]
    cache.remove(obj("a", 3))
    assert cache.all() == []


def test_all_of_a_namespace() -> None:
    cache = Recorded().cache
    cache.replace([obj("b", 1), obj("a", 2), obj("a", 3, namespace="other")])

    assert cache.all("ns") == [obj("a", 2), obj("b", 1)]
    assert len(cache) == 3


def test_slim_object_has_no_annotations() -> None:
    whole = obj("a", 1)
    whole["metadata"]["annotations"] = {"large": "x" * 1000}
    whole["spec"] = {"replicas": 1}

    assert slim(whole) == obj("a", 1)
