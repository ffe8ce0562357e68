"""A receiver of notifications in place of Slack, ntfy and others. It counts them and keeps the last title."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Receiver:
    """Listens on a free loopback port for notifications of apprise to a `json://` address. A context manager."""

    def __init__(self) -> None:
        self.count = 0
        self.last_title = ""
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    receiver._count(str(json.loads(body)["title"]))
                except (ValueError, KeyError, TypeError):
                    self.send_error(400, "not a notification of apprise")
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Log nothing: the status line shows the count."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Its address, for `NOTIFY_URLS`."""
        return f"json://127.0.0.1:{self._server.server_port}"

    def _count(self, title: str) -> None:
        with self._lock:
            self.count += 1
            self.last_title = title

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
