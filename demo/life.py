"""Activity in a simulated data center: what administrators and VMs do in a day, at a faster pace.

Only for vcsim: it powers off and destroys VMs.
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
"""The errors of an operation: the VM is in another state by now, or vcsim is restarting."""

MAX_CLONES = 3
"""The maximum number of clones at the same time, so that the data center does not grow."""

REMARKS = ("Backup finished", "Patch window starts at 22:00", "Ticket 4711: disk is slow", "Certificate renewed")

VM = Any  # vim.VirtualMachine, which pyVmomi creates at run time


class Life:
    """Random operations on *vcsim*, one after the other, in a thread of its own between `start` and `stop`.

    *random_* chooses them: a seeded one repeats itself. *pause_seconds* are the minimum and maximum between two.
    """

    def __init__(
        self, vcsim: VCSim, random_: random.Random | None = None, pause_seconds: tuple[float, float] = (0.33, 1.0)
    ) -> None:
        self._vcsim = vcsim
        self._random = random_ or random.Random()  # noqa: S311 - the choice of a VM is not a secret
        self._pause_seconds = pause_seconds
        self._vcenter: Any = None
        self._clones: list[VM] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name="life", daemon=True)
        self._operations: tuple[Callable[[VM], None], ...] = (
            *[self._switch] * 5,  # the events that viewers know best
            self._suspend_or_reset,
            *[self._reconfigure] * 2,
            *[self._clone_or_destroy] * 2,
            self._report,
        )

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the operation under way, or within half a second."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(0.5)
        else:
            self._leave()

    def step(self) -> None:
        """Do one operation. Raises one of `FAILURES` if it does not succeed."""
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
                    # vcsim was restarted without the session and the clones: log in again at the next step.
                    self._leave()
                    self._clones = []
        self._leave()

    def _leave(self) -> None:
        if self._vcenter is not None:
            leave(self._vcenter)
            self._vcenter = None

    def _all(self, managed_type: Any) -> list[Any]:
        content = self._vcenter.RetrieveContent()
        view = content.viewManager.CreateContainerView(content.rootFolder, [managed_type], recursive=True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def _switch(self, vm: VM) -> None:
        on = vm.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn
        _result(vm.PowerOff() if on else vm.PowerOn())

    def _suspend_or_reset(self, vm: VM) -> None:
        _result(self._random.choice((vm.Suspend, vm.Reset))())

    def _reconfigure(self, vm: VM) -> None:
        spec = vim.vm.ConfigSpec(memoryMB=self._random.choice((512, 1024, 2048)), numCPUs=self._random.randint(1, 4))
        _result(vm.Reconfigure(spec))

    def _clone_or_destroy(self, vm: VM) -> None:
        if len(self._clones) < MAX_CLONES:
            spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=True, template=False)
            name = f"copy-{int(time.time() * 1000) % 1_000_000}"
            self._clones.append(_result(vm.Clone(folder=vm.parent, name=name, spec=spec)))
            return
        clone = self._clones.pop(0)
        if clone.runtime.powerState == vim.VirtualMachine.PowerState.poweredOn:
            _result(clone.PowerOff())
        _result(clone.Destroy())

    def _report(self, vm: VM) -> None:
        """Post an event of a real vCenter that vcsim does not create."""
        host = vm.runtime.host
        about = {
            "key": 0,
            "chainId": 0,
            "createdTime": datetime.now(UTC),
            "userName": self._vcsim.username,
            "vm": vim.event.VmEventArgument(name=vm.name, vm=vm),
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
                    message=f"vSphere HA restarted {vm.name}",
                ),
            )
        )
        self._vcenter.RetrieveContent().eventManager.PostEvent(event)


def enter(vcsim: VCSim) -> Any:
    """Return a pyVmomi session on *vcsim*. Raises one of `FAILURES`."""
    address = {"host": "127.0.0.1", "port": vcsim.port, "disableSslCertValidation": True}
    return SmartConnect(**address, user=vcsim.username, pwd=vcsim.password)


def leave(session: Any) -> None:
    """End the session and its connections, which pyVmomi leaves open. Its vcsim may be gone."""
    with contextlib.suppress(*FAILURES):
        Disconnect(session)
    session._stub.DropConnections()


def _result(task: Any) -> Any:
    """Return the result of *task* when it has one. Raises its fault.

    WaitForTask of pyVim fails on the tasks of vcsim, whose names pyVmomi does not know.
    """
    while (info := task.info).state in (vim.TaskInfo.State.queued, vim.TaskInfo.State.running):
        time.sleep(0.02)
    if info.state == vim.TaskInfo.State.error:
        raise info.error
    return info.result
