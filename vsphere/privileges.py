"""The privileges of an account, asked of vCenter."""

from collections.abc import Sequence

from pyVmomi import vim

from vsphere.errors import translate_errors
from vsphere.session import Session

READ_EVENTS = ("System.Anonymous", "System.View", "System.Read")
"""The privileges on the root folder, propagated, that reading all events needs: those of the role Read-only."""


def missing(session: Session, privileges: Sequence[str]) -> list[str]:
    """Return those of *privileges* that the session's account lacks on the root folder, in order.

    Raises `VCenterUnavailable` or `VCenterRejected`.
    """
    content = session.content
    with translate_errors(f"ask {session.settings.sdk_url} for the account's privileges", on_object=True):
        try:
            granted = content.authorizationManager.HasPrivilegeOnEntity(
                content.rootFolder, content.sessionManager.currentSession.key, list(privileges)
            )
        except vim.fault.NoPermission:  # not even enough to read its own
            return list(privileges)
    return [name for name, is_granted in zip(privileges, granted, strict=True) if not is_granted]
