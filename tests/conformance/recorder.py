"""A subscriber that answers as it is told and remembers what it got.

One file that imports nothing but Python's own, so that it runs as it is in a pod, too. `PUT /box` with a JSON list of
answers (`status`, `after_seconds`, `headers`, `body`) says how `POST /box` is answered, in order; the last one repeats.
`GET /box` gives what was posted there, `GET /` every box by name.
"""

import base64
import json
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCEPTED: dict[str, Any] = {"status": 202}


class Recorder(ThreadingHTTPServer):
    """The server, with its boxes."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.lock = threading.Lock()
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.boxes: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def take(self, box: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        """Remember a request; the answer to it."""
        with self.lock:
            received = self.boxes[box]
            answers = self.answers.get(box, [ACCEPTED])
            answer = answers[min(len(received), len(answers) - 1)]
            received.append({"at": time.time(), "headers": headers, "body": base64.b64encode(body).decode()})
            return answer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away before its answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    @property
    def box(self) -> str:
        return self.path.strip("/")

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.take(self.box, headers, self._body())
        time.sleep(answer.get("after_seconds", 0))
        self._answer(answer["status"], answer.get("body", "").encode(), answer.get("headers", {}))

    def do_PUT(self) -> None:
        answers = json.loads(self._body())
        with self.server.lock:
            self.server.answers[self.box] = answers
        self._answer(204)

    def do_GET(self) -> None:
        with self.server.lock:
            received = json.dumps(self.server.boxes[self.box] if self.box else self.server.boxes).encode()
        self._answer(200, received, {"content-type": "application/json"})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] = {}) -> None:  # noqa: B006 - only read
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


if __name__ == "__main__":
    Recorder("0.0.0.0", int(sys.argv[1])).serve_forever()
