"""attribute, against a simulated vCenter: which values a vm holds before and after."""

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
    """Creates reactions for *vcsim* with the settings of a test, and closes them."""
    with contextlib.ExitStack() as stack:
        yield lambda **more: stack.enter_context(contextlib.closing(attribute.create(environ(vcsim, **more))))


def values_of(administrator: Administrator, vm: Any) -> dict[str, str]:
    """The vm's attributes, by name, as the administrator sees them."""
    fields = administrator.content.customFieldsManager.field
    names = {field.key: field.name for field in fields}
    return {names[attribute.key]: attribute.value for attribute in vm.customValue}


def test_owner_creation_and_last_power_on_are_written(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        vm, other, *_ = administrator.vms
        assert administrator.content.customFieldsManager.field == []
        function = reaction()

        function.handle(event_of(vcsim, "VmCreatedEvent", Vm=about(vm, "Vm")))
        function.handle(event_of(vcsim, "VmPoweredOnEvent", Vm=about(vm, "Vm")))

        assert values_of(administrator, vm) == {
            "owner": "VSPHERE.LOCAL\\alice",
            "created": "2026-11-20T15:45:13.931122Z",
            "last powered on": "2026-11-20T15:45:13.931122Z",
        }
        assert other.customValue == []


def test_defined_attribute_is_reused_and_others_are_kept(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        vm = administrator.vms[0]
        manager = administrator.content.customFieldsManager
        for name, value in (("owner", "bob"), ("cost centre", "4711")):
            manager.SetField(vm, manager.AddCustomFieldDef(name=name, moType=type(vm)).key, value)

        reaction().handle(event_of(vcsim, "VmClonedEvent", Vm=about(vm, "Vm")))

        values = values_of(administrator, vm)
        assert (values["owner"], values["cost centre"]) == ("VSPHERE.LOCAL\\alice", "4711")
        assert [field.name for field in manager.field] == ["owner", "cost centre", "created"]


def test_duplicates_do_not_overwrite_a_value_set_by_hand(vcsim: VCSim, reaction: Make) -> None:
    with Administrator(vcsim.port) as administrator:
        vm = administrator.vms[0]
        function = reaction()
        event = event_of(vcsim, "VmCreatedEvent", Vm=about(vm, "Vm"))
        function.handle(event)
        vm.SetCustomValue("owner", "bob")

        replies = [function.handle(event), function.handle(event)]

        assert values_of(administrator, vm)["owner"] == "bob"
        assert [reply and reply["id"] for reply in replies] == [f"attribute.written-{event['id']}"] * 2


def test_templates_are_used_and_a_failing_one_is_skipped(
    vcsim: VCSim, reaction: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    templates = {"VmReconfiguredEvent": {"changed by": "{{ user.split('\\\\')[-1] }}", "odd": "{{ 1 / 0 }}"}}
    with Administrator(vcsim.port) as administrator:
        vm = administrator.vms[0]

        reaction(ATTRIBUTE_VALUES=json.dumps(templates)).handle(
            event_of(vcsim, "VmReconfiguredEvent", Vm=about(vm, "Vm"))
        )

        assert values_of(administrator, vm) == {"changed by": "alice"}
    assert "ATTRIBUTE_VALUES VmReconfiguredEvent odd" in capsys.readouterr().out


def test_session_that_the_server_ended_is_recreated(vcsim: VCSim, reaction: Make) -> None:
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
    ("values", "error"),
    [
        ("{", "is not JSON"),
        ("[]", "not JSON of the form"),
        ('{"VmCreatedEvent": "owner"}', "not JSON of the form"),
        ('{"VmCreatedEvent": {"owner": "{% if %}"}}', "under VmCreatedEvent for 'owner' that is not a template"),
    ],
)
def test_invalid_settings_are_named_at_start(values: str, error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        attribute.create({"VC_URL": "https://vcenter.example", "ATTRIBUTE_VALUES": values})
