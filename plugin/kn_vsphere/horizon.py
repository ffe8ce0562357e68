"""`kn vsphere horizon`: create, delete and list HorizonSources."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import manage, sink
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.grammar import Invocation
from kn_vsphere.listing import Listing, print_list
from sources.kinds import HORIZON_SOURCES

LISTING = Listing(HORIZON_SOURCES, "Horizon sources", "HORIZON")


def create(call: Call) -> None:
    """Create a source."""
    require(call.flags, "name", "name", "name")
    require(call.flags, "address", "address", "address")
    require(call.flags, "secret-ref", "secret-ref", "secret reference")
    sink.check(call.flags)
    manage.create(call, HORIZON_SOURCES, source, "Horizon source")


def delete(call: Call) -> None:
    """Delete a source."""
    manage.delete_named(call, HORIZON_SOURCES, "Horizon source")
    call.print("Deleted Horizon source")


def list_(call: Call) -> None:
    """List sources."""
    print_list(call, LISTING)


def source(flags: Invocation, namespace: str) -> Object:
    """Return the HorizonSource that the flags of `horizon create` mean. Raises `CommandError`."""
    spec: dict[str, Any] = {
        **manage.server_fields(flags, "address", "source"),
        "sink": sink.destination(flags, namespace),
        "serviceAccountName": flags.text("service-account-name"),
    }
    return manage.manifest(HORIZON_SOURCES, flags.text("name"), namespace, spec)
