"""The severity of an event by its payload, the catalogue, or the name of its type."""

from typing import Any

import pytest

from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from vsphere import severity


def event(event_type: str, **attributes: str) -> CloudEvent:
    """Return an event of that type."""
    return CloudEvent({"specversion": "1.0", "type": event_type, "source": "s", "id": "1", **attributes}, b"")


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
    assert severity.of(event(event_type), properties) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", "info"),
        ("9", "info"),
        ("13", "warning"),
        ("17", "error"),
        ("24", "error"),
        ("x", "error?"),
        ("", "error?"),
    ],
)
def test_severity_attribute_counts_unless_the_payload_has_one(number: str, expected: str) -> None:
    failed = event("com.example.order.failed", severitynumber=number)

    assert severity.of(failed, {}) == expected
    assert severity.of(failed, {"Severity": "info"}) == "info"


@pytest.mark.parametrize("level", ["error", "warning", "info"])
def test_attributes_and_severity_correspond(level: str) -> None:
    assert severity.of(event("x", **severity.attributes(level)), {}) == level
