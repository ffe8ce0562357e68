"""Posts and receives events inside a cluster, cheaply, so that a figure measures Knative and not the measurement.

Runs as it is in a pod, from the image of the functions: `python pod.py PORT`. It is controlled over HTTP:

- `POST /…` counts an event and answers 202.
- `GET /count` returns how many events came since the last call, and when the first and the last one came.
- `GET /post?url=…&events=…&connections=…&run=…` posts events to a Broker as vCenter's poller does.
- `GET /vcenter?url=…&events=…&connections=…&run=…&powered_off=0` posts events to a vCenter, about 100 VMs.

Events carry *run* in their message. The last two return the seconds that posting took and what was not accepted.
"""

import asyncio
import contextlib
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvloop

VMS = 100
PADDING = "x" * 300
END_OF_CHUNKS = b"0\r\n\r\n"


def message_length(received: bytes) -> int:
    """Return the length of the HTTP message at the start of *received*, 0 if it is not complete."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return 0
    headers = head.lower()
    if b"transfer-encoding: chunked" in headers:
        return len(head) + 4 + body.index(END_OF_CHUNKS) + len(END_OF_CHUNKS) if END_OF_CHUNKS in body else 0
    length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    whole = len(head) + 4 + int(length or 0)
    return whole if len(received) >= whole else 0


# ── post ──


class Poster(asyncio.Protocol):
    """One connection, which sends the next request when the previous one is answered."""

    def __init__(self, requests: Iterator[bytes], failed: list[str]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._failed = failed
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = transport  # uvloop's own class
        self._send_next()

    def data_received(self, data: bytes) -> None:
        """Collect the answer, then send the next request."""
        self._received += data
        if not message_length(self._received):
            return
        if not self._received.startswith(b"HTTP/1.1 2"):
            self._failed.append(self._received[:300].decode(errors="replace"))
        self._received = b""
        self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report a connection that ended too early."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _send_next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
            return
        self.done.set_result(None)
        self._transport.close()


async def send_all(url: str, requests: Iterator[bytes], connections: int) -> dict[str, Any]:
    """Send *requests* over so many *connections*. Returns the seconds, and how many failed, with one of them."""
    address = urlsplit(url)
    failed: list[str] = []
    begun = time.time()
    encrypted = address.scheme == "https"
    port = address.port or (443 if encrypted else 80)
    done = []
    for _ in range(connections):
        _, poster = await asyncio.get_running_loop().create_connection(
            lambda: Poster(requests, failed), str(address.hostname), port, ssl=unverified() if encrypted else None
        )
        done.append(poster.done)
    await asyncio.gather(*done)
    return {"begun": begun, "seconds": time.time() - begun, "failed": len(failed), "example": "".join(failed[:1])}


def unverified() -> ssl.SSLContext:
    """Return a context for the simulated vCenter, whose certificate nobody knows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def cloudevents(url: str, events: int, run: str) -> Iterator[bytes]:
    """Yield POSTs of binary events, about as large as a vCenter event."""
    address = urlsplit(url)
    for number in range(events):
        body = json.dumps(
            {
                "Key": number,
                "UserName": "VSPHERE.LOCAL\\Administrator",
                "CreatedTime": "2026-11-20T15:45:13.123456Z",
                "Vm": {"Name": "DC0_H0_VM0", "Vm": {"Type": "VirtualMachine", "Value": f"vm-{number % VMS}"}},
                "FullFormattedMessage": f"{run} {number} {PADDING}",
            }
        ).encode()
        yield (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nce-specversion: 1.0\r\n"
            f"ce-id: {run}-{number}\r\nce-type: com.vmware.vsphere.VmPoweredOnEvent.v0\r\nce-source: https://vcenter.example/sdk\r\n"
            f"ce-time: 2026-11-20T15:45:13.123456Z\r\nce-subject: VirtualMachine/vm-{number % VMS}\r\n"
            "ce-eventclass: event\r\nce-vsphereapiversion: 8.0.3.0\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


# ── vCenter ──


def soap(url: str, content: str, cookie: str = "") -> bytes:
    """Return a request to vCenter's SOAP API."""
    address = urlsplit(url)
    body = (
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body>{content}</Body></Envelope>'
    )
    return (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nSOAPAction: urn:vim25/8.0.2.0\r\n"
        f"Cookie: {cookie}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def login(url: str) -> str:
    """Log in as vcsim's user. Returns the session's cookie."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 443, ssl=unverified())
    account = "<userName>user</userName><password>pass</password>"
    manager = '<_this type="SessionManager">SessionManager</_this>'
    writer.write(soap(url, f'<Login xmlns="urn:vim25">{manager}{account}</Login>'))
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    session = re.search(r"(?i)^set-cookie: (vmware_soap_session=[^;]+)", head, re.MULTILINE)
    if session is None:
        raise ConnectionError(f"no session: {head}")
    return session[1]


def vcenter_events(url: str, cookie: str, events: int, run: str, *, powered_off: bool) -> Iterator[bytes]:
    """Yield requests that post events about VMs that do not exist: powered off, or a user's own."""
    xsi_type = "VmPoweredOffEvent" if powered_off else "GeneralUserEvent"
    for number in range(events):
        vm = f"vm-{9000 + number % VMS}"
        message = "<template>false</template>" if powered_off else f"<message>{run} {number} {PADDING}</message>"
        yield soap(
            url,
            '<PostEvent xmlns="urn:vim25"><_this type="EventManager">EventManager</_this>'
            f'<eventToPost xsi:type="{xsi_type}"><key>0</key><chainId>0</chainId>'
            "<createdTime>2026-11-20T15:45:13Z</createdTime><userName></userName>"
            f'<vm><name>{run} {vm}</name><vm type="VirtualMachine">{vm}</vm></vm>{message}'
            "</eventToPost></PostEvent>",
            cookie,
        )


# ── the server ──


class Count:
    """The number of events, and the times of the first and the last one."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0.0

    def add(self) -> None:
        """Count one."""
        self.last = time.time()
        self.first = self.first or self.last
        self.count += 1

    def take(self) -> dict[str, float]:
        """Return what was counted, and start again."""
        counted = {"count": self.count, "first": self.first, "last": self.last}
        self.__init__()  # type: ignore[misc]
        return counted


class Server(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._received = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self._transport: Any = transport  # uvloop's own class

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._received += data
        while length := message_length(self._received):
            request, self._received = self._received[:length], self._received[length:]
            if request.startswith(b"POST"):
                self._count.add()
                self._transport.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            else:
                task = asyncio.get_running_loop().create_task(self._control(request.split()[1].decode()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _control(self, target: str) -> None:
        path, query = urlsplit(target).path.strip("/"), dict(parse_qsl(urlsplit(target).query))
        try:
            result, status = await CONTROLS[path](self._count, query), "200 OK"
        except Exception as error:  # noqa: BLE001 - whoever asked learns it
            result, status = {"error": repr(error)}, "500 Error"
        body = json.dumps(result).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def counted(count: Count, query: dict[str, str]) -> dict[str, Any]:
    """`/count`"""
    return count.take()


async def ready(count: Count, query: dict[str, str]) -> dict[str, Any]:
    """`/ready`"""
    return {}


async def post(count: Count, query: dict[str, str]) -> dict[str, Any]:
    """`/post`"""
    requests = cloudevents(query["url"], int(query["events"]), query["run"])
    return await send_all(query["url"], requests, int(query["connections"]))


async def post_to_vcenter(count: Count, query: dict[str, str]) -> dict[str, Any]:
    """`/vcenter`"""
    url, events, run = query["url"], int(query["events"]), query["run"]
    cookie = await login(url)
    requests = vcenter_events(url, cookie, events, run, powered_off=query["powered_off"] == "1")
    return await send_all(url, requests, int(query["connections"]))


CONTROLS: dict[str, Callable[[Count, dict[str, str]], Any]] = {
    "count": counted,
    "ready": ready,
    "post": post,
    "vcenter": post_to_vcenter,
}


async def serve(port: int) -> None:
    """Serve until the pod ends."""
    count = Count()
    server = await asyncio.get_running_loop().create_server(lambda: Server(count), "0.0.0.0", port)  # a pod's own
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(int(sys.argv[1])))
