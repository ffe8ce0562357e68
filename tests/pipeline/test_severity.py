"""The severity of an event by its payload, its type, or its name."""

from typing import Any

import pytest
from pyVmomi import VmomiSupport

from pipeline import severity, status_events


@pytest.mark.parametrize(
    ("event_type", "properties", "expected"),
    [
        ("com.vmware.vsphere.esx.problem.x.v0", {"Severity": "warning"}, "warning"),
        ("com.vmware.vsphere.esx.problem.x.v0", {"Severity": "user"}, "info"),
        ("com.vmware.vsphere.AlarmStatusChangedEvent.v0", {"Alarm": {}, "To": "red"}, "error"),
        ("com.vmware.vsphere.AlarmStatusChangedEvent.v0", {"Alarm": {}, "To": "yellow"}, "warning"),
        ("com.vmware.vsphere.AlarmStatusChangedEvent.v0", {"Alarm": {}, "To": "green"}, "info"),
        ("dev.knative.apiserver.resource.add", {"kind": "Event", "type": "Warning"}, "warning"),
        ("dev.knative.apiserver.resource.add", {"kind": "Pod"}, "info"),
        ("dev.knative.sources.ping", {}, "info"),
        ("com.vmware.vsphere.VmPoweredOffEvent.v0", {}, "info"),
        ("com.vmware.vsphere.HostConnectionLostEvent.v0", {}, "error"),
        ("com.vmware.vsphere.HostDisconnectedEvent.v0", {"Severity": ""}, "warning"),
        (status_events.GAP, {}, "warning"),
        (status_events.UNDELIVERABLE, {}, "error"),
        (status_events.RECOVERED, {}, "info"),
        ("com.vmware.vsphere.esx.problem.vmfs.heartbeat.timedout.v0", {}, "error?"),
        ("com.vmware.vsphere.esx.problem.net.redundancy.degraded.v0", {}, "warning?"),
        ("com.vmware.vsphere.esx.clear.net.connectivity.restored.v0", {}, "info?"),
        ("com.example.order.created", {}, "info?"),
        ("com.example.order.failed", {"Severity": 5, "To": {}}, "error?"),
    ],
)
def test_severity_is_what_an_administrator_would_say(
    event_type: str, properties: dict[str, Any], expected: str
) -> None:
    assert severity.of(event_type, properties) == expected


def test_table_names_only_classes_that_vcenter_has() -> None:
    def is_class(name: str) -> bool:
        try:
            VmomiSupport.GetVmodlType(f"vim.event.{name}Event")
        except KeyError:
            return False
        return True

    assert [name for name in severity._TABLE if not is_class(name)] == []
