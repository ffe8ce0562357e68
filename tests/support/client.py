"""Plain HTTP requests, with any status as a result."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0


def send(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> tuple[int, str]:
    """Send a request on a connection of its own. Returns the status and the body."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target or "/", body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def post(url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> tuple[int, str]:
    """Post *body*. Returns the status and the body of the response."""
    return send("POST", url, headers, body)


def get_json(url: str) -> Any:
    """Return the JSON at *url*. Raises `AssertionError` unless the status is 200, `OSError` if nothing listens."""
    status, body = send("GET", url)
    assert status == 200, f"{url}: {status} {body}"
    return json.loads(body)
