"""Posts events as fast as they are answered, over several kept-alive connections: a process of its own.

`python -m bench.poster PORT EVENTS CONNECTIONS TYPE` prints the seconds that it took, the milliseconds of each
answer's 50th and 99th percentile, and the number of statuses that were not 2xx.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator

import uvloop

from bench.measure import percentile

PADDING = "x" * 300
INFO_TYPE = "com.vmware.vsphere.VmPoweredOnEvent.v0"
"""An event that notify takes for less than an error."""


def request(event_type: str, number: int, padding: str = PADDING) -> bytes:
    """Return one POST of a binary event, about as large as a vCenter event."""
    body = json.dumps(
        {
            "Key": number,
            "UserName": "VSPHERE.LOCAL\\Administrator",
            "CreatedTime": "2026-11-20T15:45:13.123456Z",
            "Vm": {"Name": "DC0_H0_VM0", "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
            "Host": {"Name": "DC0_H0", "Host": {"Type": "HostSystem", "Value": "host-21"}},
            "FullFormattedMessage": f"DC0_H0_VM0 on DC0_H0 in DC0 is powered off {number} {padding}",
        }
    ).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: bench\r\nce-specversion: 1.0\r\nce-id: {number}\r\nce-type: {event_type}\r\n"
        "ce-source: https://vcenter.example/sdk\r\nce-time: 2026-11-20T15:45:13.123456Z\r\n"
        "ce-subject: VirtualMachine/vm-60\r\nce-eventclass: event\r\nce-vsphereapiversion: 8.0.3.0\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def post(port: int, numbers: Iterator[int], event_type: str, took: list[float], failed: list[int]) -> None:
    """Post the events *numbers* one after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        begun = time.perf_counter()
        writer.write(request(event_type, number))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 2"):
            failed.append(int(head[9:12]))
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
        if length and int(length):
            await reader.readexactly(int(length))
        took.append(time.perf_counter() - begun)
    writer.close()


async def run(port: int, events: int, connections: int, event_type: str) -> None:
    """Post so many *events* and print the figures."""
    took: list[float] = []
    failed: list[int] = []
    numbers = iter(range(events))
    shared = itertools.islice(numbers, events)
    begun = time.perf_counter()
    await asyncio.gather(*(post(port, shared, event_type, took, failed) for _ in range(connections)))
    seconds = time.perf_counter() - begun
    print(seconds, percentile(took, 50) * 1000, percentile(took, 99) * 1000, len(failed))


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
