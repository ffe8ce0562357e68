"""A client that sends bytes as they are, whole requests or not."""

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import NamedTuple

from runtime.server import Server


class Reply(NamedTuple):
    """A response as it arrived. The status is 0 if the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """Speaks to a server on a port of this machine."""

    def __init__(self, port: int, server: Server) -> None:
        self.port = port
        self.server = server

    @contextlib.contextmanager
    def connection(self, seconds: float = 10) -> Iterator[socket.socket]:
        """An open connection, closed afterwards."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            yield connection

    def exchange(self, data: bytes, *, finish: bool = False) -> Reply:
        """Send *data*, say that it was all if *finish*, and return what comes back."""
        with self.connection() as connection:
            with contextlib.suppress(ConnectionError):  # a rejected sender may be cut off
                connection.sendall(data)
                if finish:
                    connection.shutdown(socket.SHUT_WR)
            return reply(connection)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        """Send a whole request on a connection of its own."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(method, path, body or None, headers or {})
            response = client.getresponse()
            return Reply(response.status, lower(response), response.read())
        finally:
            client.close()


def reply(connection: socket.socket) -> Reply:
    """Read one response."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ConnectionError):
        return Reply(0, {}, b"")
    return Reply(response.status, lower(response), body)


def lower(response: http.client.HTTPResponse) -> dict[str, str]:
    """The headers, their names in lower case."""
    return {name.lower(): value for name, value in response.getheaders()}
