"""The largest of everything that arrives at each edge, and the memory it takes: `python -m bench.largest [EDGE...]`.

Each function is a process. Ordinary requests come first, and what is resident then is normal. The peak of each large
one is compared with it, so that memory which is not given back counts, too. "Largest" is what passes the limits, what
just does not, and what expands: the smallest values and elements, compressed bodies.
"""

import argparse
import contextlib
import datetime
import gzip
import itertools
import json
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

from bench.measure import Measurement
from demo.vcsim import VCSim
from tests.support.administrator import Administrator
from tests.support.config_map_server import NAME, ConfigMapServer
from tests.support.faulty_poller import kubeconfig
from tests.support.hostile_server import HostileServer, Respond, response
from tests.support.memory import peak_mb, resident_mb
from tests.support.recorder import Recorder
from tests.support.serving import Served

GOAL = "≤ 30 MB above normal"
MB = 1_000_000
BODY = 2 * 1024 * 1024 - 1024
"""A little less than the largest body of a request, `HTTP_MAX_BODY_BYTES`."""
ENDLESS = 200
"""Parts of 1 MB of a body that no limit of the sender ends."""
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

TOKEN = "bench"

_numbers = itertools.count(1)


def binary(body: bytes, content_type: str = "application/json", **attributes: str) -> bytes:
    """Return a request with an event in binary mode."""
    event = {"specversion": "1.0", "id": f"large-{next(_numbers)}", "source": "/bench", "type": "a.b", **attributes}
    lines = "".join(f"ce-{name}: {value}\r\n" for name, value in event.items())
    return (
        f"POST / HTTP/1.1\r\nHost: x\r\ncontent-type: {content_type}\r\n{lines}content-length: {len(body)}\r\n\r\n"
    ).encode() + body


def structured(document: bytes, content_type: str = "application/cloudevents+json") -> bytes:
    """Return a request with an event in structured mode, or another document."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\ncontent-type: {content_type}\r\ncontent-length: {len(document)}\r\n\r\n"
    return head.encode() + document


def event_json(data: bytes = b"1", identity: str = "") -> bytes:
    """Return an event in structured mode with *data*, which are JSON."""
    identity = identity or f"large-{next(_numbers)}"
    return b'{"specversion":"1.0","id":"%s","source":"/bench","type":"a.b","data":%s}' % (identity.encode(), data)


def filled(beginning: bytes, item: bytes, end: bytes, size: int = BODY) -> bytes:
    """Return *beginning*, as many *item* as fit into *size* bytes, and *end*."""
    return beginning + item * ((size - len(beginning) - len(end)) // len(item)) + end


def exchange(port: int, *parts: bytes, seconds: float = 20) -> bytes:
    """Send *parts* on a connection of its own, as far as they are read, and return the beginning of the response."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        with contextlib.suppress(ConnectionError):
            return connection.recv(65_536)
    return b"closed"


REQUESTS: Mapping[str, Callable[[], Sequence[bytes]]] = {
    "body of one text, 2 MB": lambda: [binary(filled(b'{"Message":"', b"x", b'"}'))],
    "body of the smallest JSON values, 2 MB": lambda: [binary(filled(b'{"a":[1', b",[]", b"]}"))],
    "body of the smallest XML elements, 2 MB": lambda: [binary(filled(b"<a>", b"<b/>", b"</a>"), "application/xml")],
    "structured event of the smallest values, 2 MB": lambda: [
        structured(event_json(filled(b"[1", b",[]", b"]", BODY - 100)))
    ],
    "structured event with an id of 1.9 MB": lambda: [structured(event_json(identity="x" * 1_900_000))],
    "structured event of extensions, 2 MB": lambda: [structured(extensions())],
    "batch of the smallest events, 2 MB": lambda: [
        structured(filled(b"[1", b",{}", b"]"), "application/cloudevents-batch+json")
    ],
    "header of 60 KB": lambda: [binary(b"1", subject="x" * 60_000)],
    "200 MB of headers": lambda: [b"POST / HTTP/1.1\r\n", *[b"X-H: " + b"y" * MB + b"\r\n"] * ENDLESS],
    "chunked body of 200 MB": lambda: [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        *[b"%x\r\n" % MB + b"x" * MB + b"\r\n"] * ENDLESS,
    ],
    "gzip of 200 MB": lambda: [
        binary(compressed()).replace(b"content-length", b"content-encoding: gzip\r\ncontent-length", 1)
    ],
}
"""The largest requests, which every function gets."""


def extensions() -> bytes:
    """Return an event of as many extensions as fit."""
    members = b"".join(b',"a%d":""' % number for number in range(140_000))
    return b'{"specversion":"1.0","id":"1","source":"/","type":"a"' + members + b"}"


FUNCTIONS = {
    "display": {},
    "notify": {"NOTIFY_URLS": "json://127.0.0.1:9/"},
    "webhook": {"WEBHOOK_URL": "http://127.0.0.1:9/", "WEBHOOK_TIMEOUT": "1s"},
    "deadletter": {"DEADLETTER_TOKEN": TOKEN},
    "poller": {"VC_URL": "http://127.0.0.1:9/sdk", "K_SINK": "http://127.0.0.1:9/", "FOLLOW_SECONDS": "always"},
    "tag": {"VC_URL": "http://127.0.0.1:9/sdk", "TAG_CATEGORY": "c", "TAG_NAME": "n"},
    "preempt": {"VC_URL": "http://127.0.0.1:9/sdk", "PREEMPT_CATEGORY": "c", "PREEMPT_TAG": "n"},
}
LOGIN = {"VC_USERNAME": "user", "VC_PASSWORD": "pass"}


def posts() -> Iterator[Measurement]:
    """Measure the largest requests at each function."""
    for function, settings in FUNCTIONS.items():
        with Served(function, **{**LOGIN, **settings}) as served:
            for _ in range(3):
                exchange(served.port, binary(b'{"Message":"ordinary"}'))
            normal = resident_mb(served.process.pid)
            for name, make in REQUESTS.items():
                parts = make()
                status = b""

                def act(parts: Sequence[bytes] = parts) -> None:
                    nonlocal status
                    status = exchange(served.port, *parts)

                peak = peak_mb(served.process.pid, act)
                yield row(f"POST to {function}: {name}", normal, peak, status[9:12].decode() or "closed")


RESPONSES: Mapping[str, Callable[[], Iterable[bytes]]] = {
    "200 with 200 MB": lambda: endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", b"x"),
    "500 with 200 MB": lambda: endless(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n", b"x"),
    "gzip of 200 MB, 200": lambda: bomb(b"200 OK"),
    "gzip of 200 MB, 500": lambda: bomb(b"500 Oops"),
    "200 with 20 MB of the smallest JSON values": lambda: json_bomb(b"200 OK"),
    "500 with 20 MB of the smallest JSON values": lambda: json_bomb(b"500 Oops"),
    "200 with 900 KB of the smallest JSON values": lambda: json_bomb(b"200 OK", 900_000),
    "200 with 3.9 MB of the smallest JSON values": lambda: json_bomb(b"200 OK", 3_900_000),
    "200 MB of headers": lambda: [b"HTTP/1.1 200 OK\r\n", *[b"X-H: " + b"y" * MB + b"\r\n"] * ENDLESS],
    "a header a time, 200 MB": lambda: [b"HTTP/1.1 200 OK\r\n", *[b"X-H: y\r\n" * 100_000] * 250],
    "chunks without end, 200 MB": lambda: [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *[b"%x\r\n" % MB + b"x" * MB + b"\r\n"] * ENDLESS,
    ],
    "redirect with 200 MB": lambda: endless(b"HTTP/1.1 301 Moved\r\nLocation: /\r\n", b"x"),
}
"""The largest responses, which every client of ours gets."""


def endless(head: bytes, item: bytes) -> Iterator[bytes]:
    """Yield a response with a body of 200 MB."""
    yield head + b"Content-Length: %d\r\n\r\n" % (ENDLESS * MB)
    yield from [item * MB] * ENDLESS


@cache
def compressed() -> bytes:
    """Return 200 MB as gzip."""
    return gzip.compress(b"x" * (200 * MB))


def bomb(status: bytes) -> Iterator[bytes]:
    """Yield a response that expands to 200 MB."""
    yield response(compressed(), b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", status)


def json_bomb(status: bytes, size: int = 20 * MB) -> Iterator[bytes]:
    """Yield a response whose JSON takes twenty times its size when it is parsed."""
    yield response(filled(b'{"value":[1', b",[]", b"]}", size), b"Content-Type: application/json\r\n", status)


ORDINARY = response(b"{}", b"Content-Type: application/json\r\n")


def always(parts: Iterable[bytes]) -> Respond:
    """Return what responds with *parts* to everything."""
    return lambda head, body: parts


def hostile(edge: str, server: HostileServer, pid: int, act: Callable[[], object]) -> Iterator[Measurement]:
    """Measure process *pid* while it gets each of the largest responses of *server*, which *act* makes it ask for.

    *server* then responds as before.
    """
    usual = server.respond
    for _ in range(3):
        act()
    normal = resident_mb(pid)
    for name, make in RESPONSES.items():
        parts = list(make())
        server.respond = always(parts)
        peak = peak_mb(pid, act)
        server.respond = usual
        yield row(f"{edge}: {name}", normal, peak)


ALARM = {
    "Alarm": {"Name": "Cluster CPU usage"},
    "Entity": {"Name": "c", "Entity": {"Type": "ClusterComputeResource", "Value": "domain-c1"}},
    "Vm": {"Name": "vm", "Vm": {"Type": "VirtualMachine", "Value": "vm-1"}},
    "To": "red",
    "FullFormattedMessage": "it is red",
}


def vcenter_event(source: str = "/bench") -> bytes:
    """Return a request with an event about a VM and a cluster."""
    return binary(json.dumps(ALARM).encode(), type="com.vmware.vsphere.AlarmStatusChangedEvent.v0", source=source)


def receivers() -> Iterator[Measurement]:
    """Measure the responses of webhook's and notify's receivers."""
    for function, settings in (
        ("webhook", {"WEBHOOK_URL": "http://127.0.0.1:{port}/", "WEBHOOK_TIMEOUT": "8s"}),
        ("notify", {"NOTIFY_URLS": "json://127.0.0.1:{port}/", "NOTIFY_LIMIT": "100000"}),
    ):
        with HostileServer(lambda head, body: [ORDINARY]) as server:
            environ = {name: value.format(port=server.port) for name, value in settings.items()}
            with Served(function, **environ) as served:
                act = partial(lambda port: exchange(port, vcenter_event()), served.port)
                yield from hostile(f"{function}'s receiver", server, served.process.pid, act)


def forward(port: int, tls: bool, head: bytes, body: bytes) -> Iterable[bytes]:
    """Return the response of the server on *port* to a request."""
    first, *lines = head.decode("latin-1").splitlines()
    method, path, _ = first.split(" ")
    names = dict(line.split(": ", 1) for line in lines)
    names = {name: value for name, value in names.items() if name.lower() not in ("accept-encoding", "connection")}
    connect = partial(HTTPSConnection, context=ssl._create_unverified_context()) if tls else HTTPConnection
    with contextlib.closing(connect("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, names)
        received = connection.getresponse()
        kept = [
            f"{name}: {value}\r\n"
            for name, value in received.getheaders()
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        ]
        status = f"{received.status} {received.reason}".encode()
        return [response(received.read(), "".join(kept).encode(), status)]


@contextlib.contextmanager
def polling(**environ: str) -> Iterator[tuple[Administrator, HostileServer, int]]:
    """Run a poller that follows. Yield an administrator, a server between it and vCenter, and its process."""
    with (
        VCSim() as vcsim,
        Administrator(vcsim.port) as person,
        Recorder() as sink,
        HostileServer(partial(forward, vcsim.port, True)) as server,
    ):
        settings = {**vcsim.environ, "VC_URL": f"{server.url}/sdk", "K_SINK": sink.url, "FOLLOW_SECONDS": "always"}
        with Served("poller", **{**settings, **environ}) as served:
            yield person, server, served.process.pid


def post_and_wait(person: Administrator, seconds: float = 6) -> None:
    """Create an event, and wait until the poller has met it."""
    person.post("large")
    time.sleep(seconds)


def sink() -> Iterator[Measurement]:
    """Measure the responses of the poller's sink."""
    with HostileServer(lambda head, body: [ORDINARY]) as server, polling(K_SINK=server.url) as (person, _, pid):
        yield from hostile("the poller's sink", server, pid, partial(post_and_wait, person))


def api_server() -> Iterator[Measurement]:
    """Measure the responses of the API server to the poller."""
    with (
        ConfigMapServer() as behind,
        tempfile.TemporaryDirectory() as folder,
        HostileServer(partial(forward, behind.port, False)) as server,
    ):
        file = Path(folder) / "kubeconfig"
        file.write_text(json.dumps(kubeconfig(server.port)), encoding="ascii")
        with polling(CHECKPOINT=f"configmap:{NAME}", KUBECONFIG=str(file)) as (person, _, pid):
            yield from hostile("the poller's API server", server, pid, partial(post_and_wait, person))


ENVELOPE = (
    b'<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
    b'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><e:Body><ReadNextEventsResponse xmlns="urn:vim25">'
)
ENVELOPE_END = b"</ReadNextEventsResponse></e:Body></e:Envelope>"
PAGES: Mapping[str, Callable[[int], bytes]] = {
    "an event with a text of 20 MB": lambda key: event_xml(key, b"x" * (20 * MB)),
    "an event with a text of 900 KB": lambda key: event_xml(key, b"x" * 900_000),
    "an event with 3 MB of the smallest elements": lambda key: event_xml(key, b"<a/>" * (3 * MB // 4)),
    "an event with 20 MB of the smallest elements": lambda key: event_xml(key, b"<a/>" * (5 * MB)),
    "1,000 events of 3 KB": lambda key: b"".join(event_xml(key + number, b"x" * 2700) for number in range(1000)),
    "1,000 events of 20 KB": lambda key: b"".join(event_xml(key + number, b"x" * 20_000) for number in range(1000)),
    "20 MB of references to characters": lambda key: event_xml(key, b"&#1;" * (5 * MB)),
}
"""The elements in the response to a read of events, the first with the key that is given."""


def event_xml(key: int, message: bytes) -> bytes:
    """Return an event as vCenter sends it."""
    created = datetime.datetime.now(datetime.UTC).isoformat().encode()
    return (
        b'<returnval i:type="GeneralUserEvent"><key>%d</key><chainId>0</chainId><createdTime>%s</createdTime>'
        b"<userName>bench</userName><message>%s</message></returnval>" % (key, created, message)
    )


def vcenter() -> Iterator[Measurement]:
    """Measure vCenter's responses to the poller: any, and to a read of events, pages that are large and well-formed."""
    with polling() as (person, server, pid):
        yield from hostile("vCenter", server, pid, partial(post_and_wait, person))
    for name, make in PAGES.items():
        for is_compressed in (False, True):
            with polling() as (person, server, pid):
                post_and_wait(person)
                page = ENVELOPE + make(person.newest_key + 1) + ENVELOPE_END
                server.respond = partial(with_page, server.respond, compress(page) if is_compressed else response(page))
                normal = resident_mb(pid)
                peak = peak_mb(pid, partial(post_and_wait, person, 8))
            yield row(f"vCenter: {name}{', as gzip' if is_compressed else ''}", normal, peak)


def compress(page: bytes) -> bytes:
    """Return a compressed response."""
    return response(gzip.compress(page, 1), b"Content-Encoding: gzip\r\n")


def with_page(usual: Respond, page: bytes, head: bytes, body: bytes) -> Iterable[bytes]:
    """Return *page* for a read of events, and else the *usual* response."""
    return [page] if b"<ReadNextEvents " in body else usual(head, body)


def identities() -> Iterator[Measurement]:
    """Measure 150 events with an id of 1.9 MB, which are rejected, and 150 with one of 60 KB, which are not."""
    for function in ("display", "webhook", "notify", "deadletter"):
        with (
            tempfile.TemporaryDirectory() as folder,
            Served(function, **{**LOGIN, **FUNCTIONS[function], **in_file(folder)}) as served,
        ):
            for _ in range(3):
                exchange(served.port, binary(b"1"))
            normal = resident_mb(served.process.pid)
            for size in (1_900_000, 60_000):
                written = sum(len(json.dumps(line)) for line in served.lines)
                peak = peak_mb(served.process.pid, partial(post_identities, served.port, size))
                written = sum(len(json.dumps(line)) for line in served.lines) - written
                yield row(f"{function}: 150 ids of {size:,} bytes", normal, peak, f"{written:,} bytes of log")


def post_identities(port: int, size: int) -> None:
    """Post 150 events with different ids of *size* bytes."""
    for number in range(150):
        exchange(port, structured(event_json(identity=f"{number}-".ljust(size, "x"))))


ACTIONS: Mapping[str, Callable[[], tuple[str, bytes]]] = {
    "handover of one dead letter, 2 MB": lambda: (
        "handover",
        filled(b'{"from":"x","deadLetters":[{"event":"', b"x", b'"}]}'),
    ),
    "handover of the smallest dead letters, 2 MB": lambda: (
        "handover",
        filled(b'{"from":"x","deadLetters":[1', b",{}", b"]}"),
    ),
    "redrive of the largest selection, 2 MB": lambda: ("redrive", filled(b'{"numbers":[1', b",1", b"]}")),
    "drop with a reason of 2 MB": lambda: ("drop", filled(b'{"all":true,"reason":"', b"x", b'"}')),
}
"""The largest requests to change dead letters, with the token."""


def api(method: str, path: str, body: bytes = b"") -> bytes:
    """Return a request of the API of dead letters."""
    return (
        f"{method} /api/dead-letters{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def in_file(folder: str) -> dict[str, str]:
    """Return the setting of dead letters in a file, as in the cluster."""
    return {"DEADLETTER_FILE": f"{folder}/dead-letters.sqlite"}


def dead_letters() -> Iterator[Measurement]:
    """Measure the deadletter function: 50 of the largest, actions on them, and the Broker's responses to a redrive."""
    with (
        HostileServer(lambda head, body: [ORDINARY]) as broker,
        tempfile.TemporaryDirectory() as folder,
        Served("deadletter", **{**FUNCTIONS["deadletter"], **in_file(folder), "K_SINK": broker.url}) as served,
    ):
        pid, port = served.process.pid, served.port
        for _ in range(3):
            exchange(port, binary(b"1"))
            exchange(port, api("GET", ""))
            exchange(port, api("POST", "/redrive", b'{"all":true}'))
        normal = resident_mb(pid)

        def keep() -> None:
            for _ in range(50):
                exchange(port, binary(filled(b'{"a":"', b"x", b'"}')))

        yield row("deadletter: 50 dead letters of 2 MB", normal, peak_mb(pid, keep))
        for name, request in (("the list", api("GET", "")), ("one of 2 MB", api("GET", "/10"))):
            yield row(f"deadletter: {name}", normal, peak_mb(pid, partial(exchange, port, request)))
        for name, make in ACTIONS.items():
            action, body = make()
            peak = peak_mb(pid, partial(exchange, port, api("POST", f"/{action}", body)))
            yield row(f"deadletter: {name}", normal, peak)
        for name, respond in RESPONSES.items():
            exchange(port, binary(b"1"))
            parts = list(respond())
            broker.respond = always(parts)
            peak = peak_mb(pid, partial(exchange, port, api("POST", "/redrive", b'{"all":true}'), seconds=70))
            yield row(f"deadletter's Broker at a redrive: {name}", normal, peak)


def listed() -> Iterator[Measurement]:
    """Measure the deadletter function's responses to the display."""
    with (
        HostileServer(lambda head, body: [ORDINARY]) as server,
        Served("display", DISPLAY_DEAD_LETTERS=server.url) as it,
    ):
        act = partial(exchange, it.port, b"GET /api/dead-letters HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        yield from hostile("display's deadletter", server, it.process.pid, act)


def tagging() -> Iterator[Measurement]:
    """Measure the responses of vCenter's REST API to the function `tag`."""
    with HostileServer(lambda head, body: [ORDINARY]) as server:
        environ = {**LOGIN, "VC_URL": f"{server.url}/sdk", "TAG_CATEGORY": "c", "TAG_NAME": "n"}
        with Served("tag", **environ) as served:
            act = partial(lambda port: exchange(port, vcenter_event(f"{server.url}/sdk")), served.port)
            yield from hostile("tag's vCenter (REST)", server, served.process.pid, act)


def row(what: str, normal: float, peak: float, result: str = "") -> Measurement:
    """Return a row of the table."""
    figures = f"{max(0.0, peak - normal):.0f} MB above {normal:.0f} MB"
    return Measurement(what, f"{figures} ({result})" if result else figures, "", GOAL)


def largest(edges: Sequence[str] = ()) -> Iterator[Measurement]:
    """Measure every edge."""
    for edge in edges or EDGES:
        yield from EDGES[edge]()


EDGES: Mapping[str, Callable[[], Iterator[Measurement]]] = {
    "posts": posts,
    "receivers": receivers,
    "sink": sink,
    "api-server": api_server,
    "vcenter": vcenter,
    "tagging": tagging,
    "ids": identities,
    "dead-letters": dead_letters,
    "display": listed,
}
"""Name → what measures it."""


def main() -> int:
    """Print the table of the edges that the command line names, or of all."""
    parser = argparse.ArgumentParser(prog="python -m bench.largest", description=__doc__)
    parser.add_argument("edges", nargs="*", metavar="EDGE", choices=[*EDGES, []], help=", ".join(EDGES))
    for line in largest(parser.parse_args().edges):
        print(f"| {line.what} | {line.value} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
