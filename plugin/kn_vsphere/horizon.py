"""`kn vsphere horizon`: create, delete and list HorizonSources."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import address, sink, waiting
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.kinds import HORIZON_SOURCES
from kn_vsphere.listing import Listing, print_list
from kn_vsphere.manage import delete_named, manifest
from kn_vsphere.site import at_site, failing

LISTING = Listing(HORIZON_SOURCES, "Horizon sources", "HORIZON")


def create(call: Call) -> None:
    """Create a source."""
    require(call.flags, "name", "name", "name")
    require(call.flags, "address", "address", "address")
    require(call.flags, "secret-ref", "secret-ref", "secret reference")
    sink.check(call.flags)
    with at_site(call) as site:
        created = source(call.flags, site.namespace)
        with failing("failed to create Horizon source", site.url):
            site.client.create(HORIZON_SOURCES, created)
        call.print("Created Horizon source")
        waiting.wait_if_set(call, site, HORIZON_SOURCES)


def delete(call: Call) -> None:
    """Delete a source."""
    delete_named(call, HORIZON_SOURCES, "Horizon source")
    call.print("Deleted Horizon source")


def list_(call: Call) -> None:
    """List sources."""
    print_list(call, LISTING)


def source(flags: Invocation, namespace: str) -> Object:
    """Return the HorizonSource that the flags of `horizon create` mean. Raises `CommandError`."""
    try:
        url = address.check(flags.text("address"))
    except ValueError as error:
        raise CommandError(f"failed to parse source address: {error}") from error
    spec: dict[str, Any] = {
        "address": url,
        "skipTLSVerify": flags.is_set("skip-tls-verify"),
        "secretRef": {"name": flags.text("secret-ref")},
        "sink": sink.destination(flags, namespace),
        "serviceAccountName": flags.text("service-account-name"),
    }
    return manifest(HORIZON_SOURCES, flags.text("name"), namespace, spec)
