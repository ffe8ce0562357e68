"""vSphere's data types as the predecessor knew them: the properties of each type, in order, with their value types.

The tables are pyVmomi's own type information. This module only reads them and never calls a server. It adds two facts
about the predecessor's Go types (govmomi): the newest version that they knew (`PREDECESSOR`), and the optional numbers
that are pointers there, so that unset is null and not 0 (`NULL_NUMBERS`).
"""

import dataclasses
import enum
import functools
from typing import Any

from pyVmomi import VmomiSupport

from vsphere.element import NAMESPACE

ZERO_TIME = "0001-01-01T00:00:00Z"
"""An unset time, as Go writes it."""

PREDECESSOR = "vim.version.v7_0_1_0"
"""The newest API version whose properties the predecessor always wrote (golden: `SevEnabled` of 7.0 U1 is its last).
A newer property is written only where it is set: nothing is lost, and users get no property that they do not know."""

NULL_NUMBERS = frozenset(
    {
        ("ClusterDasAdmissionControlPolicy", "resourceReductionToToleratePercent"),
        ("DVSMacLearningPolicy", "limit"),
        ("DVSNetworkResourcePoolAllocationInfo", "limit"),
        ("DvsHostInfrastructureTrafficResourceAllocation", "limit"),
        ("DvsHostInfrastructureTrafficResourceAllocation", "reservation"),
        ("DvsVnicAllocatedResource", "reservation"),
        ("GuestPosixFileAttributes", "groupId"),
        ("GuestPosixFileAttributes", "ownerId"),
        ("HostPlacedVirtualNicIdentifier", "reservation"),
        ("LimitExceeded", "limit"),
        ("NamespaceLimitReached", "limit"),
        ("NetworkSummary", "ipPoolId"),
        ("ResourceAllocationInfo", "limit"),
        ("ResourceAllocationInfo", "overheadLimit"),
        ("ResourceAllocationInfo", "reservation"),
        ("StorageIOAllocationInfo", "limit"),
        ("StorageIOAllocationInfo", "reservation"),
        ("VirtualDevice", "unitNumber"),
        ("VirtualEthernetCardResourceAllocation", "limit"),
        ("VirtualEthernetCardResourceAllocation", "reservation"),
        ("WaitOptions", "maxWaitSeconds"),
    }
)


FAULT = "MethodFault"
WRAPPED_FAULT = "LocalizedMethodFault"
"""The type on the wire wherever pyVmomi declares a fault: the fault and its localized message."""

ABSTRACT = frozenset({FAULT, "TaskReason"})
"""Types of which only subtypes exist. If a required property of such a type is absent, it is null, not an empty
object."""


class ValueType(enum.Enum):
    """The type of a property's value."""

    TEXT = "text"
    WHOLE = "whole number"
    REAL = "real number"
    FLAG = "boolean"
    TIME = "date and time"
    BINARY = "base64"
    BYTES = "a list of numbers from -128 to 127"
    REFERENCE = "managed object reference"
    OBJECT = "data object"
    ANY = "any type, which the element names"

    __hash__ = object.__hash__  # Enum's own is written in Python, and looked up once for every property of every event


@dataclasses.dataclass(frozen=True, slots=True)
class Property:
    """One property of a data type."""

    name: str
    """On vCenter's wire: `fullFormattedMessage`."""
    json_name: str
    """In JSON: `FullFormattedMessage`."""
    value_type: ValueType
    type_name: str
    """The declared type of an OBJECT. The element may name a subtype."""
    is_list: bool
    required: bool
    nullable: bool
    """Unset is null in JSON, and set is written to XML even when it is 0 or false."""
    always: bool
    """Written to JSON even when unset."""


@functools.cache
def properties(type_name: str) -> tuple[Property, ...] | None:
    """Return the properties of the data type *type_name* (`VmPoweredOnEvent`), inherited ones first.

    None for an unknown type.
    """
    try:
        data_type = VmomiSupport.GetWsdlType(NAMESPACE, type_name)
    except KeyError:
        return None
    if not issubclass(data_type, VmomiSupport.DataObject):
        return None
    owners = _owners(data_type)
    # pyVmomi gives every fault `msg`, and LocalizedMethodFault, which only wraps a fault, a fault's own properties.
    absent = {"dynamicType", "dynamicProperty", "msg"}
    if type_name == WRAPPED_FAULT:
        absent |= {"faultCause", "faultMessage"}
    return tuple(_property(owners[info.name], info) for info in data_type._GetPropertyList() if info.name not in absent)


def known_properties(type_name: str, declared: str) -> tuple[Property, ...]:
    """Return the properties of *type_name* if it is known, else those of *declared*, else those of every event."""
    known = properties(type_name or declared)
    if known is None:
        known = properties(declared)
    if known is None and declared.endswith("Event"):
        known = properties("Event")
    return known or ()


def is_event(type_name: str) -> bool:
    """Return whether *type_name* is an event class that pyVmomi knows: `VmPoweredOnEvent`."""
    return _is(type_name, "Event")


def is_entity(type_name: str) -> bool:
    """Return whether *type_name* is a type of managed entity: `VirtualMachine`, `Folder`, …"""
    return _is(type_name, "ManagedEntity")


def _is(type_name: str, base: str) -> bool:
    try:
        return issubclass(VmomiSupport.GetWsdlType(NAMESPACE, type_name), VmomiSupport.GetWsdlType(NAMESPACE, base))
    except KeyError:
        return False


def _owners(data_type: Any) -> dict[str, str]:
    """Return the type that declares each property, by the property's name."""
    owners: dict[str, str] = {}
    for base in reversed(data_type.__mro__):
        for info in getattr(base, "_propList", ()):
            owners.setdefault(info.name, base._wsdlName)
    return owners


def _property(owner: str, info: Any) -> Property:
    item = info.type
    is_list = False
    value_type = _value_type(item)
    if value_type is None:
        is_list = issubclass(item, list)
        item = getattr(item, "Item", item)
        value_type = _value_type(item) or ValueType.OBJECT
    type_name = item._wsdlName if value_type is ValueType.OBJECT else ""
    if type_name == FAULT and owner != WRAPPED_FAULT:
        type_name = WRAPPED_FAULT
    required = not info.flags & VmomiSupport.F_OPTIONAL
    return Property(
        name=info.name,
        json_name=info.name[0].upper() + info.name[1:],
        value_type=value_type,
        type_name=type_name,
        is_list=is_list,
        required=required,
        nullable=not required and (value_type in _NULLABLE or (owner, info.name) in NULL_NUMBERS),
        always=VmomiSupport.IsChildVersion(PREDECESSOR, info.version),
    )


_NULLABLE = (ValueType.FLAG, ValueType.TIME, ValueType.REFERENCE, ValueType.OBJECT, ValueType.ANY)


def _value_type(declared: Any) -> ValueType | None:
    """Return the value type of pyVmomi's type *declared*. None for a list."""
    if declared is VmomiSupport.GetVmodlType("byte[]"):
        return ValueType.BYTES
    if issubclass(declared, VmomiSupport.binary):
        return ValueType.BINARY
    if issubclass(declared, list):
        return None
    bases = (
        (ValueType.FLAG, bool),
        (ValueType.WHOLE, int),
        (ValueType.REAL, float),
        (ValueType.TIME, VmomiSupport.datetime),
        (ValueType.REFERENCE, VmomiSupport.ManagedObject),
        (ValueType.OBJECT, VmomiSupport.DataObject),
    )
    for value_type, base in bases:
        if issubclass(declared, base):
            return value_type
    # Text: strings, enumerations, URIs, and the names of types, methods and properties.
    return ValueType.ANY if declared is object else ValueType.TEXT
