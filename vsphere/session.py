"""A vCenter session, and calls that bypass pyVmomi's parser.

pyVmomi logs in and makes most calls. Calls that return events are sent through its stub but not through its parser
(`Session.call`): that parser fails a whole batch for one event that it does not know, when the server's position is
already past the batch. `vsphere.event` reads what these calls return.
"""

import contextlib
import datetime
import gzip
import hashlib
import http.client
import re
import ssl
import time
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import structlog
from pyVmomi import SoapAdapter, SoapStubAdapter, VmomiSupport, vim

from pipeline.errors import ObjectNotFound, cut
from pipeline.payload import is_reference
from vsphere.errors import VCenterRejected, VCenterUnavailable, translate_errors
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

REQUEST_TIMEOUT_SECONDS = 60.0
"""The maximum wait for a response. A wait for updates asks the server for less (`EventHistory.wait`)."""
REJECTED_LOGIN_PAUSE_SECONDS = 60.0
"""The time for which rejected credentials are not used again. By default, vCenter locks an account after five rejected
logins within 180 s."""
_OLDEST_API = "vim.version.version9"


class Session:
    """One session, which `connect` starts and renews.

    For use by one thread at a time, except for `close` and `interrupt`, which may end a wait in another thread.
    """

    def __init__(self, settings: VCenterSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.clock_lead = datetime.timedelta()
        """The lead of vCenter's clock over ours, by the last `server_time`."""
        self.api_version = ""
        """The API's version, `8.0.3.0`. Empty before the first login."""
        self._clock = clock
        self._stub: Any = None
        self._content: Any = None
        self._waiter: Any = None
        self._rejected: tuple[str, float] | None = None

    @property
    def connected(self) -> bool:
        """True while there is a session, as far as is known here."""
        return self._content is not None

    @property
    def content(self) -> Any:
        """pyVmomi's `ServiceContent`, with the managers. Raises `VCenterUnavailable` if there is no session."""
        return self._required(self._content)

    @property
    def waiter(self) -> Any:
        """The property collector to wait for updates with. Raises like `content`."""
        return self._required(self._waiter)

    def connect(self) -> None:
        """Log in with the credentials as they are now. Does nothing while there is a session.

        Raises `VCenterUnavailable` or `VCenterRejected`.
        """
        if self.connected:
            return
        username, password = self.settings.login()
        operation = f"log in to {self.settings.sdk_url} as {username}"
        fingerprint = hashlib.sha256(f"{username}\0{password.reveal()}".encode()).hexdigest()
        if self._rejected and self._rejected[0] == fingerprint and self._clock() < self._rejected[1]:
            raise VCenterRejected(
                f"{operation}: rejected before; the same password is used again in "
                f"{self._rejected[1] - self._clock():.0f} s, a changed one at once"
            )
        with translate_errors(operation):
            try:
                self._log_in(username, password.reveal())
            except vim.fault.InvalidLogin:
                self._rejected = fingerprint, self._clock() + REJECTED_LOGIN_PAUSE_SECONDS
                raise
        self._rejected = None
        log.info("Connected to vCenter", url=self.settings.sdk_url, user=username, api=self.api_version)

    def close(self) -> None:
        """Log out and drop every connection. Raises nothing."""
        content, stub = self._content, self._stub
        self._content = self._stub = self._waiter = None
        if content is not None:
            # A server that cannot be reached needs no logout.
            with contextlib.suppress(Exception):
                content.sessionManager.Logout()
            stub.DropConnections()

    def server_time(self) -> datetime.datetime:
        """Return vCenter's clock, UTC: positions and filters are in its time, not ours. Raises `VCenterUnavailable`."""
        with translate_errors(f"ask {self.settings.sdk_url} for its time"):
            now: datetime.datetime = _service(self._required(self._stub)).CurrentTime()
        now = now.replace(tzinfo=datetime.UTC) if now.tzinfo is None else now.astimezone(datetime.UTC)
        self.clock_lead = now - datetime.datetime.now(datetime.UTC)
        return now

    def managed_object(self, managed_type: Any, identity: str) -> Any:
        """Return pyVmomi's object of *managed_type* (`vim.VirtualMachine`) with the id *identity* (`vm-12`).

        Raises `ObjectNotFound` for anything that cannot be an id: pyVmomi writes it into its requests as it is.
        """
        if not is_reference(managed_type._wsdlName, identity):
            raise ObjectNotFound(f"{cut(identity, 100)!r} is not the id of a managed object")
        return managed_type(identity, self._required(self._stub))

    def call(self, target: Any, method: str, *arguments: Any) -> ElementTree.Element:
        """Call *method* of the managed object *target* and return the response's XML, whatever is in it.

        Raises pyVmomi's and the network's errors, which the caller translates (`translate_errors`).
        """
        stub = self._required(self._stub)
        info = getattr(type(target), method).info
        request = stub.SerializeRequest(target, info, arguments)
        headers = {
            "Cookie": stub.cookie,
            "SOAPAction": stub.versionId,
            "Content-Type": "text/xml; charset=UTF-8",
            "Accept-Encoding": "gzip, deflate",
        }
        connection = stub.GetConnection()
        try:
            connection.request("POST", stub.path, request, headers)
            response = connection.getresponse()
            body = response.read()
        except BaseException:
            connection.close()
            stub.DropConnections()
            raise
        stub.ReturnConnection(connection)
        body = _decompress(body, response.getheader("Content-Encoding", "identity").lower())
        if response.status == 500:
            raise SoapAdapter.SoapResponseDeserializer(stub).Deserialize(body, info.result)
        if response.status != 200:
            raise http.client.HTTPException(f"{response.status} {response.reason}")
        return _parse(body)

    def interrupt(self) -> None:
        """End a `WaitForUpdatesEx` of `waiter` that another thread is in. Raises nothing."""
        waiter = self._waiter
        if waiter is not None:
            with contextlib.suppress(Exception):
                waiter.CancelWaitForUpdates()

    def destroy(self, removal: Callable[[], Any]) -> None:
        """Call *removal*, which removes an object of the session from the server. Raises nothing."""
        if self.connected:
            with contextlib.suppress(Exception):
                removal()

    def _required(self, part: Any) -> Any:
        if part is None:
            raise VCenterUnavailable(f"use the session at {self.settings.sdk_url}: it has ended")
        return part

    def _log_in(self, username: str, password: str) -> None:
        api_version = self._fetch_version()
        stub = self._open_stub(_newest_common(api_version))
        try:
            content = _service(stub).RetrieveContent()
            content.sessionManager.Login(username, password, None)
            # One of our own: in vcsim, a session that ends silences everyone who waits with the common one.
            waiter = content.propertyCollector.CreatePropertyCollector()
        except BaseException:
            stub.DropConnections()
            raise
        self._stub, self._content, self._waiter = stub, content, waiter
        self.api_version = api_version

    def _fetch_version(self) -> str:
        """Return the API's version, read with the oldest one, which every vCenter speaks."""
        stub = self._open_stub(_OLDEST_API)
        try:
            return str(_service(stub).RetrieveContent().about.apiVersion)
        finally:
            stub.DropConnections()

    def _open_stub(self, version: str) -> Any:
        parts = urlsplit(self.settings.sdk_url)
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.settings.ca_bundle)
            if self.settings.insecure:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return SoapStubAdapter(
            url=self.settings.sdk_url,
            path=parts.path,
            version=version,
            sslContext=context,
            httpConnectionTimeout=REQUEST_TIMEOUT_SECONDS,
        )


def _service(stub: Any) -> Any:
    return vim.ServiceInstance("ServiceInstance", stub)


def _newest_common(api_version: str) -> str:
    """pyVmomi's name of the newest API version that both it and a server of *api_version* (`8.0.3.0`) know."""
    server = _numbers(api_version)
    for name in VmomiSupport.GetServiceVersions("vim25"):
        identity = VmomiSupport.versionIdMap.get(name, "")
        if name.startswith("vim.version.") and identity[:1].isdigit() and _numbers(identity) <= server:
            return str(name)
    return _OLDEST_API


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body, -zlib.MAX_WBITS if body[:1] != b"\x78" else zlib.MAX_WBITS)
    return body


def _parse(body: bytes) -> ElementTree.Element:
    """Return the response as an element tree. A character that XML does not allow is replaced."""
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - expat 2.4 and later rejects entity bombs by itself
    except ElementTree.ParseError:
        legal = _REFERENCE.sub(_legal_reference, body.decode("utf-8", "replace").translate(_NOT_XML))
        return ElementTree.fromstring(legal)  # noqa: S314 - as above


_NOT_XML = dict.fromkeys(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"
)
_MAX_REFERENCE_DIGITS = 12
"""Maximum length of a character reference that is read. The greatest character has 7 digits."""
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]+|[0-9]+);")


def _legal_reference(reference: re.Match[str]) -> str:
    text = reference[1]
    if len(text) > _MAX_REFERENCE_DIGITS:
        return "\ufffd"
    code = int(text[1:], 16) if text.startswith("x") else int(text)
    return "\ufffd" if code in _NOT_XML or code > 0x10FFFF else reference[0]
