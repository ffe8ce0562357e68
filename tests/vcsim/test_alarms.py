"""tests/vcsim: alarms of the simulated vCenter, as far as vCenter's own behave."""

import pytest
from pyVmomi import vim, vmodl

from demo.vcsim import VCSim
from tests.support.administrator import Administrator


@pytest.fixture
def vcsim(vcsim_with_alarms: VCSim) -> VCSim:
    return vcsim_with_alarms


def test_alarm_is_on_its_object_and_its_parents_until_green(administrator: Administrator) -> None:
    host, other, *_ = administrator.objects(vim.HostSystem)
    above = [host.parent, administrator.content.rootFolder]

    for colour in ("yellow", "red"):
        administrator.turn(host, colour, "Host CPU usage")
        states = [state for entity in (host, *above) for state in entity.triggeredAlarmState]
        assert [(state.entity, state.overallStatus) for state in states] == [(host, colour)] * 3
        assert states[0].alarm.info.name == "Host CPU usage"
    assert other.triggeredAlarmState == []

    administrator.turn(host, "green", "Host CPU usage")
    assert [entity.triggeredAlarmState for entity in (host, *above)] == [[], [], []]

    changes = [event for event in administrator.events() if isinstance(event, vim.event.AlarmStatusChangedEvent)]
    assert [(event.entity.entity, event.alarm.name, getattr(event, "from"), event.to) for event in changes] == [
        (host, "Host CPU usage", "green", "yellow"),
        (host, "Host CPU usage", "yellow", "red"),
        (host, "Host CPU usage", "red", "green"),
    ]


def test_unknown_objects_are_rejected_but_their_events_are_kept(administrator: Administrator) -> None:
    host = administrator.objects(vim.HostSystem)[0]
    unknown = vim.HostSystem("host-9999", host._stub)
    alarms = administrator.content.alarmManager

    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        alarms.AreAlarmActionsEnabled(unknown)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        alarms.EnableAlarmActions(unknown, False)

    administrator.turn(unknown, "red", "Host CPU usage")
    assert isinstance(administrator.events()[-1], vim.event.EventEx)


def test_request_without_a_login_is_rejected(administrator: Administrator) -> None:
    host = administrator.objects(vim.HostSystem)[0]
    administrator.content.sessionManager.Logout()

    with pytest.raises(vim.fault.NotAuthenticated):
        administrator.content.alarmManager.EnableAlarmActions(host, False)
