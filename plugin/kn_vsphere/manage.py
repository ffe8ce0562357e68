"""Create and delete objects of the API server, as the flags of several commands name them."""

from collections.abc import Callable
from typing import Any

from cluster.resources import Object, Resource
from kn_vsphere import address, waiting
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.site import at_site, failing


def create(
    call: Call, resource: Resource, built: Callable[[Invocation, str], Object], noun: str, printed: str = ""
) -> None:
    """Create the object that *built* makes of the flags and the namespace. Wait for it with `--wait`.

    The error says *noun*. The success line says *printed*, if it differs. Raises `CommandError`.
    """
    with at_site(call) as site:
        obj = built(call.flags, site.namespace)
        with failing(f"failed to create {noun}", site.url):
            site.client.create(resource, obj)
        call.print(f"Created {printed or noun}")
        waiting.wait_if_set(call, site, resource)


def server_fields(flags: Invocation, address_flag: str, noun: str) -> dict[str, Any]:
    """Return the fields of a spec that say which server to log in to. Raises `CommandError`."""
    try:
        url = address.check(flags.text(address_flag))
    except ValueError as error:
        raise CommandError(f"failed to parse {noun} address: {error}") from error
    return {
        "address": url,
        "skipTLSVerify": flags.is_set("skip-tls-verify"),
        "secretRef": {"name": flags.text("secret-ref")},
    }


def manifest(resource: Resource, name: str, namespace: str, spec: dict[str, Any]) -> Object:
    """Return the object *name* with the fields of *spec* that are not empty."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {field: value for field, value in spec.items() if value not in ("", False)},
    }


def delete_named(call: Call, resource: Resource, noun: str) -> str:
    """Delete the object that `--name` names, and return its name. Raises `CommandError`, also if there is none."""
    name = require(call.flags, "name", "name", "name")
    with at_site(call) as site, failing(f"failed to delete {noun}", site.url):
        if not site.client.delete(resource, site.namespace, name):
            raise CommandError(f'failed to delete {noun}: {resource.qualified} "{name}" not found')
    return name
