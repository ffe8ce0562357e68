"""Tests of Knative's conditions: what Ready says, and when a condition's time moves."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.conditions import READY, TRUE, UNKNOWN, Condition, ConditionSet, false, read, unknown
from tests.support.manifests import objects_in

SOURCE = ConditionSet(("AuthReady", "AdapterReady"))
HORIZON = ConditionSet(("SinkProvided", "Deployed"))
BINDING = ConditionSet(())


def states(conditions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return type → status."""
    return {entry["type"]: entry["status"] for entry in conditions}


def test_conditions_of_a_source_follow_its_binding_and_adapter() -> None:
    """Case L2 of the predecessor's tests, step by step."""
    steps: list[tuple[dict[str, Condition], str, str, str]] = [
        ({}, "Unknown", "Unknown", "Unknown"),
        ({"AuthReady": UNKNOWN}, "Unknown", "Unknown", "Unknown"),
        ({"AuthReady": unknown("Binding", "it is bound soon")}, "Unknown", "Unknown", "Unknown"),
        ({"AuthReady": false("SubjectMissing", "no deployment")}, "False", "Unknown", "False"),
        ({"AuthReady": TRUE}, "True", "Unknown", "Unknown"),
        ({"AdapterReady": UNKNOWN}, "True", "Unknown", "Unknown"),
        ({"AdapterReady": unknown("Progressing", "it starts")}, "True", "Unknown", "Unknown"),
        ({"AdapterReady": false("MinimumReplicasUnavailable", "no pod")}, "True", "False", "False"),
        ({"AdapterReady": TRUE}, "True", "True", "True"),
    ]
    conditions: list[Mapping[str, Any]] = []
    for second, (current, auth, adapter, ready) in enumerate(steps):
        conditions = SOURCE.settle(conditions, current, f"2026-01-01T00:00:{second:02}Z")

        assert states(conditions) == {"AdapterReady": adapter, "AuthReady": auth, READY: ready}, current


@pytest.mark.parametrize(
    ("current", "ready"),
    [
        ({}, "Unknown"),
        ({"Deployed": TRUE}, "Unknown"),
        ({"SinkProvided": TRUE}, "Unknown"),
        ({"SinkProvided": TRUE, "Deployed": TRUE}, "True"),
        ({"SinkProvided": false("Testing", "hi"), "Deployed": TRUE}, "False"),
    ],
    ids=["L5 initialized", "L6 deployed", "L7 sink", "L8 both", "L9 no sink"],
)
def test_horizon_source_is_ready_with_sink_and_adapter(current: dict[str, Condition], ready: str) -> None:
    conditions = HORIZON.settle([], current, "2026-01-01T00:00:00Z")

    assert states(conditions)[READY] == ready


def test_object_that_nobody_looked_at_has_no_conditions() -> None:
    """Case L4."""
    assert read(None, READY) is None
    assert read([], READY) is None


def test_duck_type_has_the_fields_that_knative_reads() -> None:
    """Case L1: names and paths of Knative's duck types Conditions and Source."""
    definitions = objects_in("config/sources/010-crds")
    for kind in ("VSphereSource", "HorizonSource"):
        (definition,) = (entry for entry in definitions if entry["spec"]["names"]["kind"] == kind)
        columns = {column["jsonPath"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]}

        assert definition["metadata"]["labels"]["duck.knative.dev/source"] == "true"
        assert ".status.sinkUri" in columns
        assert any("status.conditions" in path for path in columns)
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        assert "sink" in schema["properties"]["spec"]["properties"]


def test_lost_sink_of_a_ready_horizon_source_is_its_reason() -> None:
    ready = HORIZON.settle([], {"SinkProvided": TRUE, "Deployed": TRUE}, "2026-01-01T00:00:00Z")

    lost = HORIZON.settle(ready, {"SinkProvided": false("Testing", "hi")}, "2026-01-01T00:00:01Z")

    assert read(lost, READY) == Condition("False", "Testing", "hi")
    assert read(lost, "Deployed") == TRUE


def test_kind_with_ready_alone_has_what_the_pass_says() -> None:
    """Case L3."""
    first = BINDING.settle([], {}, "2026-01-01T00:00:00Z")
    second = BINDING.settle(first, {READY: false("Foo", "Bar")}, "2026-01-01T00:00:01Z")
    third = BINDING.settle(second, {READY: TRUE}, "2026-01-01T00:00:02Z")

    assert [states(step)[READY] for step in (first, second, third)] == ["Unknown", "False", "True"]
    assert third == [{"type": READY, "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z"}]


def test_ready_has_the_newest_failure() -> None:
    first = SOURCE.settle([], {"AuthReady": false("Old", "old")}, "2026-01-01T00:00:00Z")

    second = SOURCE.settle(first, {"AdapterReady": false("New", "new")}, "2026-01-01T00:00:01Z")

    assert read(second, READY) == Condition("False", "New", "new")


def test_new_generation_without_a_pass_makes_ready_unknown() -> None:
    ready = SOURCE.settle([], {"AuthReady": TRUE, "AdapterReady": TRUE}, "2026-01-01T00:00:00Z")

    after = SOURCE.of_new_generation(ready, "2026-01-01T00:00:01Z")

    assert read(after, READY) == unknown("NewObservedGenFailure", "unsuccessfully observed a new generation")
    assert read(after, "AuthReady") == TRUE


def test_conditions_of_others_stay() -> None:
    foreign = {"type": "Paused", "status": "False", "severity": "Info", "lastTransitionTime": "2025-01-01T00:00:00Z"}

    conditions = SOURCE.settle([foreign], {"AuthReady": TRUE, "AdapterReady": TRUE}, "2026-01-01T00:00:00Z")

    assert foreign in conditions
    assert read(conditions, READY) == TRUE


# ── properties ──

CONDITIONS = st.one_of(
    st.just(TRUE),
    st.builds(false, st.sampled_from(["A", "B"]), st.sampled_from(["", "why"])),
    st.builds(unknown, st.sampled_from(["", "C"]), st.sampled_from(["", "why"])),
)
PASSES = st.lists(st.dictionaries(st.sampled_from(SOURCE.dependents), CONDITIONS), min_size=1, max_size=8)


def history(passes: Sequence[Mapping[str, Condition]]) -> list[list[Mapping[str, Any]]]:
    """Return the conditions after each of *passes*, which are one second apart."""
    result: list[list[Mapping[str, Any]]] = []
    for second, current in enumerate(passes):
        before = result[-1] if result else []
        result.append(SOURCE.settle(before, current, f"2026-01-01T00:00:{second:02}Z"))
    return result


@given(PASSES)
def test_ready_is_true_exactly_if_all_others_are(passes: list[dict[str, Condition]]) -> None:
    for conditions in history(passes):
        others = {entry["status"] for entry in conditions if entry["type"] != READY}
        expected = "False" if "False" in others else "Unknown" if "Unknown" in others else "True"

        assert states(conditions)[READY] == expected


@given(PASSES)
def test_time_moves_exactly_if_anything_else_does(passes: list[dict[str, Condition]]) -> None:
    for before, after in itertools.pairwise(history(passes)):
        for old, new in zip(before, after, strict=True):
            changed = {**old, "lastTransitionTime": ""} != {**new, "lastTransitionTime": ""}

            assert (old["lastTransitionTime"] != new["lastTransitionTime"]) is changed


@given(PASSES)
def test_settling_twice_changes_nothing(passes: list[dict[str, Condition]]) -> None:
    conditions = history(passes)[-1]

    assert SOURCE.settle(conditions, passes[-1], "2027-01-01T00:00:00Z") == conditions


@given(PASSES)
def test_entries_are_sorted_and_have_no_empty_text(passes: list[dict[str, Condition]]) -> None:
    for conditions in history(passes):
        types = [entry["type"] for entry in conditions]

        assert types == sorted(types)
        assert all(entry.get(key, "text") for entry in conditions for key in ("reason", "message"))
