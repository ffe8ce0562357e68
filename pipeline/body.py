"""The body of a response of urllib3, which may be of any size and come at any pace."""

import time
from typing import Protocol


class UnreadableBody(OSError):
    """The body is too large, too slow or incomplete."""


class Response(Protocol):
    """The part of `urllib3.HTTPResponse` that is used here."""

    length_remaining: int | None

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Return what has arrived, or b"" at the end."""


def read_body(response: Response, max_bytes: int, seconds: float) -> bytes:
    """Return the body of *response* as it came, without decompressing it. Raises `UnreadableBody`.

    It may have *max_bytes* and take *seconds*, in addition to the time-out of its connection.
    """
    deadline = time.monotonic() + seconds
    parts, size = [], 0
    while part := response.read1(65_536, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise UnreadableBody(f"the response has more than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise UnreadableBody(f"the response is not complete within {seconds:.0f} s")
    if response.length_remaining:
        raise UnreadableBody(f"the response ends {response.length_remaining} bytes early")
    return b"".join(parts)
