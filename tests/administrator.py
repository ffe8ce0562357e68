"""Somebody who works at the simulated vCenter through pyVmomi: makes the events that tests wait for."""

import datetime
from typing import Any, Self

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim


class Administrator:
    """A session of its own; a context manager."""

    def __init__(self, port: int, username: str = "user", password: str = "pass") -> None:
        self._si: Any = SmartConnect(
            host="127.0.0.1", port=port, user=username, pwd=password, disableSslCertValidation=True
        )
        self.content: Any = self._si.content

    @property
    def machines(self) -> list[Any]:
        """The virtual machines, by name."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [vim.VirtualMachine], True)
        found = sorted(view.view, key=lambda machine: str(machine.name))
        view.Destroy()
        return found

    def post(self, message: str, machine: Any = None) -> None:
        """Post a GeneralUserEvent, about *machine* if there is one."""
        event = vim.event.GeneralUserEvent(
            key=0, chainId=0, createdTime=datetime.datetime.now(datetime.UTC), userName="", message=message
        )
        if machine is not None:
            event.vm = vim.event.VmEventArgument(name=f"vm {machine._moId}", vm=machine)
        self.content.eventManager.PostEvent(event)

    def power_off(self, machine: Any) -> None:
        """Power a machine off."""
        WaitForTask(machine.PowerOffVM_Task())

    def power_on(self, machine: Any) -> None:
        """Power a machine on."""
        WaitForTask(machine.PowerOnVM_Task())

    @property
    def newest_key(self) -> int:
        """The key of vCenter's newest event."""
        return self.keys()[-1]  # EventManager.latestEvent is not kept by the simulator

    def keys(self) -> list[int]:
        """The keys of the events that vCenter holds, oldest first."""
        collector = self.content.eventManager.CreateCollectorForEvents(vim.event.EventFilterSpec())
        collector.SetCollectorPageSize(1000)
        keys: list[int] = []
        while page := collector.ReadNextEvents(1000):
            keys += [event.key for event in page]
        collector.DestroyCollector()
        return keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        Disconnect(self._si)
