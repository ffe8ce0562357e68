"""The connection to the model vCenter: the stub that pyVmomi's objects call, with the faults of a network.

`vsphere.session.Session` is the real one except that it opens this stub. Responses with events are bytes of XML, which
it reads and parses.
"""

import dataclasses
import gzip
import http.client
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from tests.simulation.scheduler import Scheduler
from tests.simulation.vcenter import Collector, ModelEvent, ServerSession, VCenter, Watch
from vsphere.session import READER_TIMEOUT_SECONDS, Session
from vsphere.settings import VCenterSettings

API_VERSION = "8.0.3.0"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
)
_TAIL = "</soapenv:Body></soapenv:Envelope>"
GARBAGE = {
    "truncated": b"",
    "html": b"<!DOCTYPE html><html><body><p>Bad gateway</body></html>",
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><body>Please wait</body></html>',
    "empty": b"",
    "other encoding": b"\xff\xfe\x00<\x00",
}


@dataclasses.dataclass
class Network:
    """The state of the network to vCenter."""

    fault: str = ""
    """unreachable, hang, reset, reset after, garble, or empty."""
    probability: float = 1.0
    max_bytes: int = 0
    """The size of a response at which the line breaks. 0: it never does."""
    latency: float = 0.02
    rejects_login: bool = False


class ModelSession(Session):
    """A session whose requests go to the model."""

    def __init__(self, settings: VCenterSettings, server: "SoapServer", clock: Callable[[], float]) -> None:
        super().__init__(settings, READER_TIMEOUT_SECONDS, clock)
        self._server = server

    def _open_stub(self, version: str, timeout_seconds: float = 0) -> Any:
        return Stub(self._server, version, timeout_seconds or self._timeout_seconds)


class SoapServer:
    """vCenter behind its network."""

    def __init__(
        self, scheduler: Scheduler, vcenter: VCenter, on_fault: Callable[[str], None], on_read: Callable[..., None]
    ) -> None:
        """Call *on_fault* with each fault that a request meets, and *on_read* with each new collector's begin."""
        self.scheduler = scheduler
        self.vcenter = vcenter
        self.network = Network()
        self.on_fault = on_fault
        self.on_read = on_read

    def perform(self, stub: "Stub", work: Callable[[], Any], what: str) -> Any:
        """Do *work* for a request, or what a fault of the network makes of it."""
        network, chance = self.network, self.scheduler.random
        fault = network.fault if network.fault and chance.random() < network.probability else ""
        if fault == "unreachable":
            self._meet("vcenter is unreachable")
            self.scheduler.sleep(0.002)
            raise ConnectionRefusedError(111, "Connection refused")
        self.scheduler.sleep(network.latency * chance.uniform(0.1, 2))
        if fault == "hang":
            self._meet("vcenter does not respond")
            self.scheduler.sleep(stub.timeout)
            raise TimeoutError("timed out")
        if fault == "reset":
            self._meet("vcenter resets before the request")
            raise ConnectionResetError(104, "Connection reset by peer")
        result = work()
        if fault == "reset after":
            self._meet("vcenter resets after the request")
            raise ConnectionResetError(104, "Connection reset by peer")
        if fault == "garble":
            self._meet("vcenter's answer is garbled")
            return self._garbled(what)
        if network.max_bytes and isinstance(result, bytes) and len(result) > network.max_bytes:
            self._meet("vcenter's line breaks large answers")
            raise ConnectionResetError(104, "Connection reset by peer")
        return result

    def _meet(self, fault: str) -> None:
        self.on_fault(fault)

    def _garbled(self, what: str) -> Any:
        if what == "bytes":
            return self.scheduler.random.choice([*GARBAGE, "gzip", "503"])
        if self.scheduler.random.random() < 0.3:
            return None
        raise self.scheduler.random.choice(
            [
                ExpatError("not well-formed"),
                http.client.BadStatusLine("?"),
                http.client.HTTPException("502 Bad Gateway"),
            ]
        )


class Stub:
    """One of pyVmomi's stubs: a client with a cookie."""

    path = "/sdk"
    versionId = "urn:vim25/8.0.3.0"  # noqa: N815 - pyVmomi's name

    def __init__(self, server: SoapServer, version: str, timeout: float) -> None:
        self._server = server
        self.version = version
        self.timeout = timeout
        self.cookie: ServerSession | None = None

    def InvokeMethod(self, target: Any, info: Any, arguments: Any) -> Any:  # noqa: N802 - pyVmomi's name
        """Call a method of a managed object."""
        method = getattr(self, f"_{info.wsdlName}", None)
        if method is None:
            method = getattr(self, f"_{info.name}")
        return self._server.perform(self, lambda: method(target, arguments), "object")

    def DropConnections(self) -> None:  # noqa: N802 - pyVmomi's name
        """Do nothing: connections have no state here."""

    def GetConnection(self) -> "Connection":  # noqa: N802 - pyVmomi's name
        """Return a connection."""
        return Connection(self, self._server)

    def ReturnConnection(self, connection: "Connection") -> None:  # noqa: N802 - pyVmomi's name
        """Do nothing."""

    def SerializeRequest(self, target: Any, info: Any, arguments: Any) -> Any:  # noqa: N802 - pyVmomi's name
        """Return the request as it is."""
        return target, info.wsdlName, arguments

    def session(self) -> ServerSession:
        """Return the session. Raises pyVmomi's `NotAuthenticated` if it has ended."""
        if self.cookie is None or not self.cookie.is_alive:
            raise vim.fault.NotAuthenticated(msg="The session is not authenticated.")
        return self.cookie

    # ── methods ──

    def _CurrentTime(self, target: Any, arguments: Any) -> Any:  # noqa: N802 - vSphere's name, as those below
        return self._server.vcenter.now()

    def _RetrieveServiceContent(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        return SimpleNamespace(
            about=SimpleNamespace(apiVersion=API_VERSION),
            sessionManager=vim.SessionManager("SessionManager", self),
            eventManager=vim.event.EventManager("EventManager", self),
            propertyCollector=vmodl.query.PropertyCollector("propertyCollector", self),
        )

    def _Login(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        if self._server.network.rejects_login:
            self._server.on_fault("vcenter rejects the login")
            raise vim.fault.InvalidLogin(msg="Cannot complete login due to an incorrect user name or password.")
        self.cookie = ServerSession()
        self._server.vcenter.sessions.append(self.cookie)

    def _Logout(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        session = self.session()
        session.is_alive = False
        self._server.vcenter.sessions.remove(session)
        self._server.vcenter.wake()

    def _CreatePropertyCollector(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        self.session()
        return vmodl.query.PropertyCollector("own", self)

    def _CreateCollectorForEvents(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        session = self.session()
        begin = arguments[0].time.beginTime
        session.created += 1
        name = f"collector-{session.created}"
        session.collectors[name] = Collector(self._server.vcenter, begin)
        self._server.on_read(begin)
        return vim.event.EventHistoryCollector(name, self)

    def _SetCollectorPageSize(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        self.session()

    def _DestroyCollector(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        self.session().collectors.pop(target._moId, None)

    def _CreateFilter(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        session = self.session()
        session.created += 1
        name = f"filter-{session.created}"
        session.watches[name] = Watch(session.collectors[arguments[0].objectSet[0].obj._moId])
        return vmodl.query.PropertyCollector.Filter(name, self)

    def _DestroyPropertyFilter(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        self.session().watches.pop(target._moId, None)

    def _CancelWaitForUpdates(self, target: Any, arguments: Any) -> Any:  # noqa: N802
        session = self.session()
        session.is_cancelled = session.is_waiting
        self._server.vcenter.wake()


class Connection:
    """One request of `Session.call` and its response."""

    def __init__(self, stub: Stub, server: SoapServer) -> None:
        self._stub = stub
        self._server = server
        self._request: Any = None

    def request(self, method: str, path: str, request: Any, headers: Any) -> None:
        """Keep the request until its response is asked for."""
        self._request = request

    def getresponse(self) -> "Response":
        """Return the response."""
        target, name, arguments = self._request
        if name == "RetrieveProperties":  # the event catalogue, whose faults change nothing: no step of the schedule
            return Response(response_xml(name, ""))
        try:
            body = self._server.perform(self._stub, lambda: self._respond(target, name, arguments), "bytes")
        except vmodl.MethodFault as fault:
            return Response(fault_xml(fault), 500)
        if isinstance(body, str):
            return garbled(body)
        return Response(body)

    def close(self) -> None:
        """Do nothing."""

    def _respond(self, target: Any, name: str, arguments: Any) -> bytes:
        session = self._stub.session()
        if name == "ReadNextEvents":
            collector = session.collectors.get(target._moId)
            if collector is None:
                raise vmodl.fault.ManagedObjectNotFound(msg="The object has already been deleted")
            return response_xml(name, "".join(event.element("returnval") for event in collector.read(arguments[0])))
        return self._wait(session, arguments[0], arguments[1].maxWaitSeconds)

    def _wait(self, session: ServerSession, version: str, seconds: float) -> bytes:
        server = self._server
        if not version:
            for watch in session.watches.values():
                watch.is_new, watch.is_mute = True, False
        events = server.vcenter.wait_for_update(
            session, seconds, lambda: server.network.fault not in ("unreachable", "reset")
        )
        if not session.is_alive:
            raise vim.fault.NotAuthenticated(msg="The session is not authenticated.")
        if server.network.fault == "hang":
            server.scheduler.sleep(self._stub.timeout)
            raise TimeoutError("timed out")
        if server.network.fault in ("unreachable", "reset"):
            raise ConnectionResetError(104, "Connection reset by peer")
        return response_xml("WaitForUpdatesEx", "" if events is None else update_xml(events))


class Response:
    """An HTTP response."""

    def __init__(self, body: bytes, status: int = 200, missing: int = 0, encoding: str = "identity") -> None:
        self._body = body
        self.status = status
        self.reason = "reason"
        self.length = missing
        self._encoding = encoding

    def read(self, size: int = -1) -> bytes:
        """Return the body once."""
        body, self._body = self._body, b""
        return body

    def getheader(self, name: str, default: str) -> str:
        """Return the encoding of the body."""
        return self._encoding


def response_xml(method: str, content: str) -> bytes:
    """Return the response to *method*."""
    return f'{_HEAD}<{method}Response xmlns="urn:vim25">{content}</{method}Response>{_TAIL}'.encode()


def update_xml(events: list[ModelEvent]) -> str:
    """Return the update of a latest page."""
    page = "".join(event.element("Event") for event in events)
    change = f'<changeSet><name>latestPage</name><op>assign</op><val xsi:type="ArrayOfEvent">{page}</val></changeSet>'
    return f"<returnval><version>1</version><filterSet><objectSet>{change}</objectSet></filterSet></returnval>"


def fault_xml(fault: Any) -> bytes:
    """Return the response that carries *fault*."""
    name = type(fault).__name__.rpartition(".")[2]
    detail = f'<detail><{name}Fault xmlns="urn:vim25" xsi:type="{name}"></{name}Fault></detail>'
    return (
        f"{_HEAD}<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>{fault.msg}</faultstring>{detail}"
        f"</soapenv:Fault>{_TAIL}"
    ).encode()


def garbled(how: str) -> Response:
    """Return a response that is not what it should be."""
    if how == "503":
        return Response(b"<html>no healthy upstream</html>", 503)
    if how == "gzip":
        return Response(gzip.compress(b"<a/>" * 100)[:30], encoding="gzip")
    if how == "truncated":
        return Response(response_xml("ReadNextEvents", "")[:200], missing=400)
    return Response(GARBAGE[how])
