"""vCenter's errors: what pyVmomi, the network and the parser raise, turned into the program's two families."""

import contextlib
import http.client
import ssl
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from pipeline.errors import PermanentError, TemporaryError, cut

SESSION_PRIVILEGES = frozenset({"System.Anonymous", "System.View", "System.Read"})
"""Every session has these on the event history: where one is missing, the session has ended."""


class VCenterUnavailable(TemporaryError):
    """vCenter cannot be reached, is restarting, or has ended the session."""


class VCenterRejected(PermanentError):
    """vCenter does not accept the login, or its certificate is not trusted, or a privilege is missing."""


@contextlib.contextmanager
def speaking(what: str) -> Iterator[None]:
    """Turn what pyVmomi, the network and the parser raise into this module's two errors, in words."""
    try:
        yield
    except vim.fault.InvalidLogin as fault:
        raise VCenterRejected(f"{what}: vCenter refuses user name and password") from fault
    except vim.fault.NoPermission as fault:  # NotAuthenticated is one, too
        if isinstance(fault, vim.fault.NotAuthenticated) or fault.privilegeId in SESSION_PRIVILEGES:
            raise VCenterUnavailable(
                f"{what}: the session has ended, or its user may not read events ({fault.privilegeId})"
            ) from fault
        raise VCenterRejected(f"{what}: the privilege {fault.privilegeId} is missing") from fault
    except vmodl.MethodFault as fault:
        raise VCenterUnavailable(f"{what}: {type(fault).__name__}: {cut(str(fault.msg or ''))}") from fault
    except ssl.SSLCertVerificationError as error:
        raise VCenterRejected(
            f"{what}: its certificate is not trusted ({error.verify_message}); set VC_CA_BUNDLE to a file with the "
            "authority that signed it, or VC_INSECURE=true for a test"
        ) from error
    except (OSError, http.client.HTTPException, ExpatError, ElementTree.ParseError, EOFError, zlib.error) as error:
        raise VCenterUnavailable(f"{what}: {cut(str(error)) or type(error).__name__}") from error
