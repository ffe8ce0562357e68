"""Events as reactions get them: of a vCenter, about an object of it."""

import itertools
from typing import Any

from cloudevents.http import CloudEvent

from demo.vcsim import VCSim

_numbers = itertools.count(5000)


def event_of(vcsim: VCSim, class_name: str, **data: Any) -> CloudEvent:
    """An event of *vcsim*, of its own id, with *data* in PascalCase."""
    return vcenter_event(vcsim.url, class_name, str(next(_numbers)), **data)


def vcenter_event(source: str, class_name: str, number: str = "4711", **data: Any) -> CloudEvent:
    """The event *number* of the vCenter *source*."""
    attributes = {
        "id": number,
        "source": source,
        "type": f"com.vmware.vsphere.{class_name}.v0",
        "time": "2026-11-20T15:45:13.931122Z",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"UserName": "VSPHERE.LOCAL\\alice", "FullFormattedMessage": "", **data})


def about(managed: Any, argument: str) -> dict[str, Any]:
    """The argument of an event that names *managed* (pyVmomi's), as `Vm={"Name": …, "Vm": {"Type", "Value"}}`."""
    reference = {"Type": type(managed).__name__.rpartition(".")[2], "Value": managed._moId}
    return {"Name": managed.name, argument: reference}
