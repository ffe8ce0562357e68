"""vSphere's data types as the predecessor knew them, for encoding: what an event's class has, in which order, of
which kind.

The tables are pyVmomi's own type information; this module only reads them, it never talks to a server. Two facts are
added, both of the predecessor's Go types (govmomi): how far they reached (`PREDECESSOR`), and which optional numbers
are pointers there, so that unset is null and not 0 (`NULL_NUMBERS`).
"""

import dataclasses
import enum
import functools
from typing import Any

from pyVmomi import VmomiSupport

NAMESPACE = "urn:vim25"

PREDECESSOR = "vim.version.v7_0_1_0"
"""The newest API version whose properties the predecessor always wrote (golden: `SevEnabled` of 7.0 U1 is its last).
A newer property is written only where it is set, so that nothing is lost and nothing is added to what users know."""

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
"""What is on the wire wherever pyVmomi declares a fault: the fault and its localized message."""

ABSTRACT = frozenset({FAULT, "TaskReason"})
"""Types of which only subtypes exist: a required property of such a type that is absent is null, not an empty
object."""


class Kind(enum.Enum):
    """What a property's value is."""

    TEXT = "text"
    WHOLE = "whole number"
    REAL = "real number"
    FLAG = "boolean"
    TIME = "date and time"
    BINARY = "base64"
    BYTES = "a list of numbers from -128 to 127"
    REFERENCE = "managed object reference"
    OBJECT = "data object"
    ANY = "anything: the element itself says what"

    __hash__ = object.__hash__  # Enum's own is written in Python, and looked up once for every property of every event


@dataclasses.dataclass(frozen=True, slots=True)
class Property:
    """One property of a data type."""

    name: str
    """On vCenter's wire: `fullFormattedMessage`."""
    json_name: str
    """In JSON: `FullFormattedMessage`."""
    kind: Kind
    type_name: str
    """The declared type of an OBJECT; the element may name a subtype."""
    is_list: bool
    required: bool
    nullable: bool
    """Unset is null in JSON, and set is written to XML even when it is 0 or false."""
    always: bool
    """Written to JSON even when unset."""


@functools.cache
def properties(type_name: str) -> tuple[Property, ...] | None:
    """The properties of the data type *type_name* (`VmPoweredOnEvent`), inherited ones first; None for an unknown
    type."""
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


def is_event(type_name: str) -> bool:
    """Whether *type_name* is an event class that pyVmomi knows: `VmPoweredOnEvent`."""
    return _is(type_name, "Event")


def is_entity(type_name: str) -> bool:
    """Whether *type_name* is a type of managed entity: `VirtualMachine`, `Folder`, …"""
    return _is(type_name, "ManagedEntity")


def _is(type_name: str, base: str) -> bool:
    try:
        return issubclass(VmomiSupport.GetWsdlType(NAMESPACE, type_name), VmomiSupport.GetWsdlType(NAMESPACE, base))
    except KeyError:
        return False


def _owners(data_type: Any) -> dict[str, str]:
    """Property name → the type that declares it."""
    owners: dict[str, str] = {}
    for base in reversed(data_type.__mro__):
        for info in getattr(base, "_propList", ()):
            owners.setdefault(info.name, base._wsdlName)
    return owners


def _property(owner: str, info: Any) -> Property:
    value_type = info.type
    is_list = False
    kind = _kind(value_type)
    if kind is None:
        is_list = issubclass(value_type, list)
        value_type = getattr(value_type, "Item", value_type)
        kind = _kind(value_type) or Kind.OBJECT
    type_name = value_type._wsdlName if kind is Kind.OBJECT else ""
    if type_name == FAULT and owner != WRAPPED_FAULT:
        type_name = WRAPPED_FAULT
    required = not info.flags & VmomiSupport.F_OPTIONAL
    nullable = kind in (Kind.FLAG, Kind.TIME, Kind.REFERENCE, Kind.OBJECT, Kind.ANY)
    return Property(
        name=info.name,
        json_name=info.name[0].upper() + info.name[1:],
        kind=kind,
        type_name=type_name,
        is_list=is_list,
        required=required,
        nullable=not required and (nullable or (owner, info.name) in NULL_NUMBERS),
        always=VmomiSupport.IsChildVersion(PREDECESSOR, info.version),
    )


def _kind(value_type: Any) -> Kind | None:
    """The kind of a scalar or object type; None for a list."""
    if value_type is VmomiSupport.GetVmodlType("byte[]"):
        return Kind.BYTES
    if issubclass(value_type, VmomiSupport.binary):
        return Kind.BINARY
    if issubclass(value_type, list):
        return None
    kinds = (
        (Kind.FLAG, bool),
        (Kind.WHOLE, int),
        (Kind.REAL, float),
        (Kind.TIME, VmomiSupport.datetime),
        (Kind.REFERENCE, VmomiSupport.ManagedObject),
        (Kind.OBJECT, VmomiSupport.DataObject),
    )
    for kind, base in kinds:
        if issubclass(value_type, base):
            return kind
    # Text: strings, enumerations, URIs, and the names of types, methods and properties.
    return Kind.ANY if value_type is object else Kind.TEXT
