"""vCenter's session and event history; the only module that speaks pyVmomi's protocol.

pyVmomi logs in and makes collectors. The two calls that return events, `ReadNextEvents` and `WaitForUpdatesEx`, are
sent through its stub but not through its parser: that parser fails a whole batch for one event it does not know, when
the server's position is already past the batch. `vsphere.event` decodes what these calls return.
"""

import contextlib
import dataclasses
import datetime
import gzip
import hashlib
import http.client
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

import structlog
from pyVmomi import SoapAdapter, SoapStubAdapter, VmomiSupport, vim, vmodl

from pipeline.errors import PermanentError, SettingsError, TemporaryError, cut
from vsphere.event import Position, VCenterEvent, from_element
from vsphere.schema import NAMESPACE, is_entity, is_event
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

PAGE_SIZE = 1000
"""Events a read returns at most: vCenter's own limit for a collector's page."""
REQUEST_TIMEOUT_SECONDS = 60.0
"""An answer that takes longer is not coming. A wait for updates asks the server for less (`EventHistory.wait`)."""
REFUSED_LOGIN_PAUSE_SECONDS = 60.0
"""After a refused login the same credentials are not tried again for so long: vCenter locks an account, by default,
after five refusals within 180 s."""
DISORDER = datetime.timedelta(seconds=1)
"""How much later an event's time may be than that of an event with a greater key."""
SESSION_PRIVILEGES = frozenset({"System.Anonymous", "System.View", "System.Read"})
"""Every session has these on the event history: where one is missing, the session is gone."""
_OLDEST_API = "vim.version.version9"
_NS = f"{{{NAMESPACE}}}"


class VCenterUnavailable(TemporaryError):
    """vCenter cannot be reached, is restarting, or has ended the session."""


class VCenterRefused(PermanentError):
    """vCenter does not accept the login, or its certificate is not trusted, or a privilege is missing."""


@dataclasses.dataclass(frozen=True)
class Gap:
    """Events that vCenter no longer holds and that were never read: keys *first* to *last*, both included."""

    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Page:
    """What one read returned: at most `PAGE_SIZE` events, oldest first, and what is missing before them."""

    events: list[VCenterEvent]
    gap: Gap | None = None


def check_selection(settings: VCenterSettings) -> None:
    """Raise `SettingsError` if the settings select by what is no event class or entity type: it would never match."""
    faults = [
        f"EVENT_TYPES names {name!r}, which is no event class; for example EVENT_TYPES=VmPoweredOnEvent"
        for name in settings.event_types
        if "." not in name and not is_event(name)  # with a dot it is the eventTypeId of an EventEx: any name is legal
    ]
    if settings.entity and not is_entity(settings.entity.partition("/")[0]):
        faults.append(
            f"ENTITY is {settings.entity!r}, whose type is no managed entity; for example ENTITY=Folder/group-d1"
        )
    if faults:
        raise SettingsError(faults)


class VCenter:
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

        Raises `VCenterUnavailable` or `VCenterRefused`.
        """
        if self.connected:
            return
        username, password = self._settings.login()
        fingerprint = hashlib.sha256(f"{username}\0{password.reveal()}".encode()).hexdigest()
        if self._refused and self._refused[0] == fingerprint and self._clock() < self._refused[1]:
            wait = self._refused[1] - self._clock()
            raise VCenterRefused(
                f"log in to {self._settings.sdk_url} as {username}: refused before; "
                f"the same password is tried again in {wait:.0f} s, another one at once"
            )
        with _speaking(f"log in to {self._settings.sdk_url} as {username}"):
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
        with _speaking(f"ask {self._settings.sdk_url} for its time"):
            now: datetime.datetime = _service(self._stub).CurrentTime()
        now = now.replace(tzinfo=datetime.UTC) if now.tzinfo is None else now.astimezone(datetime.UTC)
        self.clock_lead = now - datetime.datetime.now(datetime.UTC)
        return now

    def make_collector(self, since: datetime.datetime, page_size: int) -> Any:
        """A collector of the events created at *since* (vCenter's clock) or later that the settings select."""
        with _speaking("make an event collector"):
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
        with _speaking("watch an event collector"):
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
        with _speaking(f"call {method} at {self._settings.sdk_url}"):
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


class EventHistory:
    """The events of one vCenter since a position, read in order and never skipped in silence.

    Two collectors: one of page size 1 is watched, so that a wake-up costs one event however many came; the other is
    read until it is empty. Where the watched one knows of an event that reading does not give, the reading one is
    stuck (a server that has pruned its page does that) and is made anew from the last position.
    """

    def __init__(self, vcenter: VCenter, since: datetime.datetime, after: Position | None) -> None:
        """Events created at *since* or later whose key is beyond that of *after*. Raises as `VCenter` does."""
        self._vcenter = vcenter
        self._after = after
        self._since = since
        self._version = ""
        self._watched_key: int | None = None
        self._sentinel = vcenter.make_collector(since, 1)
        self._filter = vcenter.watch(self._sentinel)
        self._reader = vcenter.make_collector(since, PAGE_SIZE)
        self._resuming, self._seen = after is not None, False
        self.wait(0)
        if after is not None and self._watched_key is not None and self._watched_key < after.key:
            log.warning("vcenter's event keys went back: it was restored or made anew", last_key=after.key)
            self._after, self._resuming = None, False

    def read(self) -> Page:
        """The next events, none if there are no more for now."""
        page = self._read()
        if not page.events and self._is_behind():
            log.warning("event collector is stuck, made anew", last_key=self._after.key if self._after else None)
            self._vcenter.destroy(self._reader.DestroyCollector)
            self._reader = self._vcenter.make_collector(self._since, PAGE_SIZE)
            self._resuming, self._seen = self._after is not None, False
            page = self._read()
            if not page.events:
                self._watched_key = None  # what was watched is gone again: pruned, or filtered out
        return page

    def wait(self, seconds: int) -> bool:
        """Wait for a new event, at most *seconds* (the server's); whether there is one."""
        answer = self._vcenter.wait_for_updates(self._version, seconds)
        update = answer.find(f".//{_NS}returnval")
        if update is None:
            # Silence is not trusted: vcsim never answers a watch again after a wait that ran out. A new watch begins by
            # telling the newest event, which also shows whether the reading collector is stuck.
            self._vcenter.destroy(self._filter.DestroyPropertyFilter)
            self._filter, self._version = self._vcenter.watch(self._sentinel), ""
            return False
        self._version = update.findtext(f"{_NS}version", self._version)
        keys = [int(key.text or 0) for key in update.iterfind(f".//{_NS}Event/{_NS}key")]
        if keys:
            self._watched_key = max(keys)
        return True

    def close(self) -> None:
        """Give the collectors back to the server, which allows a session only so many."""
        self._vcenter.destroy(self._filter.DestroyPropertyFilter)
        self._vcenter.destroy(self._sentinel.DestroyCollector)
        self._vcenter.destroy(self._reader.DestroyCollector)

    def _is_behind(self) -> bool:
        return self._watched_key is not None and (self._after is None or self._after.key < self._watched_key)

    def _read(self) -> Page:
        """The next events that are new: pages that hold only what was read before are passed over."""
        while True:
            events = self._read_page()
            if events and not self._resuming and events[0].position == self._after:
                events = events[1:]
                if not events:
                    continue
            if not events or not self._resuming or self._after is None:
                gap = None
                break
            if _went_back(events, self._after):
                log.warning("vcenter's event keys went back: it was restored or made anew", last_key=self._after.key)
                self._after, gap = None, None
                break
            known = self._after.key
            seen = any(event.key <= known for event in events)
            events = [event for event in events if event.key > known]
            if events:
                gap = None if seen else self._gap_before(events[0].key)
                break
            self._seen = True
        if events:
            self._resuming = False
            self._after, self._since = events[-1].position, events[-1].created_time
        return Page(events, gap)

    def _gap_before(self, key: int) -> Gap | None:
        """What is missing between the last position and *key*, when reading resumed and did not find that position."""
        known = self._after.key if self._after else key
        return Gap(known + 1, key - 1) if key > known + 1 and not self._seen else None

    def _read_page(self) -> list[VCenterEvent]:
        """The next page, each event once: vcsim has those twice, one after the other, that came while it made the
        collector. The second may begin the next page.
        """
        answer = self._vcenter.read_next(self._reader, PAGE_SIZE)
        events: list[VCenterEvent] = []
        for element in answer.iter(f"{_NS}returnval"):
            try:
                events.append(from_element(element))
            except ValueError as error:
                log.error(
                    "event without a readable key or time",
                    error=str(error),
                    event=cut(ElementTree.tostring(element, "unicode"), 2000),
                )
        return list({event.key: event for event in events}.values())


def _went_back(events: list[VCenterEvent], known: Position) -> bool:
    """Whether keys up to that of *known* are now of later events: then they are counted anew.

    Keys and times grow together, but for events of about the same moment.
    """
    for event in events:
        if event.key == known.key and event.created_time != known.created_time:
            return True
        if event.key < known.key and event.created_time > known.created_time + DISORDER:
            return True
    return False


@contextlib.contextmanager
def _speaking(what: str) -> Iterator[None]:
    """Turn what pyVmomi, the network and the parser raise into this module's two errors, in words."""
    try:
        yield
    except vim.fault.InvalidLogin as fault:
        raise VCenterRefused(f"{what}: vCenter refuses user name and password") from fault
    except vim.fault.NoPermission as fault:  # NotAuthenticated is one, too
        if isinstance(fault, vim.fault.NotAuthenticated) or fault.privilegeId in SESSION_PRIVILEGES:
            raise VCenterUnavailable(
                f"{what}: the session has ended, or its user may not read events ({fault.privilegeId})"
            ) from fault
        raise VCenterRefused(f"{what}: the privilege {fault.privilegeId} is missing") from fault
    except vmodl.MethodFault as fault:
        raise VCenterUnavailable(f"{what}: {type(fault).__name__}: {cut(str(fault.msg or ''))}") from fault
    except ssl.SSLCertVerificationError as error:
        raise VCenterRefused(
            f"{what}: its certificate is not trusted ({error.verify_message}); set VC_CA_BUNDLE to a file with the "
            "authority that signed it, or VC_INSECURE=true for a test"
        ) from error
    except (OSError, http.client.HTTPException, ExpatError, ElementTree.ParseError, EOFError, zlib.error) as error:
        raise VCenterUnavailable(f"{what}: {cut(str(error)) or type(error).__name__}") from error


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
