"""A server that begins a response and never ends it."""

import contextlib
import socket
import threading
from collections.abc import Iterator

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Slow: "


@contextlib.contextmanager
def drip(beginning: bytes = HEADERS, pause_seconds: float = 0.1) -> Iterator[str]:
    """Serve at the address that is returned: *beginning*, then a byte after each pause, without end."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(
                    target=_drip, args=(connection, beginning, pause_seconds, stopped), daemon=True
                ).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        finally:
            stopped.set()


def _drip(connection: socket.socket, beginning: bytes, pause_seconds: float, stopped: threading.Event) -> None:
    with connection, contextlib.suppress(OSError):
        connection.sendall(beginning)
        while not stopped.wait(pause_seconds):
            connection.sendall(b"x")
