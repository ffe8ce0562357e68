"""An administrator of the simulated vCenter, by pyVmomi: causes the events that tests wait for."""

import contextlib
import datetime
import re
from typing import Any, Self
from xml.etree import ElementTree

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from tests.support.waiting import wait_until

NAMESPACE = "urn:vim25"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def complete(task: Any) -> None:
    """Wait for *task*. pyVim's own way fails on a running task whose operation pyVmomi does not know."""
    wait_until(lambda: task.info.state in ("success", "error"))
    if task.info.state == "error":
        raise task.info.error


class Administrator:
    """A session at vCenter. A context manager."""

    def __init__(self, port: int, username: str = "user", password: str = "pass") -> None:
        self._si: Any = SmartConnect(
            host="127.0.0.1", port=port, user=username, pwd=password, disableSslCertValidation=True
        )
        self.content: Any = self._si.content

    @property
    def vms(self) -> list[Any]:
        """The virtual machines, by name."""
        return self.objects(vim.VirtualMachine)

    @property
    def cluster(self) -> Any:
        """The only one."""
        [cluster] = self.objects(vim.ClusterComputeResource)
        return cluster

    @property
    def vms_in_cluster(self) -> list[Any]:
        """The virtual machines in the cluster, by name."""
        cluster = self.cluster
        return [vm for vm in self.vms if vm.runtime.host.parent == cluster]

    def objects(self, managed_type: type) -> list[Any]:
        """Return the objects of *managed_type*, by name."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [managed_type], True)
        objects = sorted(view.view, key=lambda managed: str(managed.name))
        view.Destroy()
        return objects

    def post(self, message: str, vm: Any = None) -> None:
        """Post a GeneralUserEvent, about *vm* if it is given."""
        event = vim.event.GeneralUserEvent(
            key=0, chainId=0, createdTime=datetime.datetime.now(datetime.UTC), userName="", message=message
        )
        if vm is not None:
            event.vm = vim.event.VmEventArgument(name=f"vm {vm._moId}", vm=vm)
        self.content.eventManager.PostEvent(event)

    def post_element(self, xml: str) -> None:
        """Post the event in *xml*, an element named after its class, with any property, as vCenter sends it."""
        event = ElementTree.fromstring(xml)
        for node in event.iter():
            node.tag = f"{{{NAMESPACE}}}{node.tag}"
        event.set(XSI_TYPE, event.tag.rpartition("}")[2])
        event.tag = f"{{{NAMESPACE}}}eventToPost"
        stub = self._si._stub
        manager = self.content.eventManager
        info = type(manager).PostEvent.info
        empty = vim.event.GeneralUserEvent(
            key=0, chainId=0, createdTime=datetime.datetime.now(datetime.UTC), userName="", message=""
        )
        request = stub.SerializeRequest(manager, info, (empty, None)).decode()
        body = re.sub(
            r"<eventToPost.*</eventToPost>", lambda _: ElementTree.tostring(event, "unicode"), request, flags=re.DOTALL
        )
        connection = stub.GetConnection()
        connection.request("POST", stub.path, body.encode(), {"Cookie": stub.cookie, "SOAPAction": stub.versionId})
        response = connection.getresponse()
        text = response.read().decode()
        stub.ReturnConnection(connection)
        if response.status != 200:
            raise RuntimeError(f"post {xml[:60]}…: {response.status} {text}")

    def turn(self, managed: Any, colour: str, alarm: str) -> None:
        """Have *alarm* turn *colour* on *managed*: post the event that it waits for. Defines it if it is new."""
        with contextlib.suppress(vim.fault.DuplicateName):
            self._define_alarm(alarm)
        event = vim.event.EventEx(
            key=0,
            chainId=0,
            createdTime=datetime.datetime.now(datetime.UTC),
            userName="",
            eventTypeId=f"{alarm} {colour}",
            objectType=type(managed),
            objectId=managed._moId,
        )
        self.content.eventManager.PostEvent(event)

    def _define_alarm(self, name: str) -> None:
        """Define an alarm of all objects, with an action."""
        colours = [
            vim.alarm.EventAlarmExpression(eventType=vim.event.EventEx, eventTypeId=f"{name} {colour}", status=colour)
            for colour in ("green", "yellow", "red", "gray")
        ]
        action = vim.alarm.AlarmTriggeringAction(
            action=vim.action.SendSNMPAction(),
            transitionSpecs=[],
            green2yellow=True,
            yellow2red=True,
            red2yellow=True,
            yellow2green=True,
        )
        spec = vim.alarm.AlarmSpec(
            name=name,
            description="",
            enabled=True,
            expression=vim.alarm.OrAlarmExpression(expression=colours),
            action=action,
        )
        self.content.alarmManager.CreateAlarm(self.content.rootFolder, spec)

    @property
    def other_sessions(self) -> list[str]:
        """The keys of all sessions except this one."""
        sessions = self.content.sessionManager
        own = sessions.currentSession.key
        return [session.key for session in sessions.sessionList if session.key != own]

    def end_other_sessions(self) -> None:
        """End all sessions except this one."""
        self.content.sessionManager.TerminateSession(self.other_sessions)

    def power_off(self, vm: Any) -> None:
        """Power off a VM."""
        complete(vm.PowerOffVM_Task())

    def power_on(self, vm: Any) -> None:
        """Power on a VM."""
        complete(vm.PowerOnVM_Task())

    def create_vm(self, name: str) -> Any:
        """Create a VM beside the first one, and return it."""
        first = self.vms[0]
        path = first.datastore[0].summary.name
        spec = vim.vm.ConfigSpec(name=name, guestId="otherGuest", files=vim.vm.FileInfo(vmPathName=f"[{path}]"))
        task = first.parent.CreateVM_Task(config=spec, pool=first.resourcePool)
        complete(task)
        return task.info.result

    @property
    def newest_key(self) -> int:
        """The key of vCenter's newest event."""
        return self.event_keys()[-1]  # EventManager.latestEvent is not kept by the simulator

    def events(self) -> list[Any]:
        """Return the events that vCenter holds, oldest first."""
        collector = self.content.eventManager.CreateCollectorForEvents(vim.event.EventFilterSpec())
        collector.SetCollectorPageSize(1000)
        events: list[Any] = []
        while page := collector.ReadNextEvents(1000):
            events += page
        collector.DestroyCollector()
        return events

    def event_keys(self) -> list[int]:
        """Return the keys of the events that vCenter holds, oldest first."""
        return [event.key for event in self.events()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        Disconnect(self._si)
