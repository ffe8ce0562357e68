"""The objects of a simulated vCenter. The tests of the reactions in `tests/functions/` read and change them."""

import contextlib
from collections.abc import Iterator

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from pipeline.errors import ObjectNotFound
from pipeline.payload import Reference
from tests.support.administrator import Administrator
from tests.support.history import vcenter_settings
from vsphere.errors import VCenterUnavailable
from vsphere.inventory import Inventory


@pytest.fixture
def inventory(vcsim: VCSim) -> Iterator[Inventory]:
    with contextlib.closing(Inventory(vcenter_settings(vcsim))) as inventory:
        yield inventory


def cluster_of(administrator: Administrator) -> Reference:
    return Reference("ClusterComputeResource", administrator.cluster._moId, "DC0_C0")


def test_vms_of_a_cluster_are_listed_by_name(inventory: Inventory, administrator: Administrator) -> None:
    administrator.power_off(administrator.vms_in_cluster[0])

    vms = inventory.vms_in(cluster_of(administrator))

    names = [vm.reference.name for vm in vms]
    assert names == sorted(vm.name for vm in administrator.vms_in_cluster)
    assert [vm.is_on for vm in vms] == [False, *[True] * (len(vms) - 1)]


def test_ended_session_is_renewed(inventory: Inventory, administrator: Administrator) -> None:
    before = inventory.vms_in(cluster_of(administrator))
    administrator.end_other_sessions()

    assert inventory.vms_in(cluster_of(administrator)) == before


def test_stopped_vcenter_is_unavailable(inventory: Inventory, administrator: Administrator, vcsim: VCSim) -> None:
    cluster = cluster_of(administrator)
    inventory.vms_in(cluster)
    vcsim.kill()

    with pytest.raises(VCenterUnavailable, match="log in"):
        inventory.vms_in(cluster)


@pytest.mark.parametrize(
    ("managed_type", "text"),
    [("VirtualMachine", "suspend VirtualMachine vm-0: "), ("Planet", "not a type of managed entity")],
)
def test_unknown_object_is_not_found(inventory: Inventory, managed_type: str, text: str) -> None:
    with pytest.raises(ObjectNotFound, match=text):
        inventory.suspend(Reference(managed_type, "vm-0", ""))


@pytest.mark.parametrize(
    ("managed_type", "identity"),
    [
        ("ClusterComputeResource", "domain-c28</entity><eventTypeId>Anything</eventTypeId><entity>"),
        ("ClusterComputeResource", "domain-c28\n"),
        ("ClusterComputeResource", ""),
        ("__setattr__", "VirtualMachine"),
        ("TaskInfo", "task-1"),
        ("ServiceInstance", "ServiceInstance"),
        ("event", "x"),
        ("vm", "vm-12"),
    ],
)
def test_forged_reference_reaches_no_request(inventory: Inventory, managed_type: str, identity: str) -> None:
    with pytest.raises(ObjectNotFound):
        inventory.vms_in(Reference(managed_type, identity, ""))
    with pytest.raises(ObjectNotFound):
        inventory.attributes(Reference(managed_type, identity, ""))
    assert isinstance(vim.VirtualMachine, type)
