"""failover: restarts that HA reported to the simulated vCenter become one event."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import failover
from pipeline.cloudevents import CloudEvent
from pipeline.reaction import ReactionFunction
from tests.support.administrator import Administrator
from tests.support.events import about, vcenter_event

COMPLETED = "com.vmware.vc.HA.ClusterFailoverActionCompletedEvent"


def environ(vcsim: VCSim, **more: str) -> dict[str, str]:
    return {**vcsim.environ, "FAILOVER_SETTLE": "0", **more}


@pytest.fixture
def function(vcsim: VCSim) -> Iterator[ReactionFunction]:
    with contextlib.closing(failover.create(environ(vcsim))) as function:
        yield function


def restart(administrator: Administrator, vm: Any, type_id: str = "com.vmware.vc.ha.VmRestartedByHAEvent") -> None:
    """Have vCenter report that HA restarted *vm* on the host where it is."""
    host = vm.runtime.host
    cluster = host.parent
    administrator.content.eventManager.PostEvent(
        vim.event.EventEx(
            key=0,
            chainId=0,
            createdTime=datetime.now(UTC),
            userName="",
            eventTypeId=type_id,
            vm=vim.event.VmEventArgument(name=vm.name, vm=vm),
            host=vim.event.HostEventArgument(name=host.name, host=host),
            computeResource=vim.event.ComputeResourceEventArgument(name=cluster.name, computeResource=cluster),
        )
    )


def completed(vcsim: VCSim, cluster: Any, number: str = "1", **ago: float) -> CloudEvent:
    event = vcenter_event(vcsim.url, COMPLETED, number, ComputeResource=about(cluster, "ComputeResource"))
    return event.with_attributes(time=(datetime.now(UTC) - timedelta(**ago)).isoformat())


def test_restarted_vms_of_the_cluster_are_one_event(vcsim: VCSim, function: ReactionFunction) -> None:
    with Administrator(vcsim.port) as administrator:
        cluster, vms = administrator.cluster, administrator.vms_in_cluster
        for vm in vms[:2]:
            restart(administrator, vm)
        restart(administrator, vms[2], "com.vmware.vc.ha.VmFailedOverEvent")
        expected = [{"name": vm.name, "host": vm.runtime.host.name} for vm in vms[:2]]

        reply = function.handle(completed(vcsim, cluster))

    assert reply is not None
    assert reply["type"] == "dev.vcenter-events.failover.completed.v0"
    data = dict(reply.payload or {})
    assert data["vms"] == expected
    assert data["message"].startswith("HA restarted 2 VMs in DC0_C0: DC0_C0_RP0_VM0 on DC0_C0_H")
    assert data["severity"] == "warning"


def test_restarts_of_an_earlier_failover_are_not_reported(vcsim: VCSim, function: ReactionFunction) -> None:
    with Administrator(vcsim.port) as administrator:
        cluster, vms = administrator.cluster, administrator.vms_in_cluster
        restart(administrator, vms[0])

        assert function.handle(completed(vcsim, cluster, minutes=-20)) is None


def test_session_that_the_server_ended_is_recreated(vcsim: VCSim, function: ReactionFunction) -> None:
    with Administrator(vcsim.port) as administrator:
        cluster, vms = administrator.cluster, administrator.vms_in_cluster
        restart(administrator, vms[0])
        assert function.handle(completed(vcsim, cluster, "1")) is not None
        administrator.end_other_sessions()

        assert function.handle(completed(vcsim, cluster, "2")) is not None
