"""The story of the demo: everyday work in a data center, and in between a failed migration, a lost host and a mistake.

Pure of clocks: a scene is a generator that does something and yields the seconds until its next step. `Life` waits.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyVmomi import vim

from demo.data_center import (
    ANNA,
    BACKUP,
    BEN,
    CLARA,
    CLUSTER,
    DATACENTER,
    HOSTS,
    ROOT,
    TERRAFORM,
    VCENTER,
    DataCenter,
    Managed,
    result,
)

Scene = Iterator[float]
"""A part of the story, step by step. It yields the seconds until its next step."""

GOLDEN = "golden-ubuntu-24.04"
CLONES = ("build-08", "build-09", "test-21", "test-22")
CHAPTERS = (
    ("esx-03.berlin.example", "db-01", "erp-test"),
    ("esx-02.berlin.example", "mail-01", "wiki-01"),
    ("esx-04.berlin.example", "db-02", "monitor-01"),
)
"""In each chapter a host is lost, a VM cannot be migrated, and another one is deleted by mistake."""

HOST_ALARM, DATASTORE_ALARM = "Host connection and power state", "Datastore usage on disk"


class Story:
    """The scenes of a day in *center*. *random_* chooses the everyday work."""

    def __init__(self, center: DataCenter, random_: random.Random) -> None:
        self._center = center
        self._random = random_
        self._lost: frozenset[str] = frozenset()
        """VMs of a lost host: nobody works with them."""

    def scenes(self) -> Sequence[Scene]:
        """Return the scenes, which happen at the same time."""
        return [self._plot(), self._everyday()]

    def _plot(self) -> Scene:
        yield from self._morning()
        for host, migrated, deleted in itertools.cycle(CHAPTERS):
            yield from self._failed_migration(migrated)
            yield from self._lost_host(host)
            yield 25
            yield from self._deletion(deleted, host)
            yield 40

    def _morning(self) -> Scene:
        """The opening: a page that was just opened fills within seconds."""
        center = self._center
        result(center.vm("erp-prod", ANNA).Reconfigure(vim.vm.ConfigSpec(memoryMB=8192, numCPUs=4)))
        yield 0.7
        self._migrated("cache-01", "esx-04.berlin.example")
        yield 0.7
        center.post(vim.event.GeneralUserEvent, BACKUP, vm=center.vm("files-01"), message="Backup finished: 42 GB")
        yield 0.7
        if center.find(CLONES[0]) is None:  # it exists if the story begins again
            clone = self._cloned(CLONES[0])
            yield 1.5
            result(clone.PowerOn())
            yield 1
        ssd = self._datastore("ssd-02")
        center.alarm(DATASTORE_ALARM, ssd, ("green", "yellow"))
        yield 1.5
        center.post(
            vim.event.BadUsernameSessionEvent,
            ROOT,
            ipAddress="10.20.4.17",
            fullFormattedMessage="Cannot login root@10.20.4.17",
        )
        yield 1.5

    def _failed_migration(self, name: str) -> Scene:
        """A migration fails, the reason is repaired, and the next attempt succeeds."""
        center, vm = self._center, self._center.vm(name)
        source, target = vm.runtime.host.name, self._other_host(vm.runtime.host.name)
        # vcsim ends when it gets the class of this name. Its type is the same this way.
        center.report(
            "VmFailedMigrateEvent",
            f"Cannot migrate {name} from {source} to {target}: the vMotion interface of {target} does not respond. "
            "Check the VMkernel adapter and the VLAN of the vMotion network.",
            "error",
            person=CLARA,
            vm=vm,
        )
        yield 4
        center.post(vim.event.GeneralUserEvent, CLARA, vm=vm, message="vMotion VLAN corrected, second attempt")
        yield 3
        self._migrated(name, target, CLARA)
        yield 5

    def _lost_host(self, name: str) -> Scene:
        """A host is lost, HA restarts its VMs elsewhere, the alarm turns green again, and DRS moves the VMs back."""
        center = self._center
        host = center.host(name)
        vms = [vm for vm in host.vm if vm.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn]
        self._lost = frozenset(vm.name for vm in host.vm)
        uplink = f"Uplink redundancy degraded on virtual switch vSwitch0 of {name}. Physical NIC vmnic1 is down."
        center.report("esx.problem.net.redundancy.degraded", uplink, "warning", host=host)
        yield 5
        words = f"Host {name} in {DATACENTER} is not responding"
        center.post(vim.event.HostConnectionLostEvent, host=host, fullFormattedMessage=words)
        words = f"vSphere HA detected a host failure of host {name} in cluster {CLUSTER} in datacenter {DATACENTER}"
        center.report("com.vmware.vc.HA.DasHostFailedEvent", words, "error", host=host)
        for vm in vms:
            words = f"{vm.name} on host {name} in {DATACENTER} is disconnected"
            center.post(vim.event.VmDisconnectedEvent, vm=vm, fullFormattedMessage=words)
        yield 2
        center.alarm(HOST_ALARM, host, ("green", "red"))
        yield 3
        words = f"vSphere HA initiated a failover action in cluster {CLUSTER} in datacenter {DATACENTER}"
        center.report("com.vmware.vc.HA.ClusterFailoverActionInitiatedEvent", words, "warning")
        refuges = [center.host(other) for other in HOSTS if other != name]
        restarted = list(zip(vms, itertools.cycle(refuges)))
        for vm, refuge in restarted:
            yield 1.5
            words = f"vSphere HA restarted virtual machine {vm.name} on host {refuge.name} in cluster {CLUSTER}"
            center.report("com.vmware.vc.ha.VmRestartedByHAEvent", words, "warning", vm=vm, host=refuge)
        yield 2
        words = f"vSphere HA completed a failover action in cluster {CLUSTER} in datacenter {DATACENTER}"
        center.report("com.vmware.vc.HA.ClusterFailoverActionCompletedEvent", words)
        yield 20
        center.post(vim.event.GeneralUserEvent, ANNA, host=host, message="Power supply replaced, the host boots")
        yield 10
        words = f"Connected to {name} in {DATACENTER}"
        center.post(vim.event.HostConnectedEvent, host=host, fullFormattedMessage=words)
        yield 1
        center.alarm(HOST_ALARM, host, ("red", "green"))
        uplink = f"Uplink redundancy restored on virtual switch vSwitch0 of {name}"
        center.report("esx.clear.net.redundancy.restored", uplink, host=host)
        for vm, refuge in restarted:
            yield 3
            center.post(vim.event.DrsVmMigratedEvent, vm=vm, host=host, sourceHost=_argument_of(refuge))
        self._lost = frozenset()

    def _deletion(self, name: str, host: str) -> Scene:
        """A user deletes the wrong VM. It is restored from the backup."""
        center = self._center
        center.content(BEN)
        yield 2
        vm = center.vm(name, BEN)
        if vm.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn:
            result(vm.PowerOff())
        yield 3
        result(vm.Destroy())
        yield 9
        words = f"{name} was deleted by mistake: it is restored from the backup of last night"
        center.post(vim.event.GeneralUserEvent, ANNA, host=center.host(host), message=words)
        yield 6
        vm = center.create_vm(BACKUP, name, center.host(host))
        yield 2
        result(center.vm(name, BACKUP).PowerOn())
        yield 4
        center.log_out(BEN)

    def _everyday(self) -> Scene:
        """The work of every day, a few steps a minute, at any time."""
        work: Sequence[Callable[[], Scene]] = (
            self._restart,
            self._resize,
            self._balance,
            self._clone,
            self._note,
            self._visit,
        )
        yield 4
        yield from self._restart()  # first, since the tutorials wait for a VM that is powered off
        while True:
            yield self._random.uniform(3, 8)
            yield from self._random.choice(work)()

    def _restart(self) -> Scene:
        name = self._any_vm()
        vm = self._center.vm(name, self._random.choice((ANNA, CLARA)))
        if vm.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn:
            result(vm.PowerOff())
            yield self._random.uniform(2, 5)
        result(vm.PowerOn())

    def _resize(self) -> Scene:
        spec = vim.vm.ConfigSpec(memoryMB=self._random.choice((4096, 8192)), numCPUs=self._random.choice((2, 4)))
        result(self._center.vm(self._any_vm(), self._random.choice((ANNA, TERRAFORM))).Reconfigure(spec))
        yield 1

    def _balance(self) -> Scene:
        name = self._any_vm()
        self._migrated(name, self._other_host(self._center.vm(name).runtime.host.name))
        yield 1

    def _clone(self) -> Scene:
        """A VM for a test, which is deleted again: the data center does not grow."""
        if GOLDEN in self._lost:  # all clones are on its host
            return
        free = [name for name in CLONES if self._center.find(name) is None]
        if free:
            yield 1
            clone = self._cloned(free[0])
            yield 2
            result(clone.PowerOn())
            return
        clone = self._center.vm(self._random.choice(CLONES), TERRAFORM)
        if clone.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn:
            result(clone.PowerOff())
        yield 1
        result(clone.Destroy())

    def _note(self) -> Scene:
        vm = self._center.vm(self._any_vm())
        size = self._random.randint(3, 80)
        self._center.post(vim.event.GeneralUserEvent, BACKUP, vm=vm, message=f"Backup finished: {size} GB")
        yield 1

    def _visit(self) -> Scene:
        self._center.content(CLARA)
        yield self._random.uniform(5, 10)
        vm = self._center.vm(self._any_vm(), CLARA)
        words = f"A ticket for {vm.name} on {vm.runtime.host.name} in {DATACENTER} has been acquired"
        self._center.post(
            vim.event.VmAcquiredTicketEvent, CLARA, vm=vm, ticketType="webmks", fullFormattedMessage=words
        )

    def _any_vm(self) -> str:
        """Return the name of a VM that is there and in no other scene."""
        busy = {GOLDEN, *self._lost, *(name for _, migrated, deleted in CHAPTERS for name in (migrated, deleted))}
        return self._random.choice([name for names in HOSTS.values() for name in names if name not in busy])

    def _other_host(self, name: str) -> str:
        return self._random.choice([host for host in HOSTS if host != name])

    def _cloned(self, name: str) -> Managed:
        golden = self._center.vm(GOLDEN, TERRAFORM)
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
        return result(golden.Clone(folder=golden.parent, name=name, spec=spec))

    def _migrated(self, name: str, target: str, person: str = VCENTER) -> None:
        """Post that *name* was migrated to *target*, by DRS or by *person*."""
        center, vm = self._center, self._center.vm(name)
        source = _argument_of(vm.runtime.host)
        if person == VCENTER:
            center.post(vim.event.DrsVmMigratedEvent, vm=vm, host=center.host(target), sourceHost=source)
        else:
            center.post(
                vim.event.VmMigratedEvent,
                person,
                vm=vm,
                host=center.host(target),
                sourceHost=source,
                sourceDatacenter=vim.event.DatacenterEventArgument(name=DATACENTER, datacenter=center.datacenter),
                sourceDatastore=_datastore_of(vm),
                ds=vm.datastore[0],
            )

    def _datastore(self, name: str) -> Managed:
        return next(datastore for datastore in self._center.datacenter.datastore if datastore.name == name)


def _argument_of(host: Managed) -> Any:
    return vim.event.HostEventArgument(name=host.name, host=host)


def _datastore_of(vm: Managed) -> Any:
    [datastore, *_] = vm.datastore
    return vim.event.DatastoreEventArgument(name=datastore.name, datastore=datastore)
