"""Tests of the names of a source's objects: the predecessor's, also for long names (N1 to N10)."""

import pytest

from sources import names

LONG = "horizon-01-7c6e3f71-7c98-43dc-b783-72bcf0103970-way-tooooooooooooooo-long"
MD5 = "13b5188543daf882fed3b043d5d20285"
"""Of the long parent and suffix below, by md5sum."""


@pytest.mark.parametrize(
    ("parent", "suffix", "expected"),
    [
        pytest.param("f" * 63, "-adapter", "f" * 23 + "105d7597f637e83cc711605ac3ea4957-adapter", id="N1"),
        pytest.param("f" * 52, "-adapter", "f" * 52 + "-adapter", id="N2"),
        pytest.param(LONG, "-adapter", "horizon-01-7c6e3f71-7c9f88c636a5f0781b807c2771ff73668ac-adapter", id="N10"),
        pytest.param("f" * 55, "-adapter", "f" * 55 + "-adapter", id="as long as a name may be"),
    ],
)
def test_child_name_is_knatives(parent: str, suffix: str, expected: str) -> None:
    assert names.child_name(parent, suffix) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(names.adapter_name("foo"), "foo-adapter", id="N3"),
        pytest.param(names.binding_name("baz"), "baz-vspherebinding", id="N4"),
        pytest.param(names.config_map_name("baz"), "baz-configmap", id="N5"),
        pytest.param(names.role_binding_name("baz"), "baz-rolebinding", id="N6"),
        pytest.param(names.service_account_name({}), "default", id="N7"),
        pytest.param(names.service_account_name({"serviceAccountName": "test-svc-acc"}), "test-svc-acc", id="N8"),
        pytest.param(names.adapter_name("horizon-01"), "horizon-01-adapter", id="N9"),
        pytest.param(names.role_name("baz"), "baz-checkpoint", id="Role"),
    ],
)
def test_object_of_a_source_has_the_predecessors_name(name: str, expected: str) -> None:
    assert name == expected


def test_long_suffix_is_hashed_with_the_parent() -> None:
    name = names.child_name("short", "-" + "s" * 80)

    assert name == "short" + MD5 + "-" + "s" * 25
    assert len(name) == names.MAX_NAME


def test_name_never_ends_in_a_separator() -> None:
    assert names.child_name("p" * 20, "-" * 40 + "x" * 20)[-1].isalnum()


def test_label_of_a_long_name_is_a_valid_label() -> None:
    assert names.label_value("short") == "short"
    assert len(names.label_value(LONG)) == names.MAX_NAME
