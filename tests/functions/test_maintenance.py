"""maintenance: hosts of a simulated vCenter enter and leave maintenance mode; what it holds before and after."""

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
    """Makes reactions; each is as a new process."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(contextlib.closing(maintenance.create(vcsim.environ)))


def enter(vcsim: VCSim, administrator: Administrator, host: Any) -> CloudEvent:
    """*host* enters maintenance mode; vCenter's event about it, which the simulator leaves to us."""
    host.EnterMaintenanceMode_Task(0)
    return posted(vcsim, administrator, host, vim.event.EnteredMaintenanceModeEvent)


def leave(vcsim: VCSim, administrator: Administrator, host: Any) -> CloudEvent:
    host.ExitMaintenanceMode_Task(0)
    return posted(vcsim, administrator, host, vim.event.ExitMaintenanceModeEvent)


def posted(vcsim: VCSim, administrator: Administrator, host: Any, kind: type) -> CloudEvent:
    named = vim.event.HostEventArgument(name=host.name, host=host)
    event = kind(key=0, chainId=0, createdTime=datetime.now(UTC), userName="", host=named)
    administrator.content.eventManager.PostEvent(event)
    return newest(vcsim, kind.__name__.rpartition(".")[2])


def holds(host: Any) -> tuple[bool, list[str]]:
    """Return whether alarms of *host* act, and its custom attributes."""
    return host.alarmActionsEnabled, [each.value for each in host.customValue]


def said(reply: CloudEvent | None) -> str:
    return "" if reply is None else str(reply["type"])


def test_alarm_actions_are_off_in_maintenance_and_on_again_after(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    other = administrator.objects(vim.HostSystem)[1]
    assert (holds(host), holds(other)) == ((True, []), (True, []))

    reply = make().handle(enter(vcsim, administrator, host))
    assert said(reply) == "dev.vcenter-events.maintenance.silenced.v0"
    assert (holds(host), holds(other)) == ((False, ["enabled"]), (True, []))

    # By another process: what was before stands in vCenter.
    reply = make().handle(leave(vcsim, administrator, host))
    assert said(reply) == "dev.vcenter-events.maintenance.restored.v0"
    assert (holds(host), holds(other)) == ((True, [""]), (True, []))


def test_alarm_that_turns_red_in_maintenance_does_not_act(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    make().handle(enter(vcsim, administrator, host))
    administrator.turn(host, "red", "Host connection")
    make().handle(leave(vcsim, administrator, host))
    administrator.turn(host, "yellow", "Host connection")

    events = [type(each) for each in administrator.events()]
    assert events.count(vim.event.AlarmStatusChangedEvent) == 2
    assert events.count(vim.event.AlarmActionTriggeredEvent) == 1
    assert [each.overallStatus for each in host.triggeredAlarmState] == ["yellow"]


def test_alarm_actions_that_were_off_before_stay_off(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    administrator.content.alarmManager.EnableAlarmActions(host, False)
    function = make()

    assert function.handle(enter(vcsim, administrator, host)) is None
    assert holds(host) == (False, ["disabled"])
    assert function.handle(leave(vcsim, administrator, host)) is None
    assert holds(host) == (False, [""])


def test_same_event_three_times_also_of_another_process_keeps_what_was_before(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    function = make()
    entered = enter(vcsim, administrator, host)
    for each in (function, function, make()):
        each.handle(entered)
    assert holds(host) == (False, ["enabled"])

    left = leave(vcsim, administrator, host)
    function.handle(left)
    assert holds(host) == (True, [""])
    # Whoever disables them now is not overruled by the same event.
    administrator.content.alarmManager.EnableAlarmActions(host, False)
    for each in (function, make()):
        each.handle(left)
    assert holds(host) == (False, [""])


def test_event_that_comes_after_the_host_has_left_again_switches_nothing_off(
    vcsim: VCSim, administrator: Administrator, host: Any, make: Make
) -> None:
    late = enter(vcsim, administrator, host)
    leave(vcsim, administrator, host)

    assert make().handle(late) is None

    assert holds(host) == (True, [])
