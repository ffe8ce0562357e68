"""The webhook's HTTPS server: the API server posts an AdmissionReview, and gets it back with a patch.

Every replica serves, also those that do not lead. uvicorn does HTTP. The certificate is checked each minute and is
reloaded without a restart.
"""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog

# Not from the package, which would import uvicorn's command line.
from uvicorn.config import Config
from uvicorn.server import Server

from cluster.errors import ClusterError
from cluster.resources import Object
from functions.controller.certificates import Certificates, CertificateStore
from functions.controller.webhook import PATH, read_all
from pipeline import bounds
from pipeline.asgi import Receive, Scope, Send, send_response
from sources.admission import InvalidReview, is_probe, review

log = structlog.get_logger()

CHECK_SECONDS = 60.0
"""The time between looks at the certificate."""
RETRY_SECONDS = 2.0
"""The time until the next look after the Secret could not be read."""
BODY_SECONDS = 5.0
"""Maximum time for a request to arrive."""
KEEP_ALIVE_SECONDS = 120
"""The API server closes idle connections after 90 s, so it is never surprised by a closed one."""
CLOSE_SECONDS = 3.0

Find = Callable[[str], Iterable[Object] | None]
"""Returns the VSphereBindings of a namespace. None while they are not known."""


class AdmissionServer:
    """The webhook's server of one replica."""

    def __init__(
        self, find: Find, store: CertificateStore, address: tuple[str, int], on_authorities: Callable[[], object]
    ) -> None:
        """Listen on *address* (host, port). *on_authorities* is called when the API server must trust others."""
        self._application = Application(find)
        self._store = store
        self._on_authorities = on_authorities
        self._listener = socket.create_server(
            address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET, dualstack_ipv6=address[0] == "::"
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certificates: Certificates | None = None
        self._server = Server(_configuration(self._application, self._context))
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._keep_certificate, name="certificate", daemon=True)]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.getsockname()[1])

    @property
    def authorities(self) -> bytes:
        """The certificates, in PEM, that the API server must trust. Empty until the server serves."""
        return self._certificates.authorities if self._certificates else b""

    def start(self) -> None:
        """Serve as soon as there is a certificate. Returns at once."""
        self._threads[0].start()

    def check_certificate(self) -> None:
        """Renew or load the certificate if it is time, and begin to serve with the first one. Raises `ClusterError`."""
        certificates, before = self._store.refresh(), self._certificates
        if certificates == before:
            return
        certificates.load_into(self._context)
        self._certificates = certificates
        if before is None:
            thread = threading.Thread(target=self._serve, name="admission", daemon=True)
            self._threads.append(thread)
            thread.start()
            log.info("Serving the webhook", port=self.port, expires=certificates.expires.isoformat())
        if before is None or before.authorities != certificates.authorities:
            self._on_authorities()

    def close(self) -> None:
        """Finish the requests under way."""
        self._closed.set()
        self._server.should_exit = True
        for thread in self._threads:
            if thread.is_alive():
                thread.join(CLOSE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        try:
            self._server.run([self._listener])
        except SystemExit as error:
            # uvicorn's way to report that it could not start. A thread would end with it unseen.
            raise RuntimeError("the webhook's server could not start") from error

    def _keep_certificate(self) -> None:
        seconds = 0.0
        while not self._closed.wait(seconds):
            try:
                self.check_certificate()
                seconds = CHECK_SECONDS
            except (ClusterError, ssl.SSLError, OSError) as error:
                log.warning("Cannot check the webhook's certificate", reason=str(error))
                seconds = RETRY_SECONDS


class Application:
    """The webhook as an ASGI application."""

    def __init__(self, find: Find) -> None:
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != PATH:
            return await _respond(send, 404, {"message": f"there is only {PATH}"})
        if scope["method"] != "POST":
            return await _respond(send, 405, {"message": "POST an AdmissionReview"})
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            return await _respond(send, 408, {"message": "the request did not arrive in time"})
        if body is None:
            return await _respond(send, 413, {"message": f"a request may have {bounds.ADMISSION_BYTES} bytes"})
        return await _respond(send, *self.respond(body))

    def respond(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and document for an AdmissionReview."""
        try:
            message = json.loads(body)
            request = message["request"]
            bindings = self._find(str(request.get("namespace", "")))
            if bindings is None and not is_probe(request.get("object") or {}):
                return 503, {"message": "the VSphereBindings are not listed yet"}
            result = review(message, read_all(bindings or ()))
        except (ValueError, KeyError, TypeError, AttributeError, InvalidReview) as error:
            log.warning("Rejected a request to the webhook", reason=str(error) or type(error).__name__)
            return 400, {"message": f"this is not an AdmissionReview: {error}"}
        log.info(
            "Reviewed an object",
            operation=request.get("operation"),
            kind=(request.get("kind") or {}).get("kind"),
            namespace=request.get("namespace"),
            name=request.get("name"),
            bound="patch" in result["response"],
        )
        return 200, result


def _configuration(application: Application, context: ssl.SSLContext) -> Config:
    return Config(
        application,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=bounds.ADMISSION_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(CLOSE_SECONDS),
        ssl_context_factory=lambda *_: context,
    )


async def _read(receive: Receive) -> bytes | None:
    """Return a request's body. None if it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bounds.ADMISSION_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(send: Send, status: int, document: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send_response(send, status, headers, json.dumps(document, separators=(",", ":")).encode())
