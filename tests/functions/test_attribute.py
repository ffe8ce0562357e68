"""attribute, against a simulated vCenter: which values a machine holds before and after."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo.vcsim import VCSim
from functions import attribute
from pipeline.errors import SettingsError
from pipeline.reaction import ReactionFunction
from tests.support.administrator import Administrator
from tests.support.events import about, event_of

Make = Callable[..., ReactionFunction]


def environ(vcsim: VCSim, **more: str) -> dict[str, str]:
    return {**vcsim.environ, **more}


@pytest.fixture
def reaction(vcsim: VCSim) -> Iterator[Make]:
    """Makes reactions at *vcsim*, with settings of a test's own; closes them."""
    with contextlib.ExitStack() as made:
        yield lambda **more: made.enter_context(contextlib.closing(attribute.create(environ(vcsim, **more))))


def values_of(administrator: Administrator, machine: Any) -> dict[str, str]:
    """The machine's attributes, by name, as the administrator sees them."""
    fields = administrator.content.customFieldsManager.field
    names = {field.key: field.name for field in fields}
    return {names[each.key]: each.value for each in machine.customValue}


def test_owner_creation_and_last_start_are_written(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        machine, other, *_ = administrator.vms
        assert administrator.content.customFieldsManager.field == []
        function = reaction()

        function.handle(event_of(vcsim, "VmCreatedEvent", Vm=about(machine, "Vm")))
        function.handle(event_of(vcsim, "VmPoweredOnEvent", Vm=about(machine, "Vm")))

        assert values_of(administrator, machine) == {
            "owner": "VSPHERE.LOCAL\\alice",
            "created": "2026-11-20T15:45:13.931122Z",
            "last powered on": "2026-11-20T15:45:13.931122Z",
        }
        assert other.customValue == []


def test_attribute_that_is_defined_is_used_and_others_keep_their_value(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        machine = administrator.vms[0]
        manager = administrator.content.customFieldsManager
        for name, value in (("owner", "bob"), ("cost centre", "4711")):
            manager.SetField(machine, manager.AddCustomFieldDef(name=name, moType=type(machine)).key, value)

        reaction().handle(event_of(vcsim, "VmClonedEvent", Vm=about(machine, "Vm")))

        found = values_of(administrator, machine)
        assert (found["owner"], found["cost centre"]) == ("VSPHERE.LOCAL\\alice", "4711")
        assert [field.name for field in manager.field] == ["owner", "cost centre", "created"]


def test_same_event_three_times_writes_once_and_keeps_what_a_person_wrote_since(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        machine = administrator.vms[0]
        function = reaction()
        event = event_of(vcsim, "VmCreatedEvent", Vm=about(machine, "Vm"))
        function.handle(event)
        machine.SetCustomValue("owner", "bob")

        replies = [function.handle(event), function.handle(event)]

        assert values_of(administrator, machine)["owner"] == "bob"
        assert [each and each["id"] for each in replies] == [f"attribute.written-{event['id']}"] * 2


def test_own_templates_say_what_is_written_and_one_that_fails_writes_nothing(
    vcsim: VCSim, reaction: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {"VmReconfiguredEvent": {"changed by": "{{ user.split('\\\\')[-1] }}", "odd": "{{ 1 / 0 }}"}}
    with Administrator(vcsim.port) as administrator:
        machine = administrator.vms[0]

        reaction(ATTRIBUTE_VALUES=json.dumps(wanted)).handle(
            event_of(vcsim, "VmReconfiguredEvent", Vm=about(machine, "Vm"))
        )

        assert values_of(administrator, machine) == {"changed by": "alice"}
    assert "ATTRIBUTE_VALUES VmReconfiguredEvent odd" in capsys.readouterr().out


def test_session_that_the_server_ended_is_made_anew(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        first, second, *_ = administrator.vms
        function = reaction()
        function.handle(event_of(vcsim, "VmCreatedEvent", Vm=about(first, "Vm")))
        administrator.end_other_sessions()

        function.handle(event_of(vcsim, "VmCreatedEvent", Vm=about(second, "Vm")))

        assert values_of(administrator, second)["owner"] == "VSPHERE.LOCAL\\alice"


@pytest.mark.parametrize(
    ("event_class", "values", "reason"),
    [("VmRemovedEvent", "", "no attributes for events of this type"), ("VmCreatedEvent", "{{ '' }}", "are empty")],
)
def test_event_without_an_attribute_to_write_is_skipped(
    vcsim: VCSim, reaction: Make, event_class: str, values: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    templates = json.dumps({"VmCreatedEvent": {"owner": values}}) if values else ""

    vm = {"Name": "web-01", "Vm": {"Type": "VirtualMachine", "Value": "vm-1"}}

    assert reaction(ATTRIBUTE_VALUES=templates).handle(event_of(vcsim, event_class, Vm=vm)) is None

    assert reason in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "not JSON of the form"),
        ('{"VmCreatedEvent": "owner"}', "not JSON of the form"),
        ('{"VmCreatedEvent": {"owner": "{% if %}"}}', "under VmCreatedEvent for 'owner' that is not a template"),
    ],
)
def test_settings_that_cannot_be_used_are_named_at_start(values: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        attribute.create({"VC_URL": "https://vcenter.example", "ATTRIBUTE_VALUES": values})
