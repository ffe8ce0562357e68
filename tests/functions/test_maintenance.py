"""maintenance: hosts of the simulator enter and leave maintenance mode; alarm actions are `tests.alarms`'."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import maintenance
from pipeline.errors import TemporaryError
from tests.administrator import Administrator
from tests.alarms import Alarms
from tests.functions.events import about, vcenter_event

ATTRIBUTE = "alarm actions before maintenance"


@pytest.fixture
def alarms(vcsim: VCSim) -> Iterator[Alarms]:
    with Alarms(vcsim.port) as alarms:
        yield alarms


@pytest.fixture
def administrator(vcsim: VCSim) -> Iterator[Administrator]:
    with Administrator(vcsim.port) as administrator:
        yield administrator


@pytest.fixture
def make(alarms: Alarms) -> Iterator[Callable[[], maintenance.Maintenance]]:
    """Makes reactions; each is as a new process."""
    environ = {"VC_URL": alarms.url, "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(contextlib.closing(maintenance.create(environ)))


def hosts(administrator: Administrator) -> list[Any]:
    view = administrator.content.viewManager.CreateContainerView(
        administrator.content.rootFolder, [vim.HostSystem], True
    )
    return sorted(view.view, key=lambda host: str(host.name))


def entered(alarms: Alarms, host: Any, number: str = "1") -> CloudEvent:
    return vcenter_event(alarms.url, "EnteredMaintenanceModeEvent", number, Host=about(host, "Host"))


def left(alarms: Alarms, host: Any, number: str = "2") -> CloudEvent:
    return vcenter_event(alarms.url, "ExitMaintenanceModeEvent", number, Host=about(host, "Host"))


def noted(host: Any) -> list[str]:
    return [each.value for each in host.customValue]


def enter(host: Any) -> None:
    host.EnterMaintenanceMode_Task(0)


def leave(host: Any) -> None:
    host.ExitMaintenanceMode_Task(0)


def said(reply: CloudEvent | None) -> str:
    return "" if reply is None else str(reply["type"])


def test_alarm_actions_are_off_in_maintenance_and_on_again_after(
    alarms: Alarms, administrator: Administrator, make: Callable[[], maintenance.Maintenance]
) -> None:
    host, other, *_ = hosts(administrator)
    enter(host)
    assert said(make().handle(entered(alarms, host))) == "dev.vcenter-events.maintenance.silenced.v0"
    assert (alarms.disabled, noted(host)) == ({host._moId}, ["enabled"])

    leave(host)
    # By another process: what was before stands in vCenter.
    assert said(make().handle(left(alarms, host))) == "dev.vcenter-events.maintenance.restored.v0"
    assert (alarms.disabled, noted(host)) == (set(), [""])
    assert alarms.changes == [(host._moId, False), (host._moId, True)]
    assert other.customValue == []


def test_alarm_actions_that_were_off_before_stay_off(
    alarms: Alarms, administrator: Administrator, make: Callable[[], maintenance.Maintenance]
) -> None:
    host = hosts(administrator)[0]
    alarms.disabled.add(host._moId)
    function = make()

    enter(host)
    assert function.handle(entered(alarms, host)) is None
    leave(host)
    assert function.handle(left(alarms, host)) is None

    assert (alarms.disabled, alarms.changes, noted(host)) == ({host._moId}, [], [""])


def test_same_event_three_times_also_of_another_process_keeps_what_was_before(
    alarms: Alarms, administrator: Administrator, make: Callable[[], maintenance.Maintenance]
) -> None:
    host = hosts(administrator)[0]
    enter(host)
    function = make()
    for each in (function, function, make()):
        each.handle(entered(alarms, host))
    assert noted(host) == ["enabled"]

    leave(host)
    for each in (function, function, make()):
        each.handle(left(alarms, host))
    assert alarms.disabled == set()
    assert alarms.changes.count((host._moId, True)) == 1


def test_event_that_comes_after_the_host_has_left_again_switches_nothing_off(
    alarms: Alarms, administrator: Administrator, make: Callable[[], maintenance.Maintenance]
) -> None:
    host = hosts(administrator)[0]

    make().handle(entered(alarms, host))

    assert alarms.changes == []


def test_host_that_is_gone_and_an_event_without_a_host_are_logged(
    alarms: Alarms, make: Callable[[], maintenance.Maintenance], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"Name": "gone", "Host": {"Type": "HostSystem", "Value": "host-9999"}}
    function = make()

    assert function.handle(vcenter_event(alarms.url, "EnteredMaintenanceModeEvent", "1", Host=gone)) is None
    assert function.handle(vcenter_event(alarms.url, "EnteredMaintenanceModeEvent", "2")) is None

    log = capsys.readouterr().out
    assert "host is gone" in log
    assert "event without the object" in log


def test_unreachable_vcenter_is_temporary(
    vcsim: VCSim, alarms: Alarms, administrator: Administrator, make: Callable[[], maintenance.Maintenance]
) -> None:
    event = entered(alarms, hosts(administrator)[0])
    function = make()
    vcsim.stop()
    with pytest.raises(TemporaryError):
        function.handle(event)
    vcsim.start()
