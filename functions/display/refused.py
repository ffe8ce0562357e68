"""What was refused at the door, kept to be shown: "why did my event not arrive" is the question that brings people."""

import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.display.headers import without_credentials

SHOWN_BYTES = 1024
"""How much of a refused body is kept."""

HEADER_CHARACTERS = 500
"""How much of each header is kept."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One request that was no event."""

    number: int
    """From 1, in the order of arrival."""
    received_ms: int
    reason: str
    headers: Mapping[str, str]
    beginning: bytes
    size: int
    """Of the whole body, in bytes."""

    def document(self) -> dict[str, Any]:
        """As the API shows it: `text` where the body's beginning is UTF-8, `base64` where it is not."""
        return {
            "number": self.number,
            "received": self.received_ms,
            "reason": self.reason,
            "headers": dict(self.headers),
            "size": self.size,
            **body_document(self.beginning[: _whole_characters(self.beginning)]),
        }


class RefusedRequests:
    """The last refused requests, at most *most*."""

    def __init__(self, most: int = 200, clock: Callable[[], float] = time.time) -> None:
        self._requests: deque[Refused] = deque(maxlen=most)
        self._number = 0
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, reason: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep what is needed to understand a refusal; credentials are left out."""
        kept = {name: value[:HEADER_CHARACTERS] for name, value in without_credentials(headers).items()}
        with self._lock:
            self._number += 1
            self._requests.append(
                Refused(self._number, round(self._clock() * 1000), reason, kept, body[:SHOWN_BYTES], len(body))
            )

    def newest_first(self) -> list[Refused]:
        """What is kept."""
        with self._lock:
            return list(reversed(self._requests))


def body_document(body: bytes) -> dict[str, str]:
    """`{"text"}` if *body* is UTF-8, else `{"base64"}`."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _whole_characters(beginning: bytes) -> int:
    """How many bytes of *beginning* are left without the UTF-8 character that it may end within."""
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return error.start
    return len(beginning)
