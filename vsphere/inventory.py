"""A vCenter's objects, for reactions: read and changed by the reference that an event carries.

The session logs in when it is first needed, and again when it has ended. It needs an account of its own, which may do
what the reaction does (`docs/reference/privileges.md` lists the privileges) and nothing else.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import structlog
from pyVmomi import VmomiSupport, vim, vmodl

from pipeline.errors import ObjectNotFound, cut
from pipeline.payload import Reference
from vsphere.element import NAMESPACE
from vsphere.errors import VCenterUnavailable, translate_errors
from vsphere.event import EventUnreadable, from_element
from vsphere.json_payload import to_json
from vsphere.schema import is_entity
from vsphere.session import Session
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

Result = TypeVar("Result")

TASK_SECONDS = 60.0
"""The maximum wait for a task (suspend, power off). The task continues in vCenter after that."""
TASK_POLL_SECONDS = 0.1


class VM(NamedTuple):
    """A virtual machine, as far as a reaction needs it."""

    reference: Reference
    is_on: bool


class Datastore(NamedTuple):
    """A datastore's name, its capacity and its free space, both in bytes."""

    name: str
    capacity: int
    free: int


class Inventory:
    """The objects of one vCenter. May be used from many threads, which take turns.

    Every method except `close` raises `VCenterUnavailable`, `VCenterRejected` or `ObjectNotFound`.
    """

    def __init__(self, settings: VCenterSettings) -> None:
        self._session = Session(settings)
        self._turn = threading.Lock()

    def close(self) -> None:
        """Log out. Raises nothing."""
        self._session.close()

    def attributes(self, entity: Reference) -> dict[str, str]:
        """Return the custom attributes of *entity* that have a value, by name."""
        return self._do(f"read the attributes of {entity}", lambda: self._attributes(entity))

    def set_attributes(self, entity: Reference, values: Mapping[str, str]) -> None:
        """Set custom attributes of *entity* where they differ. Defines an unknown one for objects of its type."""
        self._do(f"set the attributes of {entity}", lambda: self._set_attributes(entity, values))

    def in_maintenance(self, host: Reference) -> bool:
        """Return whether *host* is in maintenance mode at this moment."""
        return self._do(f"ask for the mode of {host}", lambda: self._in_maintenance(host))

    def alarm_actions(self, entity: Reference) -> bool:
        """Return whether alarms of *entity* run their actions."""
        return self._do(
            f"ask for the alarm actions of {entity}",
            lambda: bool(self._session.content.alarmManager.AreAlarmActionsEnabled(self._at(entity))),
        )

    def set_alarm_actions(self, entity: Reference, enabled: bool) -> None:
        """Have alarms of *entity* run their actions, or not."""
        self._do(
            f"{'enable' if enabled else 'disable'} the alarm actions of {entity}",
            lambda: self._session.content.alarmManager.EnableAlarmActions(self._at(entity), enabled),
        )

    def red_alarms(self, entity: Reference) -> set[str]:
        """Return the names of the alarms that are red on *entity* itself at this moment."""
        return self._do(f"read the alarms of {entity}", lambda: self._red_alarms(entity))

    def datastore(self, datastore: Reference) -> Datastore:
        """Return the space of *datastore*, as vCenter last knew it."""
        return self._do(f"read the space of {datastore}", lambda: self._datastore(datastore))

    def usage(self, datastore: Reference) -> dict[str, int]:
        """Return the space that each VM takes of *datastore*, in bytes, by the VM's name."""
        return self._do(f"list the VMs on {datastore}", lambda: self._usage(datastore))

    def events(self, entity: Reference, types: Collection[str], begin: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the events of *types* (class or eventTypeId) of *entity* and all in it, from *begin* to *end*.

        Oldest first, each as its JSON: properties in PascalCase.
        """
        return self._do(f"read the events of {entity}", lambda: self._events(entity, types, begin, end))

    def vms_in(self, cluster: Reference) -> list[VM]:
        """Return the VMs in *cluster*, by name, without templates."""
        return self._do(f"list the VMs of {cluster}", lambda: self._vms_in(cluster))

    def suspend(self, vm: Reference) -> None:
        """Suspend *vm*. Does nothing if it is not on."""
        self._do(f"suspend {vm}", lambda: self._complete_task(self._at(vm).SuspendVM_Task))

    def power_off(self, vm: Reference) -> None:
        """Power *vm* off at once. Does nothing if it is not on."""
        self._do(f"power {vm} off", lambda: self._complete_task(self._at(vm).PowerOffVM_Task))

    def _attributes(self, entity: Reference) -> dict[str, str]:
        names = {field.key: field.name for field in self._fields(entity)}
        [properties] = self._read([self._at(entity)], "customValue")
        values = {names[value.key]: value.value for value in properties.get("customValue", []) if value.key in names}
        return {name: value for name, value in values.items() if value}

    def _set_attributes(self, entity: Reference, values: Mapping[str, str]) -> None:
        present = self._attributes(entity)
        for name, value in values.items():
            if present.get(name, "") != value:
                key = self._field(name, entity)
                self._session.content.customFieldsManager.SetField(self._at(entity), key, value)

    def _field(self, name: str, entity: Reference) -> int:
        """Return the key of the attribute *name* of *entity*, which is defined if it is not."""

        def defined() -> int | None:
            return next((field.key for field in self._fields(entity) if field.name == name), None)

        key = defined()
        if key is None:
            manager, managed_type = self._session.content.customFieldsManager, type(self._at(entity))
            try:
                key = int(manager.AddCustomFieldDef(name=name, moType=managed_type).key)
            except vim.fault.DuplicateName:  # another process was faster
                key = defined()
                if key is None:
                    raise
        return key

    def _fields(self, entity: Reference) -> list[Any]:
        """Return the custom attributes that objects of *entity*'s type may have."""
        [properties] = self._read([self._session.content.customFieldsManager], "field")
        managed_types = (None, type(self._at(entity)))
        return [field for field in properties.get("field", []) if field.managedObjectType in managed_types]

    def _in_maintenance(self, host: Reference) -> bool:
        [properties] = self._read([self._at(host)], "runtime.inMaintenanceMode")
        return bool(properties["runtime.inMaintenanceMode"])

    def _red_alarms(self, entity: Reference) -> set[str]:
        [properties] = self._read([self._at(entity)], "triggeredAlarmState")
        alarms = [
            state.alarm
            for state in properties.get("triggeredAlarmState", [])
            # An object also shows the alarms of all objects below it.
            if state.entity._moId == entity.id and state.overallStatus == vim.ManagedEntity.Status.red
        ]
        return {alarm["info.name"] for alarm in self._read(alarms, "info.name")}

    def _datastore(self, datastore: Reference) -> Datastore:
        [properties] = self._read([self._at(datastore)], "summary.name", "summary.capacity", "summary.freeSpace")
        return Datastore(properties["summary.name"], properties["summary.capacity"], properties["summary.freeSpace"])

    def _usage(self, datastore: Reference) -> dict[str, int]:
        [properties] = self._read([self._at(datastore)], "vm")
        return {
            vm["name"]: sum(
                usage.committed
                for usage in vm.get("storage.perDatastoreUsage", [])
                if usage.datastore._moId == datastore.id
            )
            for vm in self._read(properties.get("vm", []), "name", "storage.perDatastoreUsage")
        }

    def _events(
        self, entity: Reference, types: Collection[str], begin: datetime, end: datetime
    ) -> list[dict[str, Any]]:
        spec = vim.event.EventFilterSpec(
            entity=vim.event.EventFilterSpec.ByEntity(entity=self._at(entity), recursion="all"),
            time=vim.event.EventFilterSpec.ByTime(beginTime=begin, endTime=end),
            # The simulator selects an EventEx by its class only.
            eventTypeId=["EventEx", *types],
        )
        response = self._session.call(self._session.content.eventManager, "QueryEvents", spec)
        events = []
        for element in response.iter(f"{{{NAMESPACE}}}returnval"):
            with contextlib.suppress(EventUnreadable):  # the poller reports it
                events.append(from_element(element, begin))
        payloads = [json.loads(to_json(event)) for event in sorted(events, key=lambda event: event.key)]
        return [data for data in payloads if data.get("EventTypeId") in types or not data.get("EventTypeId")]

    def _vms_in(self, cluster: Reference) -> list[VM]:
        manager = self._session.content.viewManager
        view = manager.CreateContainerView(self._at(cluster), [vim.VirtualMachine], True)
        try:
            objects = self._read(view.view, "name", "runtime.powerState", "config.template")
        finally:
            self._session.destroy(view.Destroy)
        on = vim.VirtualMachine.PowerState.poweredOn
        vms = [
            VM(
                Reference("VirtualMachine", properties["id"], properties["name"]),
                properties["runtime.powerState"] == on,
            )
            for properties in objects
            if not properties.get("config.template")
        ]
        return sorted(vms, key=lambda vm: vm.reference.name)

    def _read(self, objects: Iterable[Any], *paths: str) -> list[dict[str, Any]]:
        """Return the properties *paths* of each of *objects*, and its `id`. A property that is not set is missing."""
        objects = list(objects)
        if not objects:
            return []
        collector = vmodl.query.PropertyCollector
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=managed) for managed in objects],
            propSet=[collector.PropertySpec(type=type(objects[0]), pathSet=list(paths))],
        )
        contents = self._session.content.propertyCollector.RetrieveContents([spec])
        return [
            {"id": content.obj._moId, **{property_.name: property_.val for property_ in content.propSet}}
            for content in contents
        ]

    def _complete_task(self, start: Callable[[], Any]) -> None:
        """Start a task and wait for it, for at most `TASK_SECONDS`."""
        try:
            task = start()
            deadline = time.monotonic() + TASK_SECONDS
            while (info := task.info).state in (vim.TaskInfo.State.queued, vim.TaskInfo.State.running):
                if time.monotonic() > deadline:
                    log.warning("Task not waited for any longer", task=task._moId)
                    return
                time.sleep(TASK_POLL_SECONDS)
            if info.state == vim.TaskInfo.State.error:
                raise info.error
        except vim.fault.InvalidPowerState:
            log.info("VM left as it is: it is not on")

    def _at(self, reference: Reference) -> Any:
        """Return pyVmomi's object for *reference*, in this session."""
        if not is_entity(reference.managed_type):
            raise ObjectNotFound(f"{cut(reference.managed_type, 100)!r} is not a type of managed entity")
        managed_type = VmomiSupport.GetWsdlType(NAMESPACE, reference.managed_type)
        return self._session.managed_object(managed_type, reference.id)

    def _do(self, operation: str, work: Callable[[], Result]) -> Result:
        """Do *work* in a session, and once more in a new one if this one has ended or lost its connection."""
        with self._turn:
            was_connected = self._session.connected
            self._session.connect()
            try:
                with translate_errors(operation, on_object=True):
                    return work()
            except VCenterUnavailable:
                self._session.close()
                if not was_connected:
                    raise
            self._session.connect()
            with translate_errors(operation, on_object=True):
                return work()
