"""preempt, in the cluster of a simulated vCenter: which vms are on before and after."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import preempt
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError
from pipeline.payload import Reference
from pipeline.reaction import ReactionFunction
from pipeline.settings import read
from tests.support.administrator import Administrator
from tests.support.events import newest
from vsphere.settings import VCenterSettings
from vsphere.tagging import Tagging

Make = Callable[..., ReactionFunction]


@pytest.fixture
def vcsim(vcsim_with_alarms: VCSim) -> VCSim:
    return vcsim_with_alarms


def environ(vcsim: VCSim, **more: str) -> dict[str, str]:
    tag = {"PREEMPT_CATEGORY": "lifecycle", "PREEMPT_TAG": "preemptible", "PREEMPT_DRY_RUN": "false"}
    return {**vcsim.environ, **tag, **more}


@pytest.fixture
def make(vcsim: VCSim) -> Iterator[Make]:
    with contextlib.ExitStack() as stack:
        yield lambda **more: stack.enter_context(contextlib.closing(preempt.create(environ(vcsim, **more))))


def give_way(vcsim: VCSim, *vms: Any) -> None:
    """Attach the tag."""
    with contextlib.closing(Tagging(read(VCenterSettings, environ(vcsim)), create=True)) as tagging:
        for vm in vms:
            tagging.attach("lifecycle", "preemptible", Reference("VirtualMachine", vm._moId, ""))


def turned(
    vcsim: VCSim,
    administrator: Administrator,
    colour: str = "red",
    alarm: str = "Cluster CPU usage",
    kind: type = vim.ClusterComputeResource,
) -> CloudEvent:
    """*alarm* turns *colour* on the first object of *kind*, the cluster: vCenter's event."""
    administrator.turn(administrator.objects(kind)[0], colour, alarm)
    return newest(vcsim, "AlarmStatusChangedEvent")


def states(vms: list[Any]) -> list[str]:
    return [str(vm.runtime.powerState) for vm in vms]


def test_vms_with_the_tag_are_suspended_up_to_the_maximum(
    vcsim: VCSim, administrator: Administrator, make: Make
) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms[1:], administrator.vms[-1])  # the last one is in no cluster
    assert states(vms) == ["poweredOn"] * 4

    reply = make(PREEMPT_MAX_VMS="2").handle(turned(vcsim, administrator))

    assert states(vms) == ["poweredOn", "suspended", "suspended", "poweredOn"]
    assert reply is not None
    assert reply["type"] == "dev.vcenter-events.preempt.done.v0"
    assert dict(reply.payload or {})["vms"] == ["DC0_C0_RP0_VM1", "DC0_C0_RP0_VM2"]


def test_vms_are_powered_off_if_the_setting_says_so(vcsim: VCSim, administrator: Administrator, make: Make) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, vms[0])

    make(PREEMPT_ACTION="poweroff").handle(turned(vcsim, administrator, alarm="Cluster Memory usage"))

    assert states(vms) == ["poweredOff", "poweredOn", "poweredOn", "poweredOn"]


def test_dry_run_is_the_default_and_only_reports(vcsim: VCSim, administrator: Administrator, make: Make) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms)

    reply = make(PREEMPT_DRY_RUN="").handle(turned(vcsim, administrator))

    assert states(vms) == ["poweredOn"] * 4
    assert reply is not None
    assert reply["type"] == "dev.vcenter-events.preempt.planned.v0"
    assert "3 VMs in DC0_C0 would be suspended" in dict(reply.payload or {})["message"]


def test_duplicates_and_an_alarm_within_the_pause_do_nothing(
    vcsim: VCSim, administrator: Administrator, make: Make
) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms)
    function, event = make(PREEMPT_MAX_VMS="1"), turned(vcsim, administrator)

    first, *others = [function.handle(event) for _ in range(3)]
    turned(vcsim, administrator, "green")
    assert function.handle(turned(vcsim, administrator)) is None

    assert others == [first, first]
    assert states(vms) == ["suspended", "poweredOn", "poweredOn", "poweredOn"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour": "yellow"}, "the alarm is not red"),
        ({"alarm": "Cluster license"}, "PREEMPT_ALARMS does not match"),
        ({"kind": vim.HostSystem}, "is not a cluster"),
    ],
)
def test_other_events_are_skipped_with_a_reason(
    vcsim: VCSim,
    administrator: Administrator,
    make: Make,
    change: dict[str, Any],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms)

    assert make().handle(turned(vcsim, administrator, **change)) is None

    assert states(vms) == ["poweredOn"] * 4
    assert reason in capsys.readouterr().out


def test_event_of_an_alarm_that_is_not_red_now_is_skipped(
    vcsim: VCSim, administrator: Administrator, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms)
    event = turned(vcsim, administrator)
    cluster = administrator.objects(vim.ClusterComputeResource)[0]
    administrator.turn(cluster, "green", "Cluster CPU usage")
    host = administrator.objects(vim.HostSystem)[0]
    administrator.turn(host, "red", "Cluster CPU usage")  # shows on the cluster too
    forged = event.with_attributes(id="forged")

    assert make().handle(forged) is None

    assert states(vms) == ["poweredOn"] * 4
    assert "not red in vCenter now" in capsys.readouterr().out


def test_old_event_is_skipped(vcsim: VCSim, administrator: Administrator, make: Make) -> None:
    vms = administrator.vms_in_cluster
    give_way(vcsim, *vms)
    ago = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    event = turned(vcsim, administrator).with_attributes(time=ago)

    assert make().handle(event) is None

    assert states(vms) == ["poweredOn"] * 4


def test_invalid_expression_is_named_at_start(vcsim: VCSim) -> None:
    with pytest.raises(SettingsError, match="PREEMPT_ALARMS"):
        preempt.create(environ(vcsim, PREEMPT_ALARMS="("))
