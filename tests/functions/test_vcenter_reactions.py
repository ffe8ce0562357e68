"""The behavior of all reactions that use vCenter, against a simulated one: one table for all of them."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import HandlesEvents
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError
from runtime.functions import open_function
from tests.support.administrator import Administrator
from tests.support.events import vcenter_event

COMPLETED = "com.vmware.vc.HA.ClusterFailoverActionCompletedEvent"
NAMES = {
    "VmCreatedEvent": ("Vm", "Vm"),
    "EnteredMaintenanceModeEvent": ("Host", "Host"),
    COMPLETED: ("ComputeResource", "ComputeResource"),
    "AlarmStatusChangedEvent": ("Entity", "Entity"),
}
"""Event class → where it names the object."""


class Case(NamedTuple):
    """A reaction, an event for it, and the class of the object that the event is about."""

    reaction: str
    event_class: str
    managed_type: type
    settings: dict[str, str]


CASES = [
    Case("tag", "VmCreatedEvent", vim.VirtualMachine, {"TAG_CATEGORY": "c", "TAG_NAME": "n", "TAG_CREATE": "true"}),
    Case("attribute", "VmCreatedEvent", vim.VirtualMachine, {}),
    Case("maintenance", "EnteredMaintenanceModeEvent", vim.HostSystem, {}),
    Case("failover", COMPLETED, vim.ClusterComputeResource, {"FAILOVER_SETTLE": "0"}),
    Case("capacity", "AlarmStatusChangedEvent", vim.Datastore, {}),
    Case(
        "preempt", "AlarmStatusChangedEvent", vim.ClusterComputeResource, {"PREEMPT_CATEGORY": "c", "PREEMPT_TAG": "n"}
    ),
]
NEEDING_OBJECT = [case for case in CASES if case.reaction in ("attribute", "maintenance", "capacity")]
"""The reactions whose first call to vCenter needs the object. The simulator lists no events of a missing cluster."""


def event_about(case: Case, source: str, object_id: str, number: str) -> CloudEvent:
    argument, property_ = NAMES[case.event_class]
    reference = {"Type": case.managed_type.__name__.rpartition(".")[2], "Value": object_id}
    data: dict[str, Any] = {argument: {"Name": "it", property_: reference}, "To": "red", "Alarm": {"Name": "CPU usage"}}
    event = vcenter_event(source, case.event_class, number, **data)
    return event.with_attributes(time=datetime.now(UTC).isoformat())


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    requested: Case = request.param
    return requested


@pytest.fixture
def function(vcsim: VCSim, case: Case) -> Iterator[HandlesEvents]:
    with contextlib.closing(open_function(case.reaction, {**vcsim.environ, **case.settings})) as opened:
        assert isinstance(opened, HandlesEvents)
        yield opened


def name_of(case: Case) -> str:
    return case.reaction


@pytest.mark.parametrize("case", CASES, ids=name_of, indirect=True)
def test_foreign_event_or_one_without_the_object_is_skipped(
    vcsim: VCSim, case: Case, function: HandlesEvents, capsys: pytest.CaptureFixture[str]
) -> None:
    assert function.handle(event_about(case, "https://other.example/sdk", "vm-1", "1")) is None
    assert function.handle(vcenter_event(vcsim.url, case.event_class, "2")) is None

    log = capsys.readouterr().out
    assert log.count("event of another vCenter") == 1
    assert log.count("event without the object") == 1


@pytest.mark.parametrize("case", NEEDING_OBJECT, ids=name_of, indirect=True)
def test_event_about_an_object_that_does_not_exist_is_skipped(
    vcsim: VCSim, case: Case, function: HandlesEvents, capsys: pytest.CaptureFixture[str]
) -> None:
    assert function.handle(event_about(case, vcsim.url, "missing-9999", "1")) is None

    assert "object not found" in capsys.readouterr().out


@pytest.mark.parametrize("case", CASES, ids=name_of, indirect=True)
def test_unreachable_vcenter_is_temporary(
    vcsim: VCSim, case: Case, function: HandlesEvents, administrator: Administrator
) -> None:
    event = event_about(case, vcsim.url, administrator.objects(case.managed_type)[0]._moId, "1")
    vcsim.stop()

    with pytest.raises(TemporaryError):
        function.handle(event)

    vcsim.start()
