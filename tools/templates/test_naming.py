"""naming: invalid names get a reply, valid names do not."""

from tools.templates import naming
from tests.support.events import vcenter_event

VCENTER = "https://vcenter.example/sdk"


def test_invalid_name_gets_a_reply() -> None:
    reply = naming.create({}).handle(vcenter_event(VCENTER, "VmCreatedEvent", Vm={"Name": "Bobs test"}))

    assert reply is not None
    assert reply["type"] == "dev.vcenter-events.naming.invalid.v0"


def test_valid_name_gets_no_reply() -> None:
    assert naming.create({}).handle(vcenter_event(VCENTER, "VmCreatedEvent", Vm={"Name": "web-01"})) is None
