"""An API server with one ConfigMap, over HTTP, for Kubernetes' own client. A test sets its responses."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

NAME = "checkpoint"


class ConfigMapServer:
    """A server of the ConfigMap `NAME` on a free port. A context manager."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.garbage: bytes | None = None
        """The response to every request, with `status`. None: the ConfigMap."""
        self.status = 200
        self._version = 1
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def client(self) -> Any:
        """Return a `kubernetes.client.CoreV1Api` for this server."""
        from kubernetes import client  # noqa: PLC0415 - half a second

        configuration = client.Configuration(host=f"http://127.0.0.1:{self.port}")
        configuration.retries = False
        return client.CoreV1Api(client.ApiClient(configuration))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(server.status, server._body())

            def do_PUT(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if server.garbage is None:
                    if sent["metadata"]["resourceVersion"] != str(server._version):
                        self._send(409, b'{"message": "it was changed"}')
                        return
                    server.data = sent.get("data") or {}
                    server._version += 1
                self._send(server.status, server._body())

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _body(self) -> bytes:
        if self.garbage is not None:
            return self.garbage
        metadata = {"name": NAME, "resourceVersion": str(self._version)}
        return json.dumps({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": self.data}).encode()
