"""A vCenter event becomes a CloudEvent: pure, with no clock, network or environment.

The payload is decoded by the schema where that knows a type or property, and as text where it does not: no event is too
odd to be delivered. `tests/golden/` holds the wire contract (attributes, JSON and XML as the predecessor wrote them).
"""

import re

from pipeline import bounds
from pipeline.cloudevents import CloudEvent
from vsphere import severity
from vsphere.catalog import Catalog
from vsphere.element import child, child_text, local_name, reference_text
from vsphere.event import VCenterEvent
from vsphere.json_payload import to_json
from vsphere.xml_payload import to_xml

_UTC_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z", re.ASCII
).fullmatch
"""A time as vCenter writes it, which is passed on as it is."""

JSON = "application/json"
XML = "application/xml"
TYPE_PREFIX = "com.vmware.vsphere."
TYPE_SUFFIX = ".v0"

_SUBJECT_ARGUMENTS = (
    # Of an alarm or task, its entity. Of another event, the most specific object that it names.
    ("entity", "entity"),
    ("vm", "vm"),
    ("host", "host"),
    ("ds", "datastore"),
    ("dvs", "dvs"),
    ("net", "network"),
    ("computeResource", "computeResource"),
    ("datacenter", "datacenter"),
)


def to_cloudevent(
    event: VCenterEvent, source: str, api_version: str, encoding: str = JSON, types: Catalog | None = None
) -> CloudEvent:
    """Return *event* as a CloudEvent, with its payload in *encoding*, `JSON` or `XML`.

    *source* is the vCenter's SDK address, *api_version* its API's version. With the catalogue *types*, the CloudEvent
    has its severity, if the event or the catalogue knows it. The `partitionkey` is the subject, or else the source: a
    Broker on Kafka keeps the order of the events with the same one.
    """
    attributes = {
        "specversion": "1.0",
        "type": event_type(event),
        "source": source,
        "id": str(event.key),
        "time": event_time(event),
        "eventclass": {"EventEx": "eventex", "ExtendedEvent": "extendedevent"}.get(event.class_name, "event"),
        "vsphereapiversion": api_version[: bounds.VCENTER_NAME_CHARACTERS],
        "datacontenttype": encoding,
        "partitionkey": source,
    }
    entity = subject(event)[: bounds.VCENTER_NAME_CHARACTERS]
    if entity:
        attributes |= {"subject": entity, "partitionkey": entity}
    if types is not None:
        attributes |= severity.attributes(_severity(event, types))
    return CloudEvent(attributes, to_json(event) if encoding == JSON else to_xml(event))


def _severity(event: VCenterEvent, types: Catalog) -> str | None:
    """Return the severity that the event itself has, or an alarm's colour, or else its type's in *types*."""
    own = child_text(event.element, "to" if event.class_name == "AlarmStatusChangedEvent" else "severity")
    return severity.from_word(own) or severity.from_word(types.category(type_name(event)))


def event_type(event: VCenterEvent) -> str:
    """Return the CloudEvents type: from the class, or from `eventTypeId` for the classes that carry any type."""
    return f"{TYPE_PREFIX}{type_name(event)[: bounds.VCENTER_NAME_CHARACTERS]}{TYPE_SUFFIX}"


def type_name(event: VCenterEvent) -> str:
    """Return the class, or `eventTypeId` for the classes that carry any type."""
    name = event.class_name
    return (child_text(event.element, "eventTypeId") if name in ("EventEx", "ExtendedEvent") else "") or name


def event_time(event: VCenterEvent) -> str:
    """Return the event's time in RFC 3339, UTC, with all the digits that vCenter sent."""
    text = child_text(event.element, "createdTime")
    return text if _UTC_TIME(text) else event.created_time.isoformat().replace("+00:00", "Z")


def subject(event: VCenterEvent) -> str:
    """Return the managed entity that the event concerns, `VirtualMachine/vm-12`, or "" if it names none."""
    properties = {local_name(element.tag): element for element in event.element}
    for argument, reference in _SUBJECT_ARGUMENTS:
        if argument in properties:
            entity = reference_text(child(properties[argument], reference))
            if entity:
                return entity
    if "info" in properties:
        entity = reference_text(child(properties["info"], "entity"))
        if entity:
            return entity
    if event.class_name == "EventEx":
        managed_type, identity = child_text(event.element, "objectType"), child_text(event.element, "objectId")
        return f"{managed_type}/{identity}" if managed_type and identity else ""
    return reference_text(properties.get("managedObject"))
