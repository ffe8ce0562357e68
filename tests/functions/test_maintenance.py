"""maintenance: hosts of a simulated vCenter enter and leave maintenance mode."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import maintenance
from pipeline.cloudevents import CloudEvent
from pipeline.reaction import ReactionFunction
from tests.support.administrator import Administrator
from tests.support.events import newest

Make = Callable[[], ReactionFunction]


@pytest.fixture
def vcsim(vcsim_with_alarms: VCSim) -> VCSim:
    return vcsim_with_alarms


@pytest.fixture
def host(administrator: Administrator) -> Any:
    return administrator.objects(vim.HostSystem)[0]


@pytest.fixture
def make(vcsim: VCSim) -> Iterator[Make]:
    """Creates reactions, each like a new process."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(maintenance.create(vcsim.environ)))


def enter(vcsim: VCSim, administrator: Administrator, host: Any) -> CloudEvent:
    """Move *host* to maintenance mode, and post and return vCenter's event, which the simulator does not create."""
    host.EnterMaintenanceMode_Task(0)
    return posted(vcsim, administrator, host, vim.event.EnteredMaintenanceModeEvent)


def leave(vcsim: VCSim, administrator: Administrator, host: Any) -> CloudEvent:
    host.ExitMaintenanceMode_Task(0)
    return posted(vcsim, administrator, host, vim.event.ExitMaintenanceModeEvent)


def posted(vcsim: VCSim, administrator: Administrator, host: Any, event_class: type) -> CloudEvent:
    named = vim.event.HostEventArgument(name=host.name, host=host)
    event = event_class(key=0, chainId=0, createdTime=datetime.now(UTC), userName="", host=named)
    administrator.content.eventManager.PostEvent(event)
    return newest(vcsim, event_class.__name__.rpartition(".")[2])


def holds(host: Any) -> tuple[bool, list[str]]:
    """Return whether alarms of *host* act, and the values of its custom attributes."""
    return host.alarmActionsEnabled, [attribute.value for attribute in host.customValue]


def type_of(reply: CloudEvent | None) -> str:
    return "" if reply is None else str(reply["type"])


def test_alarm_actions_are_disabled_and_restored(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    other = administrator.objects(vim.HostSystem)[1]
    assert (holds(host), holds(other)) == ((True, []), (True, []))

    reply = make().handle(enter(vcsim, administrator, host))
    assert type_of(reply) == "dev.vcenter-events.maintenance.silenced.v0"
    assert (holds(host), holds(other)) == ((False, ["enabled"]), (True, []))

    # Another process: the earlier state is in vCenter.
    reply = make().handle(leave(vcsim, administrator, host))
    assert type_of(reply) == "dev.vcenter-events.maintenance.restored.v0"
    assert (holds(host), holds(other)) == ((True, [""]), (True, []))


def test_alarm_that_turns_red_in_maintenance_does_not_act(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    make().handle(enter(vcsim, administrator, host))
    administrator.turn(host, "red", "Host connection")
    make().handle(leave(vcsim, administrator, host))
    administrator.turn(host, "yellow", "Host connection")

    events = [type(event) for event in administrator.events()]
    assert events.count(vim.event.AlarmStatusChangedEvent) == 2
    assert events.count(vim.event.AlarmActionTriggeredEvent) == 1
    assert [state.overallStatus for state in host.triggeredAlarmState] == ["yellow"]


def test_alarm_actions_that_were_disabled_stay_disabled(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    administrator.content.alarmManager.EnableAlarmActions(host, False)
    function = make()

    assert function.handle(enter(vcsim, administrator, host)) is None
    assert holds(host) == (False, ["disabled"])
    assert function.handle(leave(vcsim, administrator, host)) is None
    assert holds(host) == (False, [""])


def test_duplicates_in_several_processes_keep_the_state(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    function = make()
    entered = enter(vcsim, administrator, host)
    for process in (function, function, make()):
        process.handle(entered)
    assert holds(host) == (False, ["enabled"])

    left = leave(vcsim, administrator, host)
    function.handle(left)
    assert holds(host) == (True, [""])
    # A duplicate does not overrule a person who disables them now.
    administrator.content.alarmManager.EnableAlarmActions(host, False)
    for process in (function, make()):
        process.handle(left)
    assert holds(host) == (False, [""])


def test_late_event_of_a_host_that_has_left_disables_nothing(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    late = enter(vcsim, administrator, host)
    leave(vcsim, administrator, host)

    assert make().handle(late) is None

    assert holds(host) == (True, [])
