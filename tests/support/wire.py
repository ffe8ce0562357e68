"""A connection that tests can cut."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """A proxy that forwards bytes to a port of this machine, and can be cut, mended and led to another port."""

    def __init__(self, port: int, strip: bytes = b"") -> None:
        """*strip* is removed from the data of clients."""
        self.port = port
        self._strip = strip
        self._whole = True
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.requests: list[str] = []
        """The data that clients sent, in the order of arrival."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    if not self._whole:
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", self.port))
                    self._ends += [client, server]
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if is_request:
                    self.requests.append(data.decode("latin-1"))
                    data = data.replace(self._strip, b"") if self._strip else data
                other.sendall(data)
        self._end(one)
        self._end(other)

    @staticmethod
    def _end(end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Close all connections, and close new ones until `mend`."""
        with self._lock:
            self._whole = False
            for end in self._ends:
                self._end(end)

    def mend(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._whole = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._end(self._listener)
        self._listener.close()
        for end in self._ends:
            end.close()
