"""vCenter's errors, and the one translation into them.

pyVmomi, the HTTP client, the network and the parser raise errors of their own. `translate_errors` turns these into the
program's two families, temporary and permanent, with a message that says what was attempted, what came back and what
to do.
"""

import contextlib
import http.client
import ssl
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from pipeline.errors import ObjectNotFound, PermanentError, TemporaryError, cut
from pipeline.http_client import NoResponse

SESSION_PRIVILEGES = frozenset({"System.Anonymous", "System.View", "System.Read"})
"""Every session has these on its own objects. If one is missing there, the session has ended."""


class VCenterUnavailable(TemporaryError):
    """vCenter cannot be reached, is restarting, or has ended the session."""


class VCenterRejected(PermanentError):
    """vCenter rejects the login, its certificate is not trusted, or the account lacks a privilege."""


_NO_RESPONSE = (
    OSError, http.client.HTTPException, NoResponse, ExpatError, ElementTree.ParseError, EOFError, zlib.error
)  # fmt: skip
"""The network's and the parsers' errors."""


@contextlib.contextmanager
def translate_errors(operation: str, *, on_object: bool = False) -> Iterator[None]:
    """Raise what *operation* ("log in to …") raises as `VCenterUnavailable` or `VCenterRejected`.

    *on_object*: the operation is on an object of the inventory. Then a missing object is an `ObjectNotFound`, and any
    missing privilege is the account's. Otherwise the operation is on the session's own objects, such as a collector:
    these are missing, or cannot be read, when the session has ended.
    """
    try:
        yield
    except vim.fault.InvalidLogin as fault:
        raise VCenterRejected(f"{operation}: vCenter rejects user name and password") from fault
    except vim.fault.NotAuthenticated as fault:
        raise VCenterUnavailable(f"{operation}: the session has ended") from fault
    except vim.fault.NoPermission as fault:
        if not on_object and fault.privilegeId in SESSION_PRIVILEGES:
            raise VCenterUnavailable(
                f"{operation}: the session has ended, or its user may not read events ({fault.privilegeId})"
            ) from fault
        raise VCenterRejected(f"{operation}: the account lacks the privilege {fault.privilegeId}") from fault
    except vmodl.MethodFault as fault:
        if on_object and isinstance(fault, vmodl.fault.ManagedObjectNotFound):
            raise ObjectNotFound(f"{operation}: it does not exist any more") from fault
        raise VCenterUnavailable(f"{operation}: {type(fault).__name__}: {cut(str(fault.msg or ''))}") from fault
    except _NO_RESPONSE as error:
        untrusted = _certificate_error(error)
        if untrusted is not None:
            raise VCenterRejected(
                f"{operation}: its certificate is not trusted ({untrusted.verify_message}); set VC_CA_BUNDLE to a file "
                "with the authority that signed it, or VC_INSECURE=true for a test"
            ) from error
        raise VCenterUnavailable(f"{operation}: {cut(str(error)) or type(error).__name__}") from error


def check_status(operation: str, status: int, body: str) -> None:
    """Raise the error that the HTTP *status* of a response of vCenter's REST API stands for.

    Raises `VCenterRejected` for 403 and `VCenterUnavailable` for any other from 300.
    """
    if status == 403:  # also the response for an object that does not exist any more
        raise VCenterRejected(f"{operation}: the account lacks a privilege, or the object does not exist: {cut(body)}")
    if status >= 300:
        raise VCenterUnavailable(f"{operation}: {status} {cut(body)}")


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the certificate's error that *error* is or was caused by: HTTP clients wrap it more than once."""
    while error is not None:
        # aiohttp's own is one by its type, too, but has none of the fields.
        if isinstance(error, ssl.SSLCertVerificationError) and hasattr(error, "verify_message"):
            return error
        error = error.__cause__ or error.__context__
    return None
