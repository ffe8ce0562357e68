"""Facts read from payloads: the same from JSON and XML, something sensible from anything."""

from typing import Any

import pytest

from pipeline import payload
from pipeline.cloudevents import CloudEvent, create
from tests.golden import Record, records

JSON_DATA = {
    "UserName": "VSPHERE.LOCAL\\Administrator",
    "Host": {"Name": "DC0_H0", "Host": {"Type": "HostSystem", "Value": "host-21"}},
    "Vm": {"Name": "DC0_H0_VM0", "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
    "FullFormattedMessage": "DC0_H0_VM0 on DC0_H0 in DC0 is powered off",
}
XML_DATA = b"""<VmPoweredOffEvent xmlns="urn:vim25"><userName>VSPHERE.LOCAL\\Administrator</userName>
<host><name>DC0_H0</name><host type="HostSystem">host-21</host></host>
<vm><name>DC0_H0_VM0</name><vm type="VirtualMachine">vm-60</vm></vm>
<fullFormattedMessage>DC0_H0_VM0 on DC0_H0 in DC0 is powered off</fullFormattedMessage></VmPoweredOffEvent>"""


def event(data: Any, content_type: str = "application/json", **attributes: str) -> CloudEvent:
    kind = {"type": "com.vmware.vsphere.VmPoweredOffEvent.v0", "source": "https://vcenter.example/sdk"}
    return create({**kind, "datacontenttype": content_type, **attributes}, data)


@pytest.mark.parametrize("read", [event(JSON_DATA), event(XML_DATA, "application/xml")], ids=["json", "xml"])
def test_json_and_xml_read_alike(read: CloudEvent) -> None:
    assert payload.fields(read) == JSON_DATA
    assert payload.message(read) == "DC0_H0_VM0 on DC0_H0 in DC0 is powered off"
    assert payload.target(read) == "DC0_H0_VM0"
    assert payload.user(read) == "VSPHERE.LOCAL\\Administrator"
    assert payload.title(read) == "VM powered off: DC0_H0_VM0"


def recorded(record: Record) -> CloudEvent:
    attributes = {name.lower().removeprefix("ce-"): value for name, value in record.headers.items()}
    return create({**attributes, "datacontenttype": attributes["content-type"]}, record.body.encode())


@pytest.mark.parametrize(("as_json", "as_xml"), list(zip(records("json"), records("xml"), strict=True)), ids=str)
def test_recorded_event_reads_alike_in_both_encodings(as_json: Record, as_xml: Record) -> None:
    one, other = recorded(as_json), recorded(as_xml)
    assert payload.title(one) == payload.title(other)
    assert payload.about(one) == payload.about(other)
    assert payload.user(one) == payload.user(other)
    assert payload.message(one) == payload.message(other)


def named(argument: str, property_: str = "", type_: str = "") -> dict[str, Any]:
    return {argument: {"Name": "a", **({property_: {"Type": type_, "Value": "x-1"}} if type_ else {})}}


@pytest.mark.parametrize(
    ("data", "subject", "type_", "name"),
    [
        (JSON_DATA, "", "vm", "DC0_H0_VM0"),
        (named("Host", "Host", "HostSystem"), "", "host", "a"),
        (named("Host"), "", "host", "a"),
        (named("Ds", "Datastore", "Datastore"), "", "datastore", "a"),
        (named("ComputeResource", "ComputeResource", "ClusterComputeResource"), "", "cluster", "a"),
        (named("ComputeResource", "ComputeResource", "ComputeResource"), "", "host", "a"),
        (named("Dvs", "Dvs", "VmwareDistributedVirtualSwitch"), "", "switch", "a"),
        (named("Entity", "Entity", "Folder"), "", "folder", "a"),
        (named("Entity", "Entity", "Unheard"), "", "entity", "a"),
        ({"Host": {"Name": "a", "Host": ["odd"]}}, "", "host", "a"),
        ({}, "ResourcePool/resgroup-8", "resource pool", "ResourcePool/resgroup-8"),
        ({}, "anything", "", "anything"),
        ({}, "", "", ""),
        ({"kind": "Pod", "metadata": {"name": "web-1"}}, "/apis/v1", "Pod", "Pod/web-1"),
    ],
)
def test_target_has_a_type(data: dict[str, Any], subject: str, type_: str, name: str) -> None:
    assert payload.about(event(data, subject=subject)) == (type_, name)


def test_target_type_is_read_from_xml_as_well() -> None:
    text = '<E><datastore><n/></datastore><entity><name>a</name><entity type="Datastore">ds-1</entity></entity></E>'
    assert payload.about(event(text, "application/xml")) == ("datastore", "a")


def test_children_of_one_name_are_a_list() -> None:
    read = event("<E><fault><a>1</a></fault><arg>x</arg><arg>y</arg></E>", "application/xml")
    assert payload.fields(read) == {"Fault": {"A": "1"}, "Arg": ["x", "y"]}


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        ({"CreatedTime": "", "FullFormattedMessage": ""}, "application/json", "VM powered off"),
        ({"message": "Pod started", "reason": "Started"}, "application/json", "Pod started"),
        ({"a": [1, None]}, "application/json", '{"a": [1, null]}'),
        ([1, 2], "application/json", "[1, 2]"),
        (7, "application/json", "7"),
        (None, "application/json", ""),
        ({"CreatedTime": "", "FullFormattedMessage": {"not": "text"}}, "application/json", "VM powered off"),
        ("two\nlines", "text/plain", "two lines"),
        (b"\xff\x00A", "application/octet-stream", "\ufffd\x00A"),
        ("<broken", "application/xml", "<broken"),
        ("<E>text</E>", "application/xml", "<E>text</E>"),
    ],
)
def test_message_of_any_payload_is_a_line(data: Any, content_type: str, message: str) -> None:
    assert payload.message(event(data, content_type)) == message


def test_message_is_cut() -> None:
    assert payload.message(event({"message": "x" * 500}), 20) == "x" * 19 + "…"


def test_document_type_is_not_expanded() -> None:
    bomb = '<!DOCTYPE E [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><E><x>&b;</x></E>'
    assert payload.fields(event(bomb, "application/xml")) == {}
    assert payload.pretty(event(bomb, "application/xml")) == bomb


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("com.vmware.vsphere.VmPoweredOffEvent.v0", "VM powered off"),
        ("com.vmware.vsphere.DrsVmMigratedEvent.v0", "DRS VM migrated"),
        ("com.vmware.vsphere.VMFSDatastoreCreatedEvent.v0", "VMFS datastore created"),
        ("com.vmware.vsphere.DVPortgroupCreatedEvent.v0", "DV portgroup created"),
        ("com.vmware.vsphere.EventEx.v0", "Event ex"),
        ("com.vmware.vsphere.esx.problem.vmfs.heartbeat.timedout.v0", "esx.problem.vmfs.heartbeat.timedout"),
        ("dev.knative.sources.ping", "dev.knative.sources.ping"),
        ("Event", "Event"),
        ("é", "é"),
    ],
)
def test_type_is_spelled_as_words_if_it_is_a_class(kind: str, words: str) -> None:
    assert payload.type_in_words(event({}, type=kind)) == words


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ({"a": {"é": 1}}, "application/json", '{\n  "a": {\n    "é": 1\n  }\n}'),
        ("<E><a>1</a></E>", "application/xml", "<E>\n  <a>1</a>\n</E>"),
        (b"plain", "text/plain", "plain"),
        (b"\xff\x00A", "application/octet-stream", f"000000  {'ff 00 41':<47}  ..A"),
        (None, "application/json", ""),
    ],
)
def test_pretty_lays_out_what_it_knows(data: Any, content_type: str, text: str) -> None:
    assert payload.pretty(event(data, content_type)) == text


@pytest.mark.parametrize("depth", [100, 900])
def test_deep_nesting_is_read(depth: int) -> None:
    nested: Any = None
    for _ in range(depth):
        nested = [nested]
    assert payload.message(event(nested), 10).startswith("[[[")
    assert payload.pretty(event(nested)).startswith("[")


@pytest.mark.parametrize(
    ("managed_type", "identity"),
    [
        ("VirtualMachine", "vm-12</vm><vm>"),
        ("VirtualMachine", "vm-12&x;"),
        ("VirtualMachine", "vm 12"),
        ("VirtualMachine", "v" * 201),
        ("__setattr__", "VirtualMachine"),
    ],
)
def test_forged_reference_is_none(managed_type: str, identity: str) -> None:
    forged = event({"Vm": {"Name": "a", "Vm": {"Type": managed_type, "Value": identity}}})
    assert payload.reference(forged, "vm") is None
