"""Responses to apprise's plugins, which read everything that a service sends: up to a size and within a time.

The plugins call `requests.post` and its siblings, which take neither limit. So `bound` replaces the adapter with which
every session of `requests` in this process begins.
"""

import time
from typing import Any

import requests
import requests.sessions
from requests.adapters import HTTPAdapter

from pipeline import bounds

RESPONSE_SECONDS = 10.0
"""Maximum time for a response's body. apprise waits 4 s for each part of it."""
CHUNK_BYTES = 64 * bounds.KIB


class BoundedAdapter(HTTPAdapter):
    """An adapter whose responses have at most the first `bounds.RECEIVER_RESPONSE_BYTES` of their bodies."""

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request and return its response with the body read. Raises the errors of `requests`."""
        response = super().send(*arguments, **options)
        response._content = _read(response)
        response._content_consumed = True  # type: ignore[attr-defined]  # not in its annotations
        response.close()
        return response


def bound() -> None:
    """Bound every response of `requests` in this process."""
    requests.sessions.HTTPAdapter = BoundedAdapter  # the class that `Session` mounts


def _read(response: requests.Response) -> bytes:
    """Return the beginning of the body, decompressed. Raises `requests.Timeout` if it does not come in time."""
    deadline = time.monotonic() + RESPONSE_SECONDS
    parts, size = [], 0
    try:
        while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
            parts.append(part)
            size += len(part)
            if size >= bounds.RECEIVER_RESPONSE_BYTES:
                break
            if time.monotonic() > deadline:
                raise requests.Timeout(f"no complete response within {RESPONSE_SECONDS:g} s")
    except requests.RequestException:
        raise
    except Exception as error:
        raise requests.ConnectionError("the response ends early or cannot be decompressed") from error
    return b"".join(parts)[: bounds.RECEIVER_RESPONSE_BYTES]
