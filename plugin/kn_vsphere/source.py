"""`kn vsphere source`: create, delete and list VSphereSources."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import address, sink, waiting
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.kinds import VSPHERE_SOURCES
from kn_vsphere.listing import Listing, print_list
from kn_vsphere.manage import delete_named, manifest
from kn_vsphere.site import at_site, failing

LISTING = Listing(VSPHERE_SOURCES, "sources", "VCENTER")
ENCODINGS = ("xml", "json")


def create(call: Call) -> None:
    """Create a source."""
    check_create(call.flags)
    with at_site(call) as site:
        created = source(call.flags, site.namespace)
        with failing("failed to create source", site.url):
            site.client.create(VSPHERE_SOURCES, created)
        call.print("Created source")
        waiting.wait_if_set(call, site, VSPHERE_SOURCES)


def delete(call: Call) -> None:
    """Delete a source."""
    delete_named(call, VSPHERE_SOURCES, "source")
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
    try:
        url = address.check(flags.text("vc-address"))
    except ValueError as error:
        raise CommandError(f"failed to parse source address: {error}") from error
    spec: dict[str, Any] = {
        "address": url,
        "skipTLSVerify": flags.is_set("skip-tls-verify"),
        "secretRef": {"name": flags.text("secret-ref")},
        "sink": sink.destination(flags, namespace),
        "payloadEncoding": f"application/{flags.text('encoding').lower()}",
        "checkpointConfig": {
            "maxAgeSeconds": int(flags.seconds("checkpoint-age")),
            "periodSeconds": int(flags.seconds("checkpoint-period")),
        },
        "serviceAccountName": flags.text("service-account-name"),
    }
    return manifest(VSPHERE_SOURCES, flags.text("name"), namespace, spec)
