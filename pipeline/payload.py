"""The facts of an event that people want to know, read from its payload: message, object, user, a title.

Pure. Nothing here raises: an event of unexpected shape gives fewer facts, not an error. vCenter's JSON and XML payloads
read the same, because XML is converted to the names and shapes of the JSON. Payloads of Kubernetes and PingSource are
read too.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.etree import ElementTree

from pipeline import xml
from pipeline.cloudevents import CloudEvent
from pipeline.errors import cut

_TARGETS = ("vm", "host", "datastore", "cluster", "switch", "network", "datacenter", "entity")
"""The `OBJECTS` that an event may be about, the most specific first."""

OBJECTS = {
    "vm": ("Vm", "Vm"),
    "host": ("Host", "Host"),
    "datastore": ("Ds", "Datastore"),
    "cluster": ("ComputeResource", "ComputeResource"),
    "datacenter": ("Datacenter", "Datacenter"),
    "network": ("Net", "Network"),
    "switch": ("Dvs", "Dvs"),
    "entity": ("Entity", "Entity"),
}
"""The objects that an event may name, and where: `data.Ds.Datastore` is the datastore's reference. The entity is the
object of an alarm or a task, of any type."""

_TARGET_TYPES = {
    "VirtualMachine": "vm",
    "HostSystem": "host",
    "ComputeResource": "host",  # of a host outside any cluster, with the same name
    "ClusterComputeResource": "cluster",
    "Datastore": "datastore",
    "StoragePod": "datastore cluster",
    "Datacenter": "datacenter",
    "Network": "network",
    "OpaqueNetwork": "network",
    "DistributedVirtualPortgroup": "network",
    "DistributedVirtualSwitch": "switch",
    "VmwareDistributedVirtualSwitch": "switch",
    "Folder": "folder",
    "ResourcePool": "resource pool",
    "VirtualApp": "vApp",
}
"""Managed type → an administrator's word for such an object."""

_WORDS = {"Vm": "VM", "Das": "HA", "Drs": "DRS", "Dvs": "DVS", "Id": "ID", "Uuid": "UUID", "Ip": "IP", "Ssh": "SSH"}


def fields(event: CloudEvent) -> dict[str, Any]:
    """Return the payload, JSON or XML, as a dict of PascalCase properties. Empty if it is neither."""
    data = event.payload
    if isinstance(data, dict):
        return data
    if isinstance(data, bytes | str) and "xml" in str(event.get("datacontenttype") or ""):
        element = xml.parse(data)
        if element is not None and len(element):
            value = _value(element)
            return value if isinstance(value, dict) else {}
    return {}


def _value(element: ElementTree.Element) -> Any:
    """Return text, a reference `{"Type", "Value"}`, or a dict of the children. A repeated name holds a list."""
    if not len(element):
        text = element.text or ""
        return {"Type": element.attrib["type"], "Value": text} if "type" in element.attrib else text
    values: dict[str, Any] = {}
    for child in element:
        local = child.tag.rpartition("}")[2]
        name, value = local[:1].upper() + local[1:], _value(child)
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
    return values


def message(event: CloudEvent, limit: int = 300) -> str:
    """Return what happened in one line of at most *limit* characters: the event's own message, else the start of its
    data."""
    properties = fields(event)
    for name in ("FullFormattedMessage", "Message", "message", "reason"):
        words = properties.get(name)
        if isinstance(words, str) and words.strip():
            return cut(words, limit)
    if "CreatedTime" in properties:  # a vCenter event without a message: use its type and object
        return cut(title(event), limit)
    if kubernetes := _kubernetes_object(properties):  # ApiServerSource: the object itself, and the verb in the type
        kind, namespace, name = kubernetes
        verb = str(event.get("type") or "").rpartition(".")[2]
        return cut(f"{kind} {f'{namespace}/' if namespace else ''}{name} {verb}", limit)
    return cut(beginning(event.payload, limit), limit)


def beginning(data: Any, limit: int) -> str:
    """Return at least the first *limit* characters of *data* as text. "" for None."""
    if data is None:
        return ""
    if isinstance(data, bytes):
        return data[: limit * 4].decode("utf-8", "replace")
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)


class Target(NamedTuple):
    """The object that an event is about."""

    type: str
    """`vm`, `host`, `cluster`, `folder` … or `entity`. A Kubernetes object has its kind, `Pod`. "" if unknown."""
    name: str
    """Its name. `Pod/web-1` for a Kubernetes object. Without a name, the event's subject or ""."""


def about(event: CloudEvent) -> Target:
    """Return the object that the event is about (VM, host, datastore …), by its payload, else by its subject."""
    properties = fields(event)
    for object_name in _TARGETS:
        argument, property_ = OBJECTS[object_name]
        held = properties.get(argument)
        words = held.get("Name") if isinstance(held, dict) else None
        if isinstance(held, dict) and isinstance(words, str) and words.strip():
            return Target(_target_type(held.get(property_)) or object_name, cut(words, 200))
    if kubernetes := _kubernetes_object(properties):
        return Target(cut(kubernetes[0], 60), cut(f"{kubernetes[0]}/{kubernetes[2]}", 200))
    subject = str(event.get("subject") or "")
    return Target(_TARGET_TYPES.get(subject.partition("/")[0], ""), cut(subject, 200))


def target(event: CloudEvent) -> str:
    """Return the name of the object that the event is about, else its subject, else ""."""
    return about(event).name


def is_target_type(managed_type: str) -> bool:
    """Return whether *managed_type* (`VirtualMachine`) is a type of object that events are about."""
    return managed_type in _TARGET_TYPES


def _target_type(reference_: Any) -> str:
    """Return the word for the type in a reference `{"Type", "Value"}`. "" if the type is unknown."""
    type_ = reference_.get("Type") if isinstance(reference_, dict) else None
    return _TARGET_TYPES.get(type_, "") if isinstance(type_, str) else ""


def _kubernetes_object(properties: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return (kind, namespace, name) of a Kubernetes object. For an Event, of the object that it is about. Else
    None."""
    about = next((properties[name] for name in ("involvedObject", "regarding") if name in properties), None)
    named = about if isinstance(about, dict) else properties.get("metadata")
    kind = about.get("kind") if isinstance(about, dict) else properties.get("kind")
    if not isinstance(kind, str) or not isinstance(named, dict) or not isinstance(named.get("name"), str):
        return None
    return kind, str(named.get("namespace") or ""), named["name"]


class Reference(NamedTuple):
    """An object of a vCenter."""

    managed_type: str
    """`VirtualMachine`, `HostSystem`, …"""
    id: str
    """`vm-12`."""
    name: str
    """The object's name, or ""."""

    def __str__(self) -> str:
        return f"{self.managed_type} {self.name or self.id}"


def reference(event: CloudEvent, object_name: str) -> Reference | None:
    """Return the object *object_name*, one of `OBJECTS`, that the event is about. None if it names none."""
    argument, property_ = OBJECTS[object_name]
    argument_ = fields(event).get(argument)
    pair = argument_.get(property_) if isinstance(argument_, dict) else None
    if not isinstance(pair, dict) or not isinstance(argument_, dict):
        return None
    type_, value, name = pair.get("Type"), pair.get("Value"), argument_.get("Name")
    if not (isinstance(type_, str) and isinstance(value, str) and is_reference(type_, value)):
        return None
    return Reference(type_, value, name if isinstance(name, str) else "")


def is_reference(managed_type: str, identity: str) -> bool:
    """Return whether both have the form of a managed object reference's: names that are safe in any markup or URL."""
    return bool(_MANAGED_TYPE(managed_type) and _MANAGED_ID(identity))


_MANAGED_TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,99}").fullmatch
_MANAGED_ID = re.compile(r"[A-Za-z0-9_.:/-]{1,200}").fullmatch
"""`vm-12`. ESXi's datastores have paths (`host:/export`)."""


class Alarm(NamedTuple):
    """An alarm that changed its state."""

    name: str
    """The alarm's name, or ""."""
    state: str
    """The new state in lower case (`red`), or ""."""


def alarm(event: CloudEvent) -> Alarm:
    """Return the alarm of an `AlarmStatusChangedEvent`."""
    properties = fields(event)
    named = properties.get("Alarm")
    name = str(named.get("Name") or "") if isinstance(named, dict) else ""
    return Alarm(name, str(properties.get("To") or "").lower())


def user(event: CloudEvent) -> str:
    """Return the user who caused the event, as vCenter names them, or ""."""
    words = fields(event).get("UserName")
    return cut(words, 200) if isinstance(words, str) else ""


def moment(event: CloudEvent) -> datetime | None:
    """Return when the event happened, UTC. None if its time cannot be read."""
    try:
        return datetime.fromisoformat(str(event.get("time") or "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def short_type(event: CloudEvent) -> str:
    """Return the type without its common prefix and version: "VmPoweredOffEvent",
    "esx.problem.vmfs.heartbeat.timedout"."""
    return re.sub(r"^com\.vmware\.vsphere\.|\.v\d+$", "", str(event.get("type") or ""))


def type_in_words(event: CloudEvent) -> str:
    """Return the type as words: "VM powered off". A type that is not a class name is returned unchanged."""
    name = short_type(event).removesuffix("Event")
    if not re.fullmatch(r"[A-Za-z0-9]+", name) or not name[0].isupper():
        return short_type(event)
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+", name)
    spoken = [_WORDS.get(word, word if word.isupper() else word.lower()) for word in words]
    return " ".join([spoken[0][:1].upper() + spoken[0][1:], *spoken[1:]])


def title(event: CloudEvent) -> str:
    """Return one short line: "VM powered off: DC0_H0_VM0"."""
    about = target(event)
    return f"{type_in_words(event)}: {about}" if about else type_in_words(event)


def pretty(event: CloudEvent) -> str:
    """Return the payload for a person to read: JSON and XML indented, other text unchanged, anything else as a hex
    dump."""
    data = event.payload
    if data is None:
        return ""
    if isinstance(data, bytes | str):
        if "xml" in str(event.get("datacontenttype") or "") and (element := xml.parse(data)) is not None:
            ElementTree.indent(element)
            return ElementTree.tostring(element, encoding="unicode")
        if isinstance(data, str):
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            return _hex(data)
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)


def _hex(data: bytes, limit: int = 4096) -> str:
    rows = [data[start : start + 16] for start in range(0, min(len(data), limit), 16)]
    lines = [f"{number * 16:06x}  {row.hex(' '):<47}  {_printable(row)}" for number, row in enumerate(rows)]
    return "\n".join([*lines, f"… {len(data) - limit} bytes more"] if len(data) > limit else lines)


def _printable(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
