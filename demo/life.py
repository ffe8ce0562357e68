"""Life in a simulated data centre: what administrators and the machines themselves do in a day, made busier.

Only for vcsim: it powers machines off, renames and destroys them.
"""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from demo.vcsim import VCSim

log = structlog.get_logger()

FAILURES = (vmodl.MethodFault, OSError, http.client.HTTPException)
"""What an operation may fail with: the machine is in another state by now, or vcsim is restarting."""

CLONES_MOST = 3
"""Clones that exist at once: the data centre does not grow."""

REMARKS = ("Backup finished", "Patch window starts at 22:00", "Ticket 4711: disk is slow", "Certificate renewed")

Machine = Any  # vim.VirtualMachine, which pyVmomi makes at run time


class Life:
    """Does one random operation after the other on *vcsim*, in a thread of its own between `start` and `stop`.

    *random_* picks them (a seeded one repeats itself); *pause_seconds* are the least and the most between two.
    """

    def __init__(
        self, vcsim: VCSim, random_: random.Random | None = None, pause_seconds: tuple[float, float] = (0.33, 1.0)
    ) -> None:
        self._vcsim = vcsim
        self._random = random_ or random.Random()  # noqa: S311 - which machine is next is no secret
        self._pause_seconds = pause_seconds
        self._vcenter: Any = None
        self._clones: list[Machine] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name="life", daemon=True)
        self._operations: tuple[Callable[[Machine], None], ...] = (
            *[self._switch] * 5,  # what people watch for
            self._suspend_or_reset,
            *[self._reconfigure] * 2,
            *[self._clone_or_destroy] * 2,
            self._report,
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the operation under way, or within half a second."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(0.5)
        else:
            self._leave()

    def step(self) -> None:
        """Do one operation. Raises one of `FAILURES` when it does not succeed, which is a part of life."""
        if self._vcenter is None:
            self._vcenter = enter(self._vcsim)
        operation = self._random.choice(self._operations)
        operation(self._random.choice(self._all(vim.VirtualMachine)))

    def _live(self) -> None:
        while not self._ended.wait(self._random.uniform(*self._pause_seconds)):
            try:
                self.step()
            except FAILURES as error:
                log.debug("operation failed", error=type(error).__name__)
                if not isinstance(error, vmodl.MethodFault) or isinstance(error, vim.fault.NotAuthenticated):
                    # vcsim was restarted, and knows neither the session nor the clones: log in anew at the next step.
                    self._leave()
                    self._clones = []
        self._leave()

    def _leave(self) -> None:
        if self._vcenter is not None:
            leave(self._vcenter)
            self._vcenter = None

    def _all(self, kind: Any) -> list[Any]:
        content = self._vcenter.RetrieveContent()
        view = content.viewManager.CreateContainerView(content.rootFolder, [kind], recursive=True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def _switch(self, machine: Machine) -> None:
        on = machine.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn
        _done(machine.PowerOff() if on else machine.PowerOn())

    def _suspend_or_reset(self, machine: Machine) -> None:
        _done(self._random.choice((machine.Suspend, machine.Reset))())

    def _reconfigure(self, machine: Machine) -> None:
        spec = vim.vm.ConfigSpec(memoryMB=self._random.choice((512, 1024, 2048)), numCPUs=self._random.randint(1, 4))
        _done(machine.Reconfigure(spec))

    def _clone_or_destroy(self, machine: Machine) -> None:
        if len(self._clones) < CLONES_MOST:
            spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=True, template=False)
            name = f"copy-{int(time.time() * 1000) % 1_000_000}"
            self._clones.append(_done(machine.Clone(folder=machine.parent, name=name, spec=spec)))
            return
        clone = self._clones.pop(0)
        if clone.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn:
            _done(clone.PowerOff())
        _done(clone.Destroy())

    def _report(self, machine: Machine) -> None:
        """Post what a real vCenter would report, and vcsim does not by itself."""
        host = machine.runtime.host
        about = {
            "key": 0,
            "chainId": 0,
            "createdTime": datetime.now(UTC),
            "userName": self._vcsim.username,
            "vm": vim.event.VmEventArgument(name=machine.name, vm=machine),
            "host": vim.event.HostEventArgument(name=host.name, host=host),
        }
        event = self._random.choice(
            (
                vim.event.GeneralUserEvent(**about, message=self._random.choice(REMARKS)),
                vim.event.VmGuestRebootEvent(**about, template=False),
                vim.event.VmMessageWarningEvent(**about, template=False, message="The guest's clock is late"),
                vim.event.EventEx(
                    **about,
                    eventTypeId="com.vmware.vc.ha.VmRestartedByHAEvent",
                    severity="warning",
                    message=f"vSphere HA restarted {machine.name}",
                ),
            )
        )
        self._vcenter.RetrieveContent().eventManager.PostEvent(event)


def enter(vcsim: VCSim) -> Any:
    """A session of pyVmomi's on *vcsim*. Raises one of `FAILURES`."""
    address = {"host": "127.0.0.1", "port": vcsim.port, "disableSslCertValidation": True}
    return SmartConnect(**address, user=vcsim.username, pwd=vcsim.password)


def leave(session: Any) -> None:
    """End the session, whether or not its vcsim still runs, and its connections, which pyVmomi would leave open."""
    with contextlib.suppress(*FAILURES):
        Disconnect(session)
    session._stub.DropConnections()


def _done(task: Any) -> Any:
    """The task's result, once it has one. Raises the fault that it failed with.

    pyVim's own WaitForTask stumbles over the tasks of vcsim, whose names pyVmomi does not know.
    """
    while (info := task.info).state in (vim.TaskInfo.State.queued, vim.TaskInfo.State.running):
        time.sleep(0.02)
    if info.state == vim.TaskInfo.State.error:
        raise info.error
    return info.result
