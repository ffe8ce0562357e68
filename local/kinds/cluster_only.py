"""Kinds without a meaning on one machine: there is one machine, and one user."""

from local.fields import Field
from local.objects import Name, Object
from local.run import Kind


def _read(_: Name, __: Field) -> None:
    return


KINDS = (
    Kind("v1", "Namespace", Object, _read),
    Kind("v1", "ServiceAccount", Object, _read),
    Kind("networking.k8s.io/v1", "NetworkPolicy", Object, _read),
    Kind("rbac.authorization.k8s.io/v1", "Role", Object, _read),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", Object, _read),
)
