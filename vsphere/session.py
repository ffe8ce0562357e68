"""A vCenter session, and calls that bypass pyVmomi's parser.

pyVmomi logs in and makes most calls. Calls that return events are sent through its stub but not through its parser
(`Session.call`): that parser fails a whole batch for one event that it does not know, when the server's position is
already past the batch. `vsphere.event` reads what these calls return.
"""

import contextlib
import datetime
import functools
import hashlib
import http.client
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import structlog
from pyVmomi import SoapAdapter, SoapStubAdapter, VmomiSupport, vim

from pipeline import bounds
from pipeline.errors import ObjectNotFound, cut
from pipeline.payload import is_reference
from vsphere.element import child
from vsphere.errors import VCenterRejected, VCenterUnavailable, translate_errors
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

REQUEST_TIMEOUT_SECONDS = 60.0
"""The maximum wait for a response to a reaction's request."""
READER_TIMEOUT_SECONDS = 15.0
"""The same for the poller, which so notices a half-open connection. A wait for updates asks the server for less
(`EventHistory.wait`)."""
SHORT_TIMEOUT_SECONDS = 2.5
"""The maximum wait for a response to an interruption or a logout, while the process has 10 s to end. A session that is
not logged out ends by itself after half an hour."""
REJECTED_LOGIN_PAUSE_SECONDS = 60.0
"""The time for which rejected credentials are not used again. By default, vCenter locks an account after five rejected
logins within 180 s."""
KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_PROBES = 10, 5, 3
"""An idle connection that is half-open is noticed after 25 s. A reaction would otherwise wait for its whole timeout."""
_OLDEST_API = "vim.version.version9"
_SOAP_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"


class ResponseTooLarge(OSError):
    """A response has more than `bounds.VCENTER_RESPONSE_BYTES`."""


class Session:
    """One session, which `connect` starts and renews.

    For use by one thread at a time, except for `close` and `interrupt`, which may end a wait in another thread.
    """

    def __init__(
        self,
        settings: VCenterSettings,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wait at most *timeout_seconds* for each part of a response."""
        self.settings = settings
        self._timeout_seconds = timeout_seconds
        self.clock_lead = datetime.timedelta()
        """The lead of vCenter's clock over ours, by the last `server_time`."""
        self.api_version = ""
        """The API's version, `8.0.3.0`. Empty before the first login."""
        self._clock = clock
        self._stub: Any = None
        self._content: Any = None
        self._waiter: Any = None
        self._rejected: tuple[str, float] | None = None
        self._unresponsive = False  # a request timed out, so that the next ones would, too

    @property
    def connected(self) -> bool:
        """True while there is a session, as far as is known here."""
        return self._content is not None

    @property
    def has_logged_in(self) -> bool:
        """True once a login succeeded, from then on always."""
        return bool(self.api_version)

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
                f"{operation}: vCenter rejects user name and password; the same ones are used again in "
                f"{self._rejected[1] - self._clock():.0f} s, changed ones at once"
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
            stub.DropConnections()
            # On a connection of its own, because the others may be half-open. If it fails, there is nothing to do.
            with contextlib.suppress(Exception):
                self._call_apart(stub, content.sessionManager, "Logout")

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
        connection.response_class = http.client.HTTPResponse  # `_read` and `_decompress` have bounds of their own
        try:
            connection.request("POST", stub.path, request, headers)
            response = connection.getresponse()
            body = _decompress(_read(response), response.getheader("Content-Encoding", "identity").lower())
        except BaseException as error:
            connection.close()
            stub.DropConnections()
            self._unresponsive = isinstance(error, TimeoutError)
            raise
        stub.ReturnConnection(connection)
        if response.status == 500:
            raise SoapAdapter.SoapResponseDeserializer(stub).Deserialize(body, info.result)
        if response.status != 200:
            raise http.client.HTTPException(f"{response.status} {response.reason}")
        element = _parse(body)
        envelope = element.find(_SOAP_BODY)
        if envelope is None or child(envelope, f"{info.wsdlName}Response") is None:
            raise http.client.HTTPException(f"the response is not one to {info.wsdlName}: {cut(element.tag, 100)}")
        return element

    def interrupt(self) -> None:
        """End a `WaitForUpdatesEx` of `waiter` that another thread is in. Raises nothing."""
        waiter, stub = self._waiter, self._stub
        if waiter is not None:
            with contextlib.suppress(Exception):
                self._call_apart(stub, waiter, "CancelWaitForUpdates")

    def destroy(self, removal: Callable[[], Any]) -> None:
        """Call *removal*, which removes an object of the session from the server. Raises nothing."""
        if self.connected and not self._unresponsive:
            try:
                removal()
            except (OSError, http.client.HTTPException):
                self._unresponsive = True
            except Exception as error:  # noqa: BLE001 - whatever it is, the object ends with the session
                log.debug("Object of the session not removed: %s", cut(str(error)))

    def _call_apart(self, stub: Any, target: Any, method: str) -> None:
        """Call *method* of *target* in the session of *stub*, on a connection of its own and with a short timeout."""
        apart = self._open_stub(stub.version, SHORT_TIMEOUT_SECONDS)
        apart.cookie = stub.cookie
        try:
            getattr(type(target)(target._moId, apart), method)()
        finally:
            apart.DropConnections()

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
        self._unresponsive = False
        self.api_version = api_version

    def _fetch_version(self) -> str:
        """Return the API's version, read with the oldest one, which every vCenter speaks."""
        stub = self._open_stub(_OLDEST_API)
        try:
            return str(_service(stub).RetrieveContent().about.apiVersion)
        finally:
            stub.DropConnections()

    def _open_stub(self, version: str, timeout_seconds: float = 0) -> Any:
        parts = urlsplit(self.settings.sdk_url)
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.settings.ca_bundle)
            if self.settings.insecure:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return _Stub(
            url=self.settings.sdk_url,
            path=parts.path,
            version=version,
            sslContext=context,
            acceptCompressedResponses=False,
            httpConnectionTimeout=timeout_seconds or self._timeout_seconds,
        )


class _Stub(SoapStubAdapter):  # type: ignore[misc]  # pyVmomi has no types
    """pyVmomi's stub, with TCP keepalive on each connection and bounded responses."""

    def GetConnection(self) -> Any:  # noqa: N802 - pyVmomi's name
        """Return a connection that is open, as far as is known."""
        connection = super().GetConnection()
        keep_alive(connection.sock)
        connection.response_class = _BoundedResponse
        return connection


class _BoundedResponse(http.client.HTTPResponse):
    """A response to pyVmomi, which reads any size, and expands a compressed one without a limit."""

    def begin(self) -> None:
        """Read the headers."""
        super().begin()
        self._bytes = 0
        if self.getheader("Content-Encoding", "identity").lower() != "identity":
            raise http.client.HTTPException("the response is compressed, which was not asked for")

    def read(self, amt: int | None = None) -> bytes:
        """Return at most *amt* bytes of the body. Raises `ResponseTooLarge` beyond the bound."""
        data = super().read(bounds.VCENTER_OBJECTS_BYTES + 1 if amt is None else amt)
        self._bytes += len(data)
        if self._bytes > bounds.VCENTER_OBJECTS_BYTES:
            raise ResponseTooLarge(f"the response has more than {bounds.VCENTER_OBJECTS_BYTES} bytes")
        return data


def keep_alive(connection: socket.socket) -> None:
    """Have the system ask the other side of an idle *connection* whether it is still there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _service(stub: Any) -> Any:
    return vim.ServiceInstance("ServiceInstance", stub)


@functools.lru_cache(8)
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


def _read(response: http.client.HTTPResponse) -> bytes:
    """Return the whole body. Raises `ResponseTooLarge`."""
    body = response.read(bounds.VCENTER_RESPONSE_BYTES + 1)
    if len(body) > bounds.VCENTER_RESPONSE_BYTES:
        raise ResponseTooLarge(f"the response has more than {bounds.VCENTER_RESPONSE_BYTES} bytes")
    if response.length:  # a read with a limit does not notice this
        raise http.client.IncompleteRead(body, response.length)
    response.read()  # the end of a chunked body
    return body


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding not in ("gzip", "deflate"):
        return body
    deflate = zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16 if encoding == "gzip" else deflate)
    plain = decompressor.decompress(body, bounds.VCENTER_RESPONSE_BYTES)
    if decompressor.unconsumed_tail:
        raise ResponseTooLarge(f"the response has more than {bounds.VCENTER_RESPONSE_BYTES} bytes after decompression")
    if not decompressor.eof:
        raise EOFError("the compressed response ends early")
    return plain


def _parse(body: bytes) -> ElementTree.Element:
    """Return the response as an element tree. A character that XML does not allow is replaced.

    Raises `ResponseTooLarge` for too many elements or attributes.
    """
    if max(body.count(b"<") // 2, body.count(b"=")) > bounds.VCENTER_ELEMENTS:
        raise ResponseTooLarge(f"the response has more than {bounds.VCENTER_ELEMENTS} elements")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - expat 2.4 and later rejects entity bombs by itself
    except ElementTree.ParseError:
        legal = _REFERENCE.sub(_legal_reference, body.decode("utf-8", "replace").translate(_NOT_XML))
        return ElementTree.fromstring(legal)  # noqa: S314 - as above


_NOT_XML = dict.fromkeys(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"
)
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]+|[0-9]+);")


def _legal_reference(reference: re.Match[str]) -> str:
    text = reference[1]
    if len(text) > bounds.XML_REFERENCE_DIGITS:
        return "\ufffd"
    code = int(text[1:], 16) if text.startswith("x") else int(text)
    return "\ufffd" if code in _NOT_XML or code > 0x10FFFF else reference[0]
