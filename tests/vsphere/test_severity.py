"""The severity of an event by its payload, the catalogue, or the name of its type."""

from typing import Any

import pytest

from pipeline import status_events
from vsphere import severity


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
        ("com.vmware.vsphere.HostDisconnectedEvent.v0", {"Severity": ""}, "info"),
        ("com.vmware.vsphere.VmMacChangedEvent.v0", {}, "warning"),
        ("com.vmware.vsphere.GeneralUserEvent.v0", {}, "info"),
        ("com.vmware.vsphere.esx.problem.net.redundancy.degraded.v0", {}, "warning"),
        (status_events.GAP, {}, "warning"),
        (status_events.UNDELIVERABLE, {}, "error"),
        (status_events.UNREADABLE, {}, "warning"),
        (status_events.RECOVERED, {}, "info"),
        ("com.vmware.vsphere.esx.problem.example.timedout.v0", {}, "error?"),
        ("com.vmware.vsphere.esx.problem.example.degraded.v0", {}, "warning?"),
        ("com.vmware.vsphere.esx.clear.example.restored.v0", {}, "info?"),
        ("com.example.order.created", {}, "info?"),
        ("com.example.order.failed", {"Severity": 5, "To": {}}, "error?"),
    ],
)
def test_severity_is_what_an_administrator_would_say(
    event_type: str, properties: dict[str, Any], expected: str
) -> None:
    assert severity.of(event_type, properties) == expected
