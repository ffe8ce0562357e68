from pathlib import Path

import pytest

from functions.display.ring import Ring, StoredEvent
from functions.display.row import summary
from functions.display.triggers import explained, trigger_source
from pipeline.cloudevents import create
from pipeline.errors import PermanentError

TRIGGER = """
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: {name}, namespace: lab}}
spec:
  broker: default
  filter: {{attributes: {{type: {type}}}}}
  subscriber: {{ref: {{kind: Service, name: {name}}}}}
---
"""


def stored() -> StoredEvent:
    event = create({"id": "1", "source": "/lab", "type": "VmPoweredOff"}, {})
    return Ring(10, 10_000_000).arrival(event, summary(event), {}, 0)[0]


def test_those_that_select_it_come_first_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TRIGGER.format(name="alpha", type="VmPoweredOn") + "kind: Service\n")
    other = tmp_path / "other.yaml"
    other.write_text(TRIGGER.format(name="zeta", type="VmPoweredOff"))

    zeta, alpha = explained((tmp_path / "a.yaml", other), stored())

    assert (zeta["name"], zeta["subscriber"], zeta["matches"]) == ("zeta", "zeta", True)
    assert (alpha["name"], alpha["matches"], alpha["parts"][0]["expected"]) == ("alpha", False, "VmPoweredOn")


def test_later_trigger_of_the_same_name_replaces_the_first(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(TRIGGER.format(name="alpha", type="VmPoweredOn"))
    (tmp_path / "2.yaml").write_text(TRIGGER.format(name="alpha", type="VmPoweredOff"))

    assert [verdict["matches"] for verdict in explained((tmp_path,), stored())] == [True]


def test_unusable_trigger_has_an_error_and_does_not_match(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("kind: Trigger\nmetadata: {name: odd}\nspec: {filters: [{likes: {type: a}}]}\n")

    [verdict] = explained((tmp_path,), stored())

    assert not verdict["matches"]
    assert "filters[0]" in verdict["error"]


def test_file_that_is_not_yaml_and_a_missing_one_are_reported(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("a: [")
    with pytest.raises(PermanentError, match=r"1\.yaml"):
        explained((tmp_path,), stored())
    with pytest.raises(ValueError, match="does not exist"):
        trigger_source(f"{tmp_path}:/nowhere")
