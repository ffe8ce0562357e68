"""CloudEvents equal those that the predecessor sent, and no event is too odd for one."""

import datetime
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from pipeline import bounds
from tests.golden import Record, records, wire_element
from vsphere.catalog import Catalog
from vsphere.cloudevent import JSON, XML, subject, to_cloudevent
from vsphere.event import from_element

SOURCE = "https://vcenter.example/sdk"
RECORDED_JSON = records("json")
RECORDED_XML = records("xml")
CHANGES_EACH_RUN = ("Key", "ChainId", "CreatedTime", "SessionId")
"""The two encodings were recorded in two runs: the first login of each has its own session."""


def event(xml: str) -> Any:
    """Return the event in *xml*, an element whose tag is the event's class."""
    name = re.match(r"<(\w+)", xml).group(1)  # type: ignore[union-attr]  # a test's own text
    xml = xml.replace(f"<{name}", f'<{name} xmlns="urn:vim25" xmlns:xsi="{XSI}" xsi:type="{name}"', 1)
    return from_element(ElementTree.fromstring(xml), LAST_TIME)


XSI = "http://www.w3.org/2001/XMLSchema-instance"
LAST_TIME = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
HEAD = "<key>7</key><chainId>7</chainId><createdTime>2026-01-02T03:04:05.1Z</createdTime><userName>u</userName>"


def payload(source_event: Any, encoding: str = JSON) -> Any:
    data = to_cloudevent(source_event, SOURCE, "8.0.3.0", encoding).data
    return json.loads(data) if encoding == JSON else data.decode()


def pairs(value: Any) -> Any:
    """Parse JSON with objects as lists of pairs, in order."""
    return json.loads(value, object_pairs_hook=list)


def stable(value: Any) -> Any:
    return [(name, inner) for name, inner in pairs(value) if name not in CHANGES_EACH_RUN]


@pytest.mark.parametrize("number", range(len(RECORDED_JSON)), ids=[str(record) for record in RECORDED_JSON])
def test_json_equals_the_predecessors(number: int) -> None:
    """Every name, value and the order: only key, time and login session differ between the two recorded runs."""
    result = to_cloudevent(from_element(wire_element(RECORDED_XML[number]), LAST_TIME), SOURCE, "6.5", JSON)
    recorded: Record = RECORDED_JSON[number]
    assert stable(result.data) == stable(recorded.body)
    ours, theirs = json.loads(result.data), json.loads(recorded.body)
    assert ours.keys() == theirs.keys()
    assert (ours["Key"], ours["ChainId"]) == (theirs["Key"], theirs["ChainId"])


@pytest.mark.parametrize("recorded", RECORDED_XML, ids=str)
def test_xml_equals_the_predecessors(recorded: Record) -> None:
    result = to_cloudevent(from_element(wire_element(recorded), LAST_TIME), SOURCE, "6.5", XML)
    assert result.data.decode() == recorded.body


@pytest.mark.parametrize("recorded", RECORDED_XML, ids=str)
def test_attributes_equal_the_predecessors(recorded: Record) -> None:
    result = to_cloudevent(from_element(wire_element(recorded), LAST_TIME), recorded.headers["ce-source"], "6.5", XML)
    ours = {f"ce-{name}": value for name, value in result.attributes.items() if name != "subject"}
    assert ours.pop("ce-partitionkey") == (result.get("subject") or result["source"])
    assert ours.pop("ce-datacontenttype") == recorded.headers["content-type"]
    assert ours == {name: value for name, value in recorded.headers.items() if name != "content-type"}


def reference(tag: str, managed_type: str, value: str) -> str:
    return f"<{tag} type='{managed_type}'>{value}</{tag}>"


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("VmPoweredOnEvent", f"<vm>{reference('vm', 'VirtualMachine', 'vm-1')}</vm>", "VirtualMachine/vm-1"),
        (
            "AlarmStatusChangedEvent",
            (
                f"<host>{reference('host', 'HostSystem', 'host-1')}</host>"
                f"<entity>{reference('entity', 'Datastore', 'datastore-1')}</entity>"
            ),
            "Datastore/datastore-1",
        ),
        ("TaskEvent", f"<info>{reference('entity', 'HostSystem', 'host-9')}</info>", "HostSystem/host-9"),
        ("EventEx", "<objectId>vm-3</objectId><objectType>VirtualMachine</objectType>", "VirtualMachine/vm-3"),
        ("ExtendedEvent", reference("managedObject", "Folder", "group-1"), "Folder/group-1"),
        ("UserLoginSessionEvent", "<ipAddress>10.0.0.1</ipAddress>", ""),
    ],
)
def test_subject_is_the_managed_entity_that_the_event_concerns(name: str, properties: str, expected: str) -> None:
    assert subject(event(f"<{name}>{HEAD}{properties}</{name}>")) == expected


def test_class_newer_than_the_schema_keeps_its_properties() -> None:
    own = f"{reference('partner', 'VirtualMachine', 'vm-2')}<spin>up</spin><spin>down</spin>"
    odd = event(f"<QuantumVmEntangledEvent>{HEAD}{own}</QuantumVmEntangledEvent>")
    assert to_cloudevent(odd, SOURCE, "99.0")["type"] == "com.vmware.vsphere.QuantumVmEntangledEvent.v0"
    data = payload(odd)
    assert (data["Key"], data["UserName"], data["Vm"]) == (7, "u", None)
    assert data["Partner"] == {"Type": "VirtualMachine", "Value": "vm-2"}
    assert data["Spin"] == ["up", "down"]
    assert '<partner type="VirtualMachine">vm-2</partner><spin>up</spin><spin>down</spin>' in payload(odd, XML)


def test_newer_property_is_written_only_if_set() -> None:
    without = payload(event(f"<VmPoweredOnEvent>{HEAD}</VmPoweredOnEvent>"))
    assert "AuditId" not in without
    assert "ChangeTag" in without
    assert payload(event(f"<VmPoweredOnEvent>{HEAD}<auditId>a-1</auditId></VmPoweredOnEvent>"))["AuditId"] == "a-1"


def test_fault_of_a_subtype_keeps_its_own_fields() -> None:
    own = f"{reference('object', 'Folder', 'group-1')}<privilegeId>p</privilegeId>"
    fault = f"<fault><fault xsi:type='NoPermission'>{own}</fault><localizedMessage>no</localizedMessage></fault>"
    data = payload(event(f"<EventEx>{HEAD}<eventTypeId>x</eventTypeId>{fault}</EventEx>"))
    assert data["Fault"]["LocalizedMessage"] == "no"
    assert data["Fault"]["Fault"]["PrivilegeId"] == "p"
    assert data["Fault"]["Fault"]["Object"] == {"Type": "Folder", "Value": "group-1"}


def test_event_arguments_keep_their_own_types() -> None:
    arguments = "".join(
        f"<arguments><key>{xsd}</key><value xsi:type='{xsd}'>{value}</value></arguments>"
        for xsd, value in [("xsd:int", "3"), ("xsd:boolean", "true"), ("xsd:string", "3"), ("xsd:double", "1.5")]
    )
    data = payload(event(f"<EventEx>{HEAD}<eventTypeId>x</eventTypeId>{arguments}</EventEx>"))
    assert [argument["Value"] for argument in data["Arguments"]] == [3, True, "3", 1.5]


@pytest.mark.parametrize(
    ("property_xml", "name", "expected"),
    [
        ("<template>perhaps</template>", "Template", "perhaps"),
        ("<template></template>", "Template", ""),
        ("<userName>second</userName>", "UserName", "second"),
        ("<host><name>only a name</name></host>", "Host", {"Name": "only a name", "Host": {"Type": "", "Value": ""}}),
        ("<host>a text</host>", "Host", {"Name": "", "Host": {"Type": "", "Value": ""}}),
        ("<fullFormattedMessage><b>deep</b></fullFormattedMessage>", "FullFormattedMessage", {"B": "deep"}),
    ],
)
def test_odd_values_are_delivered_as_they_are(property_xml: str, name: str, expected: Any) -> None:
    assert payload(event(f"<VmPoweredOnEvent>{HEAD}{property_xml}</VmPoweredOnEvent>"))[name] == expected


def test_time_with_an_offset_becomes_utc() -> None:
    odd = event(
        "<VmPoweredOnEvent><key>1</key><createdTime>2026-01-02T03:04:05.123456789+02:00</createdTime></VmPoweredOnEvent>"
    )
    assert to_cloudevent(odd, SOURCE, "8.0")["time"] == "2026-01-02T01:04:05.123456Z"


def test_names_of_any_length_make_bounded_attributes() -> None:
    long = "x" * 100_000
    entity = f"<vm><name>n</name><vm type='VirtualMachine'>{long}</vm></vm>"
    odd = event(f"<EventEx>{HEAD}{entity}<eventTypeId>{long}</eventTypeId></EventEx>")
    converted = to_cloudevent(odd, SOURCE, long)

    assert converted["type"].startswith("com.vmware.vsphere.xxx")
    assert converted["type"].endswith("xxx.v0")
    assert converted["subject"] == f"VirtualMachine/{long}"[: bounds.VCENTER_NAME_CHARACTERS]
    assert max(map(len, converted.attributes.values())) < bounds.VCENTER_NAME_CHARACTERS + 50
    assert payload(odd)["EventTypeId"] == long


def test_class_of_any_length_makes_a_bounded_position() -> None:
    odd = event(f"<{'x' * 100_000}>{HEAD}</{'x' * 100_000}>")

    assert odd.position.event_type == "x" * bounds.VCENTER_NAME_CHARACTERS


def test_severity_is_the_events_own_or_its_types() -> None:
    types = Catalog({"VmPoweredOffEvent": ["warning", "", "", []], "esx.x": ["error", "", "", []]})
    own = "<eventTypeId>esx.x</eventTypeId>"
    for xml, text in (
        (f"<VmPoweredOffEvent>{HEAD}</VmPoweredOffEvent>", "WARN"),
        (f"<EventEx>{HEAD}{own}</EventEx>", "ERROR"),
        (f"<EventEx>{HEAD}{own}<severity>info</severity></EventEx>", "INFO"),
        (f"<EventEx>{HEAD}{own}<severity>strange</severity></EventEx>", "ERROR"),
        (f"<AlarmStatusChangedEvent>{HEAD}<from>green</from><to>red</to></AlarmStatusChangedEvent>", "ERROR"),
        (f"<VmPoweredOnEvent>{HEAD}</VmPoweredOnEvent>", None),
    ):
        assert to_cloudevent(event(xml), SOURCE, "8.0", JSON, types).get("severitytext") == text
        assert "severitynumber" not in to_cloudevent(event(xml), SOURCE, "8.0").attributes
