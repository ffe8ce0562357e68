"""Tests of interests: which change leads to a pass of which parent."""

from typing import Any

from cluster.resources import DEPLOYMENTS, SERVICES, Key
from functions.controller.interests import Interest, Interests
from sources.kinds import VSPHERE_SOURCES

FOO, BAR = Key(VSPHERE_SOURCES, "ns", "foo"), Key(VSPHERE_SOURCES, "ns", "bar")


def obj(name: str, generation: int | None = 1, version: int = 1, **labels: str) -> dict[str, Any]:
    """Return an object's metadata."""
    metadata = {"name": name, "namespace": "ns", "uid": "1", "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata if generation is None else {**metadata, "generation": generation}}


def test_named_object_matters_with_every_change() -> None:
    interests = Interests()
    interests.add(FOO, Interest(SERVICES, "ns", "sink"))

    assert interests.parents_of(SERVICES, None, obj("sink")) == {FOO}
    assert interests.parents_of(SERVICES, obj("sink"), obj("sink", version=2)) == {FOO}
    assert interests.parents_of(SERVICES, obj("sink"), None) == {FOO}
    assert interests.parents_of(SERVICES, None, obj("other")) == set()
    assert interests.parents_of(DEPLOYMENTS, None, obj("sink")) == set()


def test_collection_matters_with_changes_of_spec_and_labels() -> None:
    interests = Interests()
    interests.add(FOO, Interest(DEPLOYMENTS, "ns"))

    assert interests.parents_of(DEPLOYMENTS, None, obj("a")) == {FOO}
    assert interests.parents_of(DEPLOYMENTS, obj("a"), obj("a", generation=2)) == {FOO}
    assert interests.parents_of(DEPLOYMENTS, obj("a"), obj("a", app="x")) == {FOO}
    assert interests.parents_of(DEPLOYMENTS, obj("a"), None) == {FOO}
    assert interests.parents_of(DEPLOYMENTS, obj("a"), obj("a", version=2)) == set()


def test_collection_without_generations_matters_always() -> None:
    interests = Interests()
    interests.add(FOO, Interest(SERVICES, "ns"))

    assert interests.parents_of(SERVICES, obj("a", None), obj("a", None, version=2)) == {FOO}


def test_each_pass_replaces_the_interests_of_the_last() -> None:
    interests = Interests()
    first, second = Interest(SERVICES, "ns", "first"), Interest(SERVICES, "ns", "second")
    interests.add(FOO, first)
    interests.add(BAR, first)
    interests.add(FOO, second)

    interests.replace(FOO, {second})

    assert interests.parents_of(SERVICES, None, obj("first")) == {BAR}
    assert interests.parents_of(SERVICES, None, obj("second")) == {FOO}


def test_parent_that_is_gone_is_interested_in_nothing() -> None:
    interests = Interests()
    interests.add(FOO, Interest(SERVICES, "ns", "sink"))

    interests.replace(FOO, ())

    assert interests.parents_of(SERVICES, None, obj("sink")) == set()
