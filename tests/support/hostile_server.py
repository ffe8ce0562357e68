"""An HTTP server whose responses are raw bytes of any size, so that they may break every promise of HTTP."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Self

Respond = Callable[[bytes, bytes], Iterable[bytes]]
"""Returns the parts of the response to a request with this head and this body."""


def response(body: bytes = b"", head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """Return a whole response. *head* has further header lines, each with its line end."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), head, body)


class HostileServer:
    """A server on a free port of the loopback interface. A context manager."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        """Tests may replace it at any time."""
        self.connection_count = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connection_count += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError), connection.makefile("rb") as reader:
            while head := b"".join(iter(reader.readline, b"\r\n")):
                lengths = [line.partition(b":")[2] for line in head.lower().splitlines() if b"content-length" in line]
                for part in self.respond(head, reader.read(int(lengths[0])) if lengths else b""):
                    connection.sendall(part)
