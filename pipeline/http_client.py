"""One HTTP request to a server that may respond with anything.

- No redirect is followed, because the request would arrive somewhere else, without its body.
- The whole exchange has one deadline. A server that sends one byte a second does not extend it.
- The response's body is read up to a limit and never decompressed, so that it cannot fill the memory.
- Variables of the environment choose a proxy at most, never a login (`.netrc`).
"""

import asyncio
import contextlib
import io
import ssl
import threading
import urllib.request
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from pipeline import bounds, lazy
from pipeline.errors import TemporaryError, cut

if TYPE_CHECKING:
    import aiohttp
    import certifi
else:  # importing aiohttp takes a third of a function's start
    aiohttp = lazy.module("aiohttp")
    certifi = lazy.module("certifi")

LARGE_BYTES = 1_000_000
"""The size from which aiohttp wants a stream."""


class NoResponse(TemporaryError):
    """There is no HTTP response: the server is unreachable, too slow or does not speak HTTP.

    *reason* is the type of the error, which never contains the address.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Response(NamedTuple):
    """The response to one request."""

    status: int
    body: bytes
    """At most the limit of the request. A longer body is cut."""
    headers: Mapping[str, str] = {}
    """By name in lower case. The last one of a repeated header."""
    is_whole: bool = True
    """False if the body was cut."""

    @property
    def is_success(self) -> bool:
        """Return whether the server accepted the request: 2xx. A redirect is not a success."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as one line, to quote it."""
        return cut(self.body.decode("utf-8", "replace"))


class HTTPClient:
    """A client for one thread at a time, which keeps connections between requests. A context manager."""

    def __init__(
        self,
        *,
        ca_bundle: str | None = None,
        uses_proxies: bool = False,
        insecure: bool = False,
        keeps_connections: bool = True,
    ) -> None:
        """Trust the authorities in the file *ca_bundle*, or public ones, or with *insecure* any certificate.

        *uses_proxies* applies `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. With *keeps_connections* a request fails if
        the server closed the connection since the last one: use it for requests in a row only.
        """
        self._keeps_connections = keeps_connections
        self._ca_bundle = ca_bundle
        self._insecure = insecure
        self._uses_proxies = uses_proxies
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None
        self._lock = threading.Lock()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        seconds: float,
        max_bytes: int = bounds.ERROR_RESPONSE_BYTES,
    ) -> Response:
        """Return the response to one request, which must be complete after *seconds*. Raises `NoResponse`.

        Header values are sent as UTF-8.
        """
        with self._lock:
            try:
                return self._runner.run(self._send(method, url, headers, body, seconds, max_bytes))
            except TimeoutError as error:
                raise NoResponse("Timeout", f"no response within {seconds:g} s") from error
            except (aiohttp.ClientError, OSError, ValueError) as error:
                reason = type(error).__name__
                raise NoResponse(reason, cut(str(error)) or reason) from error

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._session is not None:
                self._runner.run(self._session.close())
                self._session = None
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float, max_bytes: int
    ) -> Response:
        async with (
            asyncio.timeout(seconds),
            self._opened() as session,
            session.request(
                method, url, headers=headers, data=_content(body), proxy=self._proxy(url), allow_redirects=False
            ) as response,
        ):
            parts, size = [], 0
            while size < max_bytes and (part := await response.content.read(max_bytes - size)):
                parts.append(part)
                size += len(part)
            # A limit that was reached exactly is not the end yet.
            is_whole = response.content.at_eof() or (size == max_bytes and not await response.content.read(1))
            if not is_whole:
                response.close()  # the rest would delay the next request on this connection
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status, b"".join(parts), headers, is_whole)

    @contextlib.asynccontextmanager
    async def _opened(self) -> "AsyncIterator[aiohttp.ClientSession]":
        """Yield the session that is kept, or one for a single request.

        Its end aborts the TLS connection. A connection that is only closed waits for the server to close it, too, and
        nobody runs the loop until then.
        """
        if self._session is None:
            self._session = self._open()
        try:
            yield self._session
        finally:
            if not self._keeps_connections:
                session, self._session = self._session, None
                await session.close()

    def _open(self) -> "aiohttp.ClientSession":
        context = ssl.create_default_context(cafile=self._ca_bundle or certifi.where())
        if self._insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=["Accept-Encoding", "Content-Type"],
        )

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        if not self._uses_proxies or urllib.request.proxy_bypass(parts.netloc):
            return None
        return urllib.request.getproxies().get(parts.scheme)


def _content(body: bytes) -> bytes | io.BytesIO:
    """Return *body*, or a stream of it if it is too large to be written at once."""
    return body if len(body) < LARGE_BYTES else io.BytesIO(body)


def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    seconds: float,
    max_bytes: int = bounds.ERROR_RESPONSE_BYTES,
) -> Response:
    """Return the response to one request to a server in the cluster. Raises `NoResponse`."""
    with HTTPClient() as client:
        return client.send(method, url, headers, body, seconds=seconds, max_bytes=max_bytes)
