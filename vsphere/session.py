"""A vCenter session, and the calls that bypass pyVmomi's parser.

pyVmomi logs in and makes collectors. The two calls that return events, `ReadNextEvents` and `WaitForUpdatesEx`, are
sent through its stub but not through its parser: that parser fails a whole batch for one event it does not know, when
the server's position is already past the batch. `vsphere.event` decodes what these calls return.
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
from pyVmomi import SoapAdapter, SoapStubAdapter, VmomiSupport, vim, vmodl

from vsphere.errors import VCenterRejected, speaking
from vsphere.schema import NAMESPACE
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

REQUEST_TIMEOUT_SECONDS = 60.0
"""An answer that takes longer is not coming. A wait for updates asks the server for less (`EventHistory.wait`)."""
REFUSED_LOGIN_PAUSE_SECONDS = 60.0
"""After a refused login the same credentials are not tried again for so long: vCenter locks an account, by default,
after five refusals within 180 s."""
_OLDEST_API = "vim.version.version9"


class Session:
    """A session. It is used by one thread at a time, but for `close`, which may interrupt a wait."""

    def __init__(self, settings: VCenterSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._stub: Any = None
        self._content: Any = None
        self._waiting: Any = None
        self._refused: tuple[str, float] | None = None
        self.clock_lead = datetime.timedelta()
        """How far vCenter's clock is ahead of ours, as measured when it was last asked."""
        self.api_version = ""
        """The API's version, `8.0.3.0`; known once connected."""

    @property
    def connected(self) -> bool:
        """Whether there is a session, as far as is known here."""
        return self._content is not None

    def connect(self) -> None:
        """Log in, with the credentials as they are now. Does nothing while there is a session.

        Raises `VCenterUnavailable` or `VCenterRejected`.
        """
        if self.connected:
            return
        username, password = self._settings.login()
        fingerprint = hashlib.sha256(f"{username}\0{password.reveal()}".encode()).hexdigest()
        if self._refused and self._refused[0] == fingerprint and self._clock() < self._refused[1]:
            wait = self._refused[1] - self._clock()
            raise VCenterRejected(
                f"log in to {self._settings.sdk_url} as {username}: refused before; "
                f"the same password is tried again in {wait:.0f} s, another one at once"
            )
        with speaking(f"log in to {self._settings.sdk_url} as {username}"):
            api_version = self._ask_version()
            stub = self._make_stub(_newest_common(api_version))
            try:
                content = _service(stub).RetrieveContent()
                content.sessionManager.Login(username, password.reveal(), None)
                # One of our own to wait with: in vcsim, a session that ends silences all who wait with the common one.
                waiting = content.propertyCollector.CreatePropertyCollector()
            except BaseException as error:
                stub.DropConnections()
                if isinstance(error, vim.fault.InvalidLogin):
                    self._refused = fingerprint, self._clock() + REFUSED_LOGIN_PAUSE_SECONDS
                raise
        self._refused = None
        self._stub, self._content, self._waiting = stub, content, waiting
        self.api_version = api_version
        log.info("vcenter connected", url=self._settings.sdk_url, user=username, api=self.api_version)

    def close(self) -> None:
        """Log out, quietly, and drop every connection."""
        content, stub = self._content, self._stub
        self._content = self._stub = self._waiting = None
        if content is not None:
            # A server that is gone needs no logout.
            with contextlib.suppress(Exception):
                content.sessionManager.Logout()
            stub.DropConnections()

    def server_time(self) -> datetime.datetime:
        """vCenter's clock, UTC; positions and filters are in its time, not ours."""
        with speaking(f"ask {self._settings.sdk_url} for its time"):
            now: datetime.datetime = _service(self._stub).CurrentTime()
        now = now.replace(tzinfo=datetime.UTC) if now.tzinfo is None else now.astimezone(datetime.UTC)
        self.clock_lead = now - datetime.datetime.now(datetime.UTC)
        return now

    def make_collector(self, since: datetime.datetime, page_size: int) -> Any:
        """A collector of the events created at *since* (vCenter's clock) or later that the settings select."""
        with speaking("make an event collector"):
            spec = vim.event.EventFilterSpec(time=vim.event.EventFilterSpec.ByTime(beginTime=since))
            if self._settings.event_types:
                spec.eventTypeId = list(self._settings.event_types)
            if self._settings.entity:
                kind, _, value = self._settings.entity.partition("/")
                entity = VmomiSupport.GetWsdlType(NAMESPACE, kind)(value, self._stub)
                spec.entity = vim.event.EventFilterSpec.ByEntity(entity=entity, recursion="all")
            collector = self._content.eventManager.CreateCollectorForEvents(spec)
            collector.SetCollectorPageSize(page_size)
        return collector

    def destroy(self, removal: Callable[[], Any]) -> None:
        """Call the *removal* of an object of the session, quietly: what is gone needs none."""
        if self.connected:
            with contextlib.suppress(Exception):
                removal()

    def watch(self, collector: Any) -> Any:
        """A property filter that reports changes of *collector*'s latest page to `wait_for_updates`."""
        spec = vmodl.query.PropertyCollector.FilterSpec(
            objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=collector)],
            propSet=[
                vmodl.query.PropertyCollector.PropertySpec(type=vim.event.EventHistoryCollector, pathSet=["latestPage"])
            ],
        )
        with speaking("watch an event collector"):
            return self._waiting.CreateFilter(spec, False)

    def wait_for_updates(self, version: str, seconds: int) -> ElementTree.Element:
        """The answer to `WaitForUpdatesEx`, which the server holds for at most *seconds*."""
        options = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=seconds)
        return self._call(self._waiting, "WaitForUpdatesEx", version, options)

    def read_next(self, collector: Any, most: int) -> ElementTree.Element:
        """The answer to `ReadNextEvents`: the collector's next *most* events, oldest first."""
        return self._call(collector, "ReadNextEvents", most)

    def interrupt(self) -> None:
        """End a `wait_for_updates` that another thread is in."""
        waiting = self._waiting
        if waiting is not None:
            with contextlib.suppress(Exception):
                waiting.CancelWaitForUpdates()

    def _ask_version(self) -> str:
        """The API's version, asked for in the oldest one, which every vCenter speaks."""
        stub = self._make_stub(_OLDEST_API)
        try:
            return str(_service(stub).RetrieveContent().about.apiVersion)
        finally:
            stub.DropConnections()

    def _make_stub(self, version: str) -> Any:
        parts = urlsplit(self._settings.sdk_url)
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._settings.ca_bundle)
            if self._settings.insecure:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return SoapStubAdapter(
            url=self._settings.sdk_url,
            path=parts.path,
            version=version,
            sslContext=context,
            httpConnectionTimeout=REQUEST_TIMEOUT_SECONDS,
        )

    def _call(self, target: Any, method: str, *arguments: Any) -> ElementTree.Element:
        """Call *method* of the managed object *target*; the answer's XML, whatever is in it."""
        with speaking(f"call {method} at {self._settings.sdk_url}"):
            stub = self._stub
            if stub is None:
                raise vim.fault.NotAuthenticated
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
    """The answer as an element tree; a character that XML does not allow, in an otherwise sound answer, is replaced."""
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - expat 2.4 and later refuses entity bombs by itself
    except ElementTree.ParseError:
        legal = _REFERENCE.sub(_legal_reference, body.decode("utf-8", "replace").translate(_NOT_XML))
        return ElementTree.fromstring(legal)  # noqa: S314 - as above


_NOT_XML = dict.fromkeys(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"
)
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]+|[0-9]+);")


def _legal_reference(reference: re.Match[str]) -> str:
    text = reference[1]
    code = int(text[1:], 16) if text.startswith("x") else int(text)
    return "\ufffd" if code in _NOT_XML or code > 0x10FFFF else reference[0]
