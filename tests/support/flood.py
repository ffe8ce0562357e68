"""A server whose responses have an enormous body."""

import contextlib
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = b" " * 65_536


@contextlib.contextmanager
def flood(status: int, megabytes: int) -> Iterator[str]:
    """Serve at the address that is returned: every POST gets *status* and a body of so many *megabytes*."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", str(megabytes * 16 * len(BLOCK)))
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client has enough
                for _ in range(megabytes * 16):
                    self.wfile.write(BLOCK)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def memory_peak() -> Iterator[list[int]]:
    """Measure the peak of Python's memory within, in bytes above the beginning: the list has it afterwards."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
