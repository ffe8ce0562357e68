"""The names of the objects that belong to a source. Pure.

They are the predecessor's, so that its objects are continued: changing one would lose a checkpoint.
"""

import hashlib

MAX_NAME = 63
"""The length of a DNS label, which limits the names of most objects and the values of labels."""

SOURCE_LABEL = "vspheresources.sources.tanzu.vmware.com/name"
"""The label of a VSphereSource's Deployment and pods. Its value is `label_value` of the source's name."""

_MD5_LENGTH = 32
_HEAD = MAX_NAME - _MD5_LENGTH


def child_name(parent: str, suffix: str) -> str:
    """Return *parent* + *suffix*, or a name of 63 characters with a hash of *parent* if that would be longer.

    This is Knative's `kmeta.ChildName`.
    """
    if len(parent) + len(suffix) <= MAX_NAME:
        return parent + suffix
    if len(suffix) < _HEAD:
        return parent[: _HEAD - len(suffix)] + _md5(parent) + suffix
    name = (parent[:_HEAD] + _md5(parent + suffix) + suffix)[:MAX_NAME]
    while not name[-1].isalnum():
        name = name[:-1]
    return name


def adapter_name(source: str) -> str:
    """Return the name of the Deployment of a VSphereSource or HorizonSource."""
    return child_name(source, "-adapter")


def config_map_name(source: str) -> str:
    """Return the name of the ConfigMap that keeps a source's checkpoint."""
    return child_name(source, "-configmap")


def binding_name(source: str) -> str:
    """Return the name of a VSphereSource's VSphereBinding."""
    return child_name(source, "-vspherebinding")


def role_name(source: str) -> str:
    """Return the name of the Role on a source's ConfigMap."""
    return child_name(source, "-checkpoint")


def role_binding_name(source: str) -> str:
    """Return the name of the RoleBinding that gives a source's adapter that Role."""
    return child_name(source, "-rolebinding")


def label_value(source: str) -> str:
    """Return the name of a source as a label's value: the name itself unless it is longer than 63 characters."""
    return child_name(source, "")


def service_account_name(spec: dict[str, object]) -> str:
    """Return the name of the ServiceAccount that a source's adapter runs as."""
    return str(spec.get("serviceAccountName") or "default")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
