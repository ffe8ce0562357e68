"""The summary of an event, and the row that viewers get."""

import json

import pytest

from functions.display import row
from pipeline.cloudevents import CloudEvent

POWERED_OFF = {
    "Vm": {"Name": "DC0_C0_RP0_VM0"},
    "Host": {"Name": "DC0_C0_H0"},
    "ComputeResource": {"Name": "DC0_C0"},
    "Datacenter": {"Name": "DC0"},
    "UserName": "VSPHERE.LOCAL\\Administrator",
    "ChainId": 4711,
    "FullFormattedMessage": "DC0_C0_RP0_VM0 on DC0_C0_H0 in DC0 is powered off",
}
EVENT = CloudEvent(
    {
        "specversion": "1.0",
        "id": "4711",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "source": "https://vcenter.example/sdk",
        "subject": "VirtualMachine/vm-66",
        "time": "2026-11-20T15:45:13.931122Z",
        "datacontenttype": "application/json",
    },
    json.dumps(POWERED_OFF).encode(),
)


def test_summary_has_what_the_event_says() -> None:
    values = row.by_name(row.summary(EVENT))

    assert (
        values.items()
        >= {
            "severity": "info",
            "time": "2026-11-20T15:45:13.931122Z",
            "message": "DC0_C0_RP0_VM0 on DC0_C0_H0 in DC0 is powered off",
            "chain": "4711",
            "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
            "target": "DC0_C0_RP0_VM0",
            "targettype": "vm",
            "host": "DC0_C0_H0",
            "cluster": "DC0_C0",
            "datacenter": "DC0",
            "user": "VSPHERE.LOCAL\\Administrator",
            "source": "https://vcenter.example/sdk",
            "subject": "VirtualMachine/vm-66",
            "id": "4711",
            "contenttype": "application/json",
            "size": len(EVENT.data),
        }.items()
    )


def test_row_is_small() -> None:
    assert len(row.write(1, 0, 1_795_000_000_000, 1, False, row.summary(EVENT))) < 350


@pytest.mark.parametrize(
    ("subject", "payload", "target"),
    [
        ("VirtualMachine/vm-66", {}, "vm-66"),
        ("web-01", {}, "web-01"),
        ("web-01", {"Vm": {"Name": "web-01"}}, "web-01"),
        ("a/b", {"Vm": {"Name": "a/b"}}, "a/b"),
    ],
)
def test_only_a_managed_type_is_cut_off_a_subject(subject: str, payload: object, target: str) -> None:
    event = CloudEvent(dict(EVENT.attributes) | {"subject": subject}, json.dumps(payload).encode())

    assert row.by_name(row.summary(event))["target"] == target


def test_characters_that_turn_the_direction_are_marked() -> None:
    message = "Host ok \u202e.gnihtyreve si dab\x07"
    event = CloudEvent(dict(EVENT.attributes), json.dumps({"FullFormattedMessage": message}).encode())

    mark = "\N{REPLACEMENT CHARACTER}"
    assert row.by_name(row.summary(event))["message"] == f"Host ok {mark}.gnihtyreve si dab{mark}"
