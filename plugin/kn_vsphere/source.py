"""`kn vsphere source`: create, delete and list VSphereSources."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import manage, sink
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CheckError
from kn_vsphere.grammar import Invocation
from kn_vsphere.listing import Listing, print_list
from sources.kinds import VSPHERE_SOURCES

LISTING = Listing(VSPHERE_SOURCES, "sources", "VCENTER")
ENCODINGS = ("xml", "json")


def create(call: Call) -> None:
    """Create a source."""
    check_create(call.flags)
    manage.create(call, VSPHERE_SOURCES, source, "source")


def delete(call: Call) -> None:
    """Delete a source."""
    manage.delete_named(call, VSPHERE_SOURCES, "source")
    call.print("Deleted source")


def list_(call: Call) -> None:
    """List sources."""
    print_list(call, LISTING)


def check_create(flags: Invocation) -> None:
    """Raise `CheckError` for the first flag that is missing or wrong."""
    require(flags, "name", "name", "name")
    require(flags, "vc-address", "address", "address")
    require(flags, "secret-ref", "secret-ref", "secret reference")
    sink.check(flags)
    if flags.text("encoding").lower() not in ENCODINGS:
        raise CheckError(f'invalid encoding scheme "{flags.text("encoding")}"')


def source(flags: Invocation, namespace: str) -> Object:
    """Return the VSphereSource that the flags of `source create` mean. Raises `CommandError`."""
    spec: dict[str, Any] = {
        **manage.server_fields(flags, "vc-address", "source"),
        "sink": sink.destination(flags, namespace),
        "payloadEncoding": f"application/{flags.text('encoding').lower()}",
        "checkpointConfig": {
            "maxAgeSeconds": int(flags.seconds("checkpoint-age")),
            "periodSeconds": int(flags.seconds("checkpoint-period")),
        },
        "serviceAccountName": flags.text("service-account-name"),
    }
    return manage.manifest(VSPHERE_SOURCES, flags.text("name"), namespace, spec)
