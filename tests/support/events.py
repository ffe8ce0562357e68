"""Events as reactions get them: of a vCenter, about an object of it."""

import contextlib
import itertools
from datetime import timedelta
from typing import Any

from demo.vcsim import VCSim
from pipeline.cloudevents import CloudEvent, create
from pipeline.settings import read
from vsphere.cloudevent import to_cloudevent
from vsphere.history import EventHistory
from vsphere.session import Session
from vsphere.settings import VCenterSettings

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
    return create(attributes, {"UserName": "VSPHERE.LOCAL\\alice", "FullFormattedMessage": "", **data})


def newest(vcsim: VCSim, class_name: str) -> CloudEvent:
    """The newest event of *class_name* that *vcsim* holds, read and made into a CloudEvent as the poller does."""
    settings = read(VCenterSettings, {**vcsim.environ, "EVENT_TYPES": class_name})
    with contextlib.closing(Session(settings)) as vcenter:
        vcenter.connect()
        event = EventHistory(vcenter, vcenter.server_time() - timedelta(minutes=5), None).read().events[-1]
        return to_cloudevent(event, settings.sdk_url, vcenter.api_version)


def about(managed: Any, argument: str) -> dict[str, Any]:
    """The argument of an event that names *managed* (pyVmomi's), as `Vm={"Name": …, "Vm": {"Type", "Value"}}`."""
    reference = {"Type": type(managed).__name__.rpartition(".")[2], "Value": managed._moId}
    return {"Name": managed.name, argument: reference}
