"""Logins to a vCenter, with faults in the words of govmomi, which scripts of the predecessor's users match."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

from kn_vsphere import logs
from kn_vsphere.call import Call
from kn_vsphere.errors import CommandError
from pipeline.settings.variable import Secret
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.privileges import READ_EVENTS, missing
from vsphere.session import Session
from vsphere.settings import VCenterSettings

TIMEOUT_SECONDS = 15.0


@contextlib.contextmanager
def connected(call: Call, settings: VCenterSettings) -> Iterator[Session]:
    """Yield a session at the vCenter of *settings*, and log out. Raises `VCenterRejected` and `VCenterUnavailable`."""
    logs.configure(call)
    current = Session(settings, TIMEOUT_SECONDS)
    try:
        current.connect()
        yield current
    finally:
        current.close()


@contextlib.contextmanager
def session(
    call: Call, url: str, insecure: bool, username: str, password: str, insecure_flag: str
) -> Iterator[Session]:
    """Yield a session at the SDK's address *url*, and log out. Raises `CommandError`.

    *insecure_flag* is the flag to name if the certificate is not trusted.
    """
    try:
        with connected(call, settings(url, insecure, username, password)) as current:
            yield current
    except (VCenterRejected, VCenterUnavailable) as error:
        raise CommandError(f"failed to authenticate with vCenter: {explain(error, url, insecure_flag)}") from error


def settings(url: str, insecure: bool, username: str, password: str) -> VCenterSettings:
    """Return the settings of a login that is not in a file."""
    nowhere = Path("/nonexistent")
    return VCenterSettings(url, insecure, None, username, Secret(password), nowhere, (), None)


def explain(error: Exception, url: str, insecure_flag: str) -> str:
    """Return govmomi's words for a login that failed, and what to do."""
    cause = error.__cause__
    fault = str(getattr(cause, "msg", "") or "")
    if fault and not isinstance(cause, OSError):
        return f"ServerFaultCode: {fault}"
    if untrusted := _certificate_error(cause):
        return (
            f'Post "{url}": tls: failed to verify certificate: {untrusted.verify_message}. Trust its authority, or use '
            f"{insecure_flag} for a test"
        )
    reason = getattr(cause, "strerror", "") or str(cause or error)
    return f'Post "{url}": {reason}. Check the address, and that this machine reaches it'


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


class PrivilegeReport:
    """The result of `auth check`, vCenter by vCenter."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._faults: list[str] = []

    def print(self, url: str, insecure: bool, username: str, password: str) -> None:
        """Log in to one vCenter, and print what the account may do there."""
        try:
            with session(self._call, url, insecure, username, password, "--skip-tls-verify") as current:
                lacking = missing(current, READ_EVENTS)
                version = current.api_version
        except CommandError as error:
            self._faults.append(f"{url}: {error}")
            return
        self._call.print(f"{url}: logged in as {username} (vSphere API {version})")
        for privilege in READ_EVENTS:
            self._call.print(f"  {'!!' if privilege in lacking else '++'} {privilege}")
        if lacking:
            self._faults.append(f"{url}: {username} lacks {', '.join(lacking)} on the root folder. {remedy(username)}")

    def finish(self) -> None:
        """Raise `CommandError` if something is missing."""
        if self._faults:
            raise CommandError("\n".join(self._faults))
        self._call.print("The account can read all events.")


def remedy(username: str) -> str:
    """Return how to give an account the privileges that reading events needs."""
    return (
        "Give it the role Read-only on the vCenter object, with Propagate to children (vSphere Client: Permissions, "
        f"Add), or run: govc permissions.set -principal {username} -role ReadOnly -propagate=true /"
    )
