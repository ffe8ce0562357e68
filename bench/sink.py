"""A sink that responds at once. It speaks HTTP without a library, so that the benchmark measures the sender.

It is a process of its own (`python -m bench.sink`) and prints its port. `GET /` returns a JSON list of `[id, seconds]`
(`time.time()`) of the events that arrived since the last `GET /`.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from typing import Self

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"ce-id: *([^\r]+)", re.IGNORECASE)
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

_arrived: list[tuple[str, float]] = []


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            if head.startswith(b"GET"):
                self._report()
            else:
                event_id = _ID.search(head)
                _arrived.append((event_id[1].decode() if event_id else "", time.time()))
                self._transport.write(_ACCEPTED)

    def _report(self) -> None:
        body = json.dumps(_arrived).encode()
        _arrived.clear()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().connect_read_pipe(asyncio.Protocol, sys.stdin)
    await server.serve_forever()


class SinkProcess:
    """The sink as a child process. A context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def take(self) -> list[tuple[str, float]]:
        """Return the events that arrived since the last call, in order: (id, `time.time()`)."""
        with urllib.request.urlopen(self.url, timeout=30) as response:
            return [(key, at) for key, at in json.load(response)]


if __name__ == "__main__":
    asyncio.run(_serve())
