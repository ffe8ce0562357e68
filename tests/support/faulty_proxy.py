"""A TCP proxy with the faults of a network: latency, slices, resets in mid-answer, half-open connections, garbage."""

import contextlib
import dataclasses
import random
import select
import socket
import struct
import threading
import time
from typing import Self

CHUNK_BYTES = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: closing sends RST instead of FIN."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """The treatment of the data that pass the proxy."""

    latency_seconds: float = 0.0
    """The delay of each piece of data, in both directions."""
    slice_bytes: int = 0
    """Answers come in pieces of this size. 0: as they are."""
    reset_share: float = 0.0
    """The share of pieces of answers of which only the first half comes, before the connection is reset."""
    is_silent: bool = False
    """The connection becomes half-open: it stays, and nothing passes it any more, also after the fault."""
    replacement: bytes | None = None
    """The text that comes instead of each piece of an answer. Empty: as many random bytes."""


NONE = Fault()
LATENCY = Fault(latency_seconds=0.3)
RESET = Fault(reset_share=0.3)
SLICES = Fault(slice_bytes=1)
HALF_OPEN = Fault(is_silent=True)
GARBAGE = Fault(replacement=b"")
PAGE = Fault(replacement=b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n<html>later")
"""An answer of somebody else: a page of a gateway, with success."""


class FaultyProxy:
    """A proxy to a port of the loopback interface. A context manager. Resets and garbage follow a seed."""

    def __init__(self, target_port: int, seed: int = 4711) -> None:
        self.fault = NONE
        """The fault of all connections, old and new, from now on."""
        self._chance = random.Random(seed)
        self._open: list[socket.socket] = []
        self._target = ("127.0.0.1", target_port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # its thread closes it

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward in one thread for both directions: a socket that another thread reads cannot be reset."""
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            self._open += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                self._forward(client, server)
            self._open.remove(client)
            self._open.remove(server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        is_half_open = False
        while True:
            for end in select.select([client, server], [], [])[0]:
                data = end.recv(CHUNK_BYTES)
                if not data:
                    return
                fault = self.fault
                time.sleep(fault.latency_seconds)
                is_half_open = is_half_open or fault.is_silent
                if is_half_open:
                    continue
                if end is client:
                    server.sendall(data)
                elif not self._respond(data, client, fault):
                    return

    def _respond(self, data: bytes, client: socket.socket, fault: Fault) -> bool:
        """Send *data* to the client, as *fault* has it. Returns False if the connection is to be reset."""
        if fault.replacement is not None:
            data = fault.replacement or self._chance.randbytes(len(data))
        if self._chance.random() < fault.reset_share:
            client.sendall(data[: len(data) // 2])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            return False
        size = fault.slice_bytes or len(data)
        for start in range(0, len(data), size):
            client.sendall(data[start : start + size])
        return True
