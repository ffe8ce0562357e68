"""The sink of a source, as flags and as a field. Pure."""

from typing import Any

from kn_vsphere import address
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation

INCOMPLETE = """\
sink requires an URI
and/or a nonempty API version --sink-api-version option,
with a nonempty kind --sink-kind option,
and with a nonempty name with the --sink-name"""


def check(flags: Invocation) -> None:
    """Raise `CheckError` unless the flags name a URI, an object, or both."""
    coordinates = _coordinates(flags)
    if not all(coordinates) and (any(coordinates) or not flags.text("sink-uri")):
        raise CheckError(INCOMPLETE)


def destination(flags: Invocation, namespace: str) -> dict[str, Any]:
    """Return the field `sink`. Raises `CommandError` for an address that cannot be parsed."""
    version, kind, name = _coordinates(flags)
    sink: dict[str, Any] = {}
    if kind:
        sink["ref"] = {"apiVersion": version, "kind": kind, "namespace": namespace, "name": name}
    if uri := flags.text("sink-uri"):
        try:
            sink["uri"] = address.check(uri)
        except ValueError as error:
            raise CommandError(f"failed to parse sink address: {error}") from error
    return sink


def _coordinates(flags: Invocation) -> tuple[str, str, str]:
    return flags.text("sink-api-version"), flags.text("sink-kind"), flags.text("sink-name")
