"""An example of an event type: the CloudEvent as the poller would send it, and a Trigger. It calls no server."""

import re
from xml.etree.ElementTree import Element, SubElement

from pipeline.cloudevents import CloudEvent
from pipeline.times import utc
from vsphere.catalog import EventType
from vsphere.cloudevent import TYPE_PREFIX, TYPE_SUFFIX, to_cloudevent
from vsphere.element import NAMESPACED
from vsphere.event import from_element
from vsphere.schema import Property, ValueType, is_event, properties

SOURCE = "https://vcenter.example/sdk"
TIME = "2026-11-25T08:00:00Z"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TEXTS = {
    "key": "4711",
    "chainId": "4711",
    "createdTime": TIME,
    "userName": "VSPHERE.LOCAL\\Administrator",
    "severity": "warning",
}
_OBJECTS = {
    "datacenter": ("Datacenter", "datacenter-2", "Berlin"),
    "computeResource": ("ClusterComputeResource", "domain-c8", "Cluster 1"),
    "host": ("HostSystem", "host-12", "esx-1.example"),
    "vm": ("VirtualMachine", "vm-42", "web-1"),
    "ds": ("Datastore", "datastore-11", "ssd-1"),
    "datastore": ("Datastore", "datastore-11", "ssd-1"),
    "net": ("Network", "network-13", "VM Network"),
    "dvs": ("VmwareDistributedVirtualSwitch", "dvs-21", "Switch 1"),
}
"""Property → type, id and name of a managed object."""
_VALUES = {
    ValueType.TEXT: "example",
    ValueType.WHOLE: "1",
    ValueType.REAL: "1.0",
    ValueType.FLAG: "false",
    ValueType.TIME: TIME,
}


def cloudevent(entry: EventType) -> CloudEvent:
    """Return an example of *entry* with the properties of its class."""
    name = entry.name if is_event(entry.name) else "EventEx"
    element = Element(f"{NAMESPACED}Event", {_TYPE: name})
    known = properties(name) or ()
    objects = {"vm", "host", "computeResource", "datacenter"} if name.startswith("Vm") else {"host", "datacenter"}
    for property_ in known:
        _add(element, property_, objects, entry)
    return to_cloudevent(from_element(element, utc(TIME)), SOURCE, "8.0.3.0")


def cloudevents_type(name: str) -> str:
    """Return the CloudEvents type of an event class or type id."""
    return f"{TYPE_PREFIX}{name}{TYPE_SUFFIX}"


def trigger_name(name: str) -> str:
    """Return a name of a Trigger for an event class or type id: `vm-powered-off`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name.removesuffix("Event"))
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:63].strip("-")


def trigger(name: str, broker: str, sink: str) -> str:
    """Return a Trigger, as YAML, that sends events of the type *name* to the Service *sink*."""
    return f"""\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: {trigger_name(name)}
spec:
  broker: {broker}
  filter:
    attributes:
      type: {cloudevents_type(name)}
  subscriber:
    ref:
      apiVersion: serving.knative.dev/v1
      kind: Service
      name: {sink}
"""


def command(name: str, broker: str, sink: str) -> str:
    """Return the command that creates the same Trigger."""
    return (
        f"kn trigger create {trigger_name(name)} --broker {broker} --filter type={cloudevents_type(name)} "
        f"--sink ksvc:{sink}"
    )


def _add(parent: Element, known: Property, objects: set[str], entry: EventType) -> None:
    if known.type_name.endswith("EventArgument"):
        if known.required or known.name in objects:
            _add_object(SubElement(parent, f"{NAMESPACED}{known.name}"), known)
        return
    texts = {**_TEXTS, "fullFormattedMessage": entry.title, "message": entry.title, "eventTypeId": entry.name}
    text = texts.get(known.name) or (_VALUES.get(known.value_type) if known.required else None)
    if text:
        SubElement(parent, f"{NAMESPACED}{known.name}").text = text


def _add_object(argument: Element, known: Property) -> None:
    kind = known.type_name.removesuffix("EventArgument")
    default = (kind, f"{kind.lower()}-1", f"{kind} 1")
    managed_type, identity, name = _OBJECTS.get(known.name, default)
    for inner in properties(known.type_name) or ():
        child = SubElement(argument, f"{NAMESPACED}{inner.name}")
        if inner.value_type is ValueType.REFERENCE:
            child.set("type", managed_type)
            child.text = identity
        else:
            child.text = name
