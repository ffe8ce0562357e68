"""Tests of the comparison of what we want with what is there."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from functions.controller.desired import adjusted, contains, digest

NAMED = st.fixed_dictionaries({"name": st.sampled_from("abc"), "value": st.integers(0, 3)})
VALUES = st.recursive(
    st.one_of(st.integers(1, 3), st.sampled_from(["x", "y"]), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(NAMED, max_size=3, unique_by=lambda item: item["name"]),
        st.dictionaries(st.sampled_from(["name", "image", "env"]), inner, max_size=3),
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["spec", "data"]), VALUES, max_size=2)


@given(OBJECTS)
def test_object_contains_itself(obj: dict[str, Any]) -> None:
    assert contains(obj, copy.deepcopy(obj))


@given(OBJECTS)
def test_additions_of_others_do_not_matter(obj: dict[str, Any]) -> None:
    assert contains({**obj, "added": {"by": "the API server"}}, obj)


def test_named_items_are_compared_in_any_order() -> None:
    desired = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    current = [{"name": "sidecar"}, {"name": "b", "value": "2", "default": "x"}, {"name": "a", "value": "1"}]

    assert contains(current, desired)
    assert not contains(current[:2], desired)


def test_items_without_names_must_be_the_same_in_number() -> None:
    assert contains([{"verbs": ["get"]}], [{"verbs": ["get"]}])
    assert not contains([{"verbs": ["get"]}, {"verbs": ["list"]}], [{"verbs": ["get"]}])


def test_empty_value_is_as_good_as_none() -> None:
    assert contains({}, {"labels": {}, "value": "", "flag": False, "items": []})
    assert not contains({}, {"value": "x"})


def test_replaced_object_keeps_labels_and_annotations_of_others() -> None:
    current = {
        "metadata": {"name": "a", "labels": {"theirs": "1"}, "annotations": {"theirs": "2"}, "resourceVersion": "7"},
        "spec": {"left": "over"},
        "status": {"kept": True},
    }
    desired = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "a", "labels": {"ours": "3"}, "ownerReferences": [{"uid": "1"}]},
        "spec": {"new": "x"},
    }

    assert adjusted(current, desired) == {
        "metadata": {
            "name": "a",
            "labels": {"theirs": "1", "ours": "3"},
            "annotations": {"theirs": "2"},
            "resourceVersion": "7",
            "ownerReferences": [{"uid": "1"}],
        },
        "spec": {"new": "x"},
        "status": {"kept": True},
    }


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
