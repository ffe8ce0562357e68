"""A vCenter's objects, for reactions: read and changed, one call a fact, by the reference that an event carries.

The session logs in when it is first needed and anew when it has ended. It needs an account of its own, which may do
what the reaction does (`docs/reactions.md` lists the privileges) and nothing else.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import structlog
from pyVmomi import vim, vmodl

from pipeline.errors import ObjectNotFound, cut
from pipeline.payload import Reference
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.event import from_element, to_json
from vsphere.schema import NAMESPACE
from vsphere.session import Session
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

Result = TypeVar("Result")

TASK_SECONDS = 60.0
"""How long a task (suspend, power off) may take; it goes on in vCenter when that is over."""
TASK_POLL_SECONDS = 0.1


class VM(NamedTuple):
    """A virtual machine, as far as a reaction looks at it."""

    reference: Reference
    is_on: bool


class Datastore(NamedTuple):
    """A datastore's name and room, in bytes."""

    name: str
    capacity: int
    free: int


class Inventory(Session):
    """One session, used by one thread at a time.

    Its methods raise `VCenterUnavailable`, `VCenterRejected` or `ObjectNotFound`.
    """

    def __init__(self, settings: VCenterSettings) -> None:
        super().__init__(settings)
        self._turn = threading.Lock()

    def attributes(self, entity: Reference) -> dict[str, str]:
        """The custom attributes of *entity* that have a value, by name."""
        return self._do(f"read the attributes of {entity}", lambda: self._attributes(entity))

    def set_attributes(self, entity: Reference, values: Mapping[str, str]) -> None:
        """Set custom attributes of *entity*, those that differ; one that is not defined is, for objects of its kind."""
        self._do(f"set the attributes of {entity}", lambda: self._set_attributes(entity, values))

    def in_maintenance(self, host: Reference) -> bool:
        """Whether *host* is in maintenance mode at this moment."""
        return self._do(f"ask for the mode of {host}", lambda: self._in_maintenance(host))

    def alarm_actions(self, entity: Reference) -> bool:
        """Whether alarms of *entity* act."""
        return self._do(
            f"ask for the alarm actions of {entity}",
            lambda: bool(self._content.alarmManager.AreAlarmActionsEnabled(self._at(entity))),
        )

    def set_alarm_actions(self, entity: Reference, enabled: bool) -> None:
        """Have alarms of *entity* act, or not."""
        self._do(
            f"{'enable' if enabled else 'disable'} the alarm actions of {entity}",
            lambda: self._content.alarmManager.EnableAlarmActions(self._at(entity), enabled),
        )

    def datastore(self, datastore: Reference) -> Datastore:
        """The room of *datastore*, as vCenter last knew it."""
        return self._do(f"read the room of {datastore}", lambda: self._datastore(datastore))

    def usage(self, datastore: Reference) -> dict[str, int]:
        """What each vm takes of *datastore*, in bytes, by the vm's name."""
        return self._do(f"list the vms on {datastore}", lambda: self._usage(datastore))

    def events(self, entity: Reference, types: Collection[str], begin: datetime, end: datetime) -> list[dict[str, Any]]:
        """The events of *types* (class or eventTypeId) of *entity* and all in it, from *begin* to *end*, oldest first.

        Each as its JSON: properties in PascalCase.
        """
        return self._do(f"read the events of {entity}", lambda: self._events(entity, types, begin, end))

    def vms_in(self, cluster: Reference) -> list[VM]:
        """The vms in *cluster*, by name; templates are none."""
        return self._do(f"list the vms of {cluster}", lambda: self._vms_in(cluster))

    def suspend(self, vm: Reference) -> None:
        """Suspend *vm*; nothing happens to one that is not on."""
        self._do(f"suspend {vm}", lambda: self._run(self._at(vm).SuspendVM_Task))

    def power_off(self, vm: Reference) -> None:
        """Power *vm* off, at once; nothing happens to one that is not on."""
        self._do(f"power {vm} off", lambda: self._run(self._at(vm).PowerOffVM_Task))

    def _attributes(self, entity: Reference) -> dict[str, str]:
        names = {field.key: field.name for field in self._fields(entity)}
        [found] = self._read([self._at(entity)], "customValue")
        values = {names[each.key]: each.value for each in found.get("customValue", []) if each.key in names}
        return {name: value for name, value in values.items() if value}

    def _set_attributes(self, entity: Reference, values: Mapping[str, str]) -> None:
        present = self._attributes(entity)
        for name, value in values.items():
            if present.get(name, "") != value:
                self._content.customFieldsManager.SetField(self._at(entity), self._field(name, entity), value)

    def _field(self, name: str, entity: Reference) -> int:
        """The key of the attribute *name* of *entity*, which is defined if it is not."""

        def defined() -> int | None:
            return next((field.key for field in self._fields(entity) if field.name == name), None)

        key = defined()
        if key is None:
            try:
                kind = type(self._at(entity))
                key = int(self._content.customFieldsManager.AddCustomFieldDef(name=name, moType=kind).key)
            except vim.fault.DuplicateName:  # another process was faster
                key = defined()
                if key is None:
                    raise
        return key

    def _fields(self, entity: Reference) -> list[Any]:
        """The custom attributes that objects of *entity*'s kind may have."""
        [found] = self._read([self._content.customFieldsManager], "field")
        kinds = (None, type(self._at(entity)))
        return [field for field in found.get("field", []) if field.managedObjectType in kinds]

    def _in_maintenance(self, host: Reference) -> bool:
        [found] = self._read([self._at(host)], "runtime.inMaintenanceMode")
        return bool(found["runtime.inMaintenanceMode"])

    def _datastore(self, datastore: Reference) -> Datastore:
        [found] = self._read([self._at(datastore)], "summary.name", "summary.capacity", "summary.freeSpace")
        return Datastore(found["summary.name"], found["summary.capacity"], found["summary.freeSpace"])

    def _usage(self, datastore: Reference) -> dict[str, int]:
        [found] = self._read([self._at(datastore)], "vm")
        vms = self._read(found.get("vm", []), "name", "storage.perDatastoreUsage")
        return {
            each["name"]: sum(
                part.committed
                for part in each.get("storage.perDatastoreUsage", [])
                if part.datastore._moId == datastore.id
            )
            for each in vms
        }

    def _events(
        self, entity: Reference, types: Collection[str], begin: datetime, end: datetime
    ) -> list[dict[str, Any]]:
        wanted = vim.event.EventFilterSpec(
            entity=vim.event.EventFilterSpec.ByEntity(entity=self._at(entity), recursion="all"),
            time=vim.event.EventFilterSpec.ByTime(beginTime=begin, endTime=end),
            # The simulator selects an EventEx by its class only.
            eventTypeId=["EventEx", *types],
        )
        answer = self._call(self._content.eventManager, "QueryEvents", wanted)
        events = [from_element(element) for element in answer.iter(f"{{{NAMESPACE}}}returnval")]
        found = [json.loads(to_json(event)) for event in sorted(events, key=lambda event: event.key)]
        return [each for each in found if each.get("EventTypeId") in types or not each.get("EventTypeId")]

    def _vms_in(self, cluster: Reference) -> list[VM]:
        view = self._content.viewManager.CreateContainerView(self._at(cluster), [vim.VirtualMachine], True)
        try:
            found = self._read(view.view, "name", "runtime.powerState", "config.template")
        finally:
            self.destroy(view.Destroy)
        on = vim.VirtualMachine.PowerState.poweredOn
        vms = [
            VM(Reference("VirtualMachine", each["id"], each["name"]), each["runtime.powerState"] == on)
            for each in found
            if not each.get("config.template")
        ]
        return sorted(vms, key=lambda vm: vm.reference.name)

    def _read(self, objects: Iterable[Any], *paths: str) -> list[dict[str, Any]]:
        """The properties *paths* of each of *objects*, and its `id`; one that is not set is missing."""
        listed = list(objects)
        if not listed:
            return []
        collector = vmodl.query.PropertyCollector
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=each) for each in listed],
            propSet=[collector.PropertySpec(type=type(listed[0]), pathSet=list(paths))],
        )
        found = self._content.propertyCollector.RetrieveContents([spec])
        return [{"id": each.obj._moId, **{prop.name: prop.val for prop in each.propSet}} for each in found]

    def _run(self, start: Callable[[], Any]) -> None:
        """Start a task and wait for it, at most `TASK_SECONDS`."""
        try:
            task = start()
            deadline = time.monotonic() + TASK_SECONDS
            while (info := task.info).state in (vim.TaskInfo.State.queued, vim.TaskInfo.State.running):
                if time.monotonic() > deadline:
                    log.warning("task takes long, not waited for", task=task._moId)
                    return
                time.sleep(TASK_POLL_SECONDS)
            if info.state == vim.TaskInfo.State.error:
                raise info.error
        except vim.fault.InvalidPowerState:
            log.info("vm is not on, left as it is")

    def _at(self, reference: Reference) -> Any:
        """pyVmomi's object for *reference*, in this session."""
        kind = getattr(vim, reference.managed_type, None)
        if kind is None:
            raise ObjectNotFound(f"{reference.managed_type} is no kind of object")
        return kind(reference.id, self._stub)

    def _do(self, what: str, work: Callable[[], Result]) -> Result:
        """Do *work* in a session; once more in a new one, for this one may have ended or lost its connection."""
        with self._turn:
            was_connected = self.connected
            self.connect()
            try:
                with _asking(what):
                    return work()
            except VCenterUnavailable:
                self.close()
                if not was_connected:
                    raise
            self.connect()
            with _asking(what):
                return work()


@contextlib.contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what pyVmomi and the network raise into the program's errors, in words."""
    try:
        yield
    except VCenterUnavailable as error:  # of the session's own calls
        if isinstance(error.__cause__, vmodl.fault.ManagedObjectNotFound):
            raise ObjectNotFound(f"{what}: it does not exist any more") from error
        raise
    except vmodl.fault.ManagedObjectNotFound as fault:
        raise ObjectNotFound(f"{what}: it does not exist any more") from fault
    except vim.fault.NoPermission as fault:
        if isinstance(fault, vim.fault.NotAuthenticated):
            raise VCenterUnavailable(f"{what}: the session has ended") from fault
        raise VCenterRejected(f"{what}: the account lacks the privilege {fault.privilegeId}") from fault
    except vmodl.MethodFault as fault:
        raise VCenterUnavailable(f"{what}: {type(fault).__name__}: {cut(str(fault.msg or ''))}") from fault
    except (OSError, http.client.HTTPException) as error:
        raise VCenterUnavailable(f"{what}: {cut(str(error)) or type(error).__name__}") from error
