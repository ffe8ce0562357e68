"""`kn vsphere binding`: create, delete and list VSphereBindings."""

from typing import Any

from cluster.resources import Object
from kn_vsphere import address, manage, selector
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.listing import Listing, print_list
from sources.kinds import VSPHERE_BINDINGS

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
    manage.create(call, VSPHERE_BINDINGS, binding, "Binding", "binding")


def delete(call: Call) -> None:
    """Delete a binding."""
    manage.delete_named(call, VSPHERE_BINDINGS, "binding")
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
    spec: dict[str, Any] = {
        **manage.server_fields(flags, "vc-address", "binding"),
        "subject": _subject(flags, namespace),
    }
    return manage.manifest(VSPHERE_BINDINGS, flags.text("name"), namespace, spec)


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
