"""Create and delete objects of the API server, as the flags of several commands name them."""

from typing import Any

from cluster.resources import Object, Resource
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CommandError
from kn_vsphere.site import at_site, failing


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
