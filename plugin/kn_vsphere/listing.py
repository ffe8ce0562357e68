"""`list`: objects of a kind as a table, or in the formats of kubectl."""

import datetime
from typing import Any, NamedTuple

from cluster.resources import Object, Resource
from kn_vsphere import ages, formats, table
from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError
from kn_vsphere.site import at_site, failing
from sources.conditions import READY, read


class Listing(NamedTuple):
    """A kind whose objects are listed."""

    resource: Resource
    nouns: str
    """`sources`, in the sentence for none."""
    address_title: str
    """The title of the column with the address."""


def print_list(call: Call, listing: Listing) -> None:
    """Print the objects that the flags of `list` ask for. Raises `CommandError`."""
    flags = call.flags
    everywhere = flags.is_set("all-namespaces")
    if everywhere and flags.text("namespace"):
        raise CheckError("'--namespace' and '--all-namespaces' options are mutually exclusive")
    print_formatted = formats.printer(flags)
    with at_site(call) as site, failing(f"list {listing.nouns}", site.url):
        namespace = "" if everywhere else site.namespace
        keeps = flags.is_set("show-managed-fields")
        items = site.client.list(listing.resource, namespace, managed_fields=keeps).items
    if print_formatted:
        document = {
            "apiVersion": listing.resource.api_version,
            "kind": f"{listing.resource.kind}List",
            "metadata": {},
            "items": items,
        }
        call.out.write(print_formatted(document, listing.resource))
    elif items:
        rows = table_rows(items, listing.address_title, everywhere, datetime.datetime.now(datetime.UTC))
        for line in table.lines(rows[1:] if flags.is_set("no-headers") else rows):
            call.print(line)
    else:
        call.print(f"No {listing.nouns} found.")


def table_rows(items: list[Object], address_title: str, everywhere: bool, now: datetime.datetime) -> list[list[str]]:
    """Return the rows of the table of *items*, titles first."""
    titles = [*(["NAMESPACE"] if everywhere else []), "NAME", address_title, "INSECURE", "CREDENTIALS", "AGE"]
    return [[*titles, "CONDITIONS", "READY", "REASON"], *(_row(item, everywhere, now) for item in items)]


def _row(item: Object, everywhere: bool, now: datetime.datetime) -> list[str]:
    metadata, spec = item["metadata"], item.get("spec") or {}
    conditions: list[dict[str, Any]] = (item.get("status") or {}).get("conditions") or []
    ready = read(conditions, READY)
    reason = ages.UNKNOWN
    if ready:
        parts = [part for part in (ready.reason, ready.message) if part]
        reason = "" if ready.status == "True" else " : ".join(parts)
    return [
        *([metadata["namespace"]] if everywhere else []),
        metadata["name"],
        str(spec.get("address", "")),
        str(bool(spec.get("skipTLSVerify"))).lower(),
        str((spec.get("secretRef") or {}).get("name", "")),
        ages.age(metadata.get("creationTimestamp"), now),
        f"{sum(entry.get('status') == 'True' for entry in conditions)} OK / {len(conditions)}",
        ready.status if ready else ages.UNKNOWN,
        reason,
    ]
