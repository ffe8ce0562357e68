"""The data center of the demo: an inventory with names as people give them, and the people who work in it.

It is built in an empty vcsim. Operations are vcsim's own where it has them. The events of outages, which no simulator
has, are posted with the arguments that a vCenter gives them.
"""

import contextlib
import http.client
import tempfile
import time
from datetime import UTC, datetime
from typing import Any, Self

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from demo.vcsim import VCSim

FAILURES = (vmodl.MethodFault, OSError, http.client.HTTPException)
"""The errors of an operation: the VM is in another state by now, or vcsim is restarting."""

ANNA, BEN, CLARA = "LAB\\anna.keller", "LAB\\ben.schulz", "LAB\\clara.weiss"
BACKUP, TERRAFORM, VCENTER = "LAB\\svc-backup", "LAB\\svc-terraform", "VSPHERE.LOCAL\\vpxd-extension"

ROOT = "root"

DATACENTER, CLUSTER = "Berlin", "Production"
DATASTORES = ("ssd-01", "ssd-02")
HOSTS = {
    "esx-01.berlin.example": ("web-01", "db-01", "mail-01", "build-07"),
    "esx-02.berlin.example": ("web-02", "db-02", "erp-prod", "cache-01"),
    "esx-03.berlin.example": ("web-03", "erp-test", "files-01", "monitor-01", "wiki-01"),
    "esx-04.berlin.example": ("web-04", "ad-01", "jump-01", "golden-ubuntu-24.04"),
}
"""The VMs of each host. The last one is what others are cloned from."""

Managed = Any
"""An object of vCenter. pyVmomi creates their classes at run time."""


class DataCenter:
    """The objects of *vcsim* by name, and a session for each person. A context manager.

    Every method raises one of `FAILURES` if it does not succeed.
    """

    def __init__(self, vcsim: VCSim) -> None:
        self._vcsim = vcsim
        self._sessions: dict[str, Any] = {}
        self._files = tempfile.TemporaryDirectory(prefix="vcenter-events-datastores-")

    def build(self) -> None:
        """Create the inventory, unless it is there."""
        content = self.content(VCENTER)
        if content.rootFolder.childEntity:
            return
        for person in (ANNA, CLARA, BACKUP, TERRAFORM, ROOT):
            self.content(person)
        datacenter = content.rootFolder.CreateDatacenter(DATACENTER)
        cluster = datacenter.hostFolder.CreateClusterEx(CLUSTER, vim.cluster.ConfigSpecEx())
        hosts = [self._add_host(cluster, name) for name in HOSTS]
        for host in hosts:
            for name in DATASTORES:
                host.configManager.datastoreSystem.CreateLocalDatastore(name, self._files.name)
        for number, (host, names) in enumerate(zip(hosts, HOSTS.values(), strict=True)):
            for name in names:
                vm = self.create_vm(VCENTER, name, host, DATASTORES[number % 2])
                if "golden" not in name:
                    result(vm.PowerOn())

    def content(self, person: str) -> Any:
        """Return the content of vCenter in the session of *person*, who logs in if that is the first time."""
        if person not in self._sessions:
            self._sessions[person] = enter(self._vcsim, person)
        return self._sessions[person].RetrieveContent()

    def log_out(self, person: str) -> None:
        """End the session of *person*."""
        leave(self._sessions.pop(person))

    def forget_sessions(self) -> None:
        """End all sessions, also those that vCenter no longer knows."""
        while self._sessions:
            leave(self._sessions.popitem()[1])

    @property
    def datacenter(self) -> Any:
        """The only data center."""
        return self.content(VCENTER).rootFolder.childEntity[0]

    @property
    def _cluster(self) -> Any:
        return self.datacenter.hostFolder.childEntity[0]

    def host(self, name: str) -> Managed:
        """Return the host *name*."""
        return next(host for host in self._cluster.host if host.name == name)

    def find(self, name: str, person: str = VCENTER) -> Managed | None:
        """Return the VM *name*, in the session of *person*, or None if there is none."""
        content = self.content(person)
        return content.searchIndex.FindChild(content.rootFolder.childEntity[0].vmFolder, name)

    def vm(self, name: str, person: str = VCENTER) -> Managed:
        """Return the VM *name*, in the session of *person*. Raises `vmodl.fault.ManagedObjectNotFound`."""
        vm = self.find(name, person)
        if vm is None:
            raise vmodl.fault.ManagedObjectNotFound(msg=f"there is no VM {name}")
        return vm

    def create_vm(self, person: str, name: str, host: Managed, datastore: str = DATASTORES[0]) -> Managed:
        """Have *person* create the VM *name* on *host*."""
        datacenter = self.content(person).rootFolder.childEntity[0]
        files = vim.vm.FileInfo(vmPathName=f"[{datastore}]")
        spec = vim.vm.ConfigSpec(name=name, guestId="ubuntu64Guest", files=files, memoryMB=4096, numCPUs=2)
        return result(datacenter.vmFolder.CreateVM_Task(spec, pool=self._cluster.resourcePool, host=host))

    def post(self, event_class: type, person: str = VCENTER, **arguments: Any) -> None:
        """Post an event of *event_class* for *person*, about the `vm`, `host` or `ds` in *arguments*, if any.

        vcsim writes the message of most classes. `fullFormattedMessage` is the message of the others.
        """
        event = event_class(key=0, chainId=0, createdTime=datetime.now(UTC), userName=person)
        if not isinstance(event, vim.event.SessionEvent):
            self._locate(event)
        vm = arguments.get("vm")
        if vm is not None and "host" not in arguments:
            arguments["host"] = vm.runtime.host
        for name, argument in arguments.items():
            setattr(event, name, _argument(argument))
        if isinstance(event, vim.event.VmEvent):
            event.template = False
        self.content(person).eventManager.PostEvent(event)

    def _locate(self, event: Any) -> None:
        event.datacenter = vim.event.DatacenterEventArgument(name=DATACENTER, datacenter=self.datacenter)
        event.computeResource = vim.event.ComputeResourceEventArgument(name=CLUSTER, computeResource=self._cluster)

    def report(self, type_id: str, message: str, severity: str = "info", **arguments: Any) -> None:
        """Post an `EventEx` of the type *type_id*, as vSphere HA and ESXi report."""
        arguments |= {"message": message, "fullFormattedMessage": message}
        self.post(vim.event.EventEx, eventTypeId=type_id, severity=severity, **arguments)

    def alarm(self, name: str, managed: Managed, colours: tuple[str, str]) -> None:
        """Post that the alarm *name* of *managed* changed its colour, from the first to the second."""
        before, after = colours
        alarm = vim.event.AlarmEventArgument(name=name, alarm=vim.alarm.Alarm("alarm-1", managed._stub))
        entity = vim.event.ManagedEntityEventArgument(name=managed.name, entity=managed)
        source = vim.event.ManagedEntityEventArgument(name=DATACENTER, entity=self.datacenter)
        arguments: dict[str, Any] = {"alarm": alarm, "source": source, "entity": entity, "from": before, "to": after}
        arguments["host" if isinstance(managed, vim.HostSystem) else "ds"] = managed
        words = f"Alarm '{name}' on {managed.name} changed from {before.title()} to {after.title()}"
        self.post(vim.event.AlarmStatusChangedEvent, fullFormattedMessage=words, **arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget_sessions()
        self._files.cleanup()

    def _add_host(self, cluster: Any, name: str) -> Managed:
        spec = vim.host.ConnectSpec(hostName=name, userName="root", password="simulated", force=True)  # noqa: S106
        return result(cluster.AddHost_Task(spec, asConnected=True))


def _argument(value: Any) -> Any:
    """Return an object as an event names it, and any other value unchanged."""
    if isinstance(value, vim.VirtualMachine):
        return vim.event.VmEventArgument(name=value.name, vm=value)
    if isinstance(value, vim.HostSystem):
        return vim.event.HostEventArgument(name=value.name, host=value)
    if isinstance(value, vim.Datastore):
        return vim.event.DatastoreEventArgument(name=value.name, datastore=value)
    return value


def enter(vcsim: VCSim, person: str = "user", password: str = "pass") -> Any:  # noqa: S107 - a simulator's
    """Return a pyVmomi session of *person* on *vcsim*. Raises one of `FAILURES`."""
    address = {"host": "127.0.0.1", "port": vcsim.port, "disableSslCertValidation": True}
    return SmartConnect(**address, user=person, pwd=password)


def leave(session: Any) -> None:
    """End the session and its connections, which pyVmomi leaves open. Its vcsim may be gone."""
    with contextlib.suppress(*FAILURES):
        Disconnect(session)
    session._stub.DropConnections()


def result(task: Any) -> Any:
    """Return the result of *task* when it has one. Raises its fault.

    WaitForTask of pyVim fails on the tasks of vcsim, whose names pyVmomi does not know.
    """
    while (info := task.info).state in (vim.TaskInfo.State.queued, vim.TaskInfo.State.running):
        time.sleep(0.02)
    if info.state == vim.TaskInfo.State.error:
        raise info.error
    return info.result
