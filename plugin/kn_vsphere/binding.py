"""`kn vsphere binding`: create, delete and list VSphereBindings."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import address, selector, waiting
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.kinds import VSPHERE_BINDINGS
from kn_vsphere.listing import Listing, print_list
from kn_vsphere.manage import delete_named, manifest
from kn_vsphere.site import at_site, failing

LISTING = Listing(VSPHERE_BINDINGS, "bindings", "VCENTER")

NO_SUBJECT = """\
subject requires a nonempty subject name provided with the --subject-name option,
or a nonempty subject selector with the --subject-selector option"""
TWO_SUBJECTS = """\
subject can optionally be configured with one of the following flags (but several were set):
\t--subject-name, --subject-selector"""


def create(call: Call) -> None:
    """Create a binding."""
    check_create(call.flags)
    with at_site(call) as site:
        created = binding(call.flags, site.namespace)
        with failing("failed to create Binding", site.url):
            site.client.create(VSPHERE_BINDINGS, created)
        call.print("Created binding")
        waiting.wait_if_set(call, site, VSPHERE_BINDINGS)


def delete(call: Call) -> None:
    """Delete a binding."""
    delete_named(call, VSPHERE_BINDINGS, "binding")
    call.print("Deleted binding")


def list_(call: Call) -> None:
    """List bindings."""
    print_list(call, LISTING)


def check_create(flags: Invocation) -> None:
    """Raise `CheckError` for the first flag that is missing or wrong."""
    require(flags, "name", "name", "name")
    require(flags, "vc-address", "address", "address")
    require(flags, "secret-ref", "secret-ref", "secret reference")
    require(flags, "subject-api-version", "subject-api-version", "subject API version")
    require(flags, "subject-kind", "subject-kind", "subject kind")
    name, labels = flags.text("subject-name"), flags.text("subject-selector")
    if not name and not labels:
        raise CheckError(NO_SUBJECT)
    if name and labels:
        raise CheckError(TWO_SUBJECTS)


def binding(flags: Invocation, namespace: str) -> Object:
    """Return the VSphereBinding that the flags of `binding create` mean. Raises `CommandError`."""
    try:
        url = address.check(flags.text("vc-address"))
    except ValueError as error:
        raise CommandError(f"failed to parse binding address: {error}") from error
    spec: dict[str, Any] = {
        "address": url,
        "skipTLSVerify": flags.is_set("skip-tls-verify"),
        "secretRef": {"name": flags.text("secret-ref")},
        "subject": _subject(flags, namespace),
    }
    return manifest(VSPHERE_BINDINGS, flags.text("name"), namespace, spec)


def _subject(flags: Invocation, namespace: str) -> dict[str, Any]:
    """Return the field `subject`, with a name or a selector: the API server rejects both."""
    subject: dict[str, Any] = {
        "apiVersion": flags.text("subject-api-version"),
        "kind": flags.text("subject-kind"),
        "namespace": namespace,
    }
    if name := flags.text("subject-name"):
        return {**subject, "name": name}
    text = flags.text("subject-selector")
    try:
        return {**subject, "selector": selector.parse(text)}
    except ValueError as error:
        message = (
            f"failed to parse subject selector: couldn't parse the selector string {address.quoted(text)}: {error}"
        )
        raise CommandError(message) from error
