"""The rejected requests, kept for the question "why did my event not arrive?"."""

import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.display.headers import without_credentials
from pipeline import bounds


@dataclass(frozen=True, slots=True)
class RejectedRequest:
    """One request without a valid event."""

    number: int
    """From 1, in order of arrival."""
    received_ms: int
    """Time of arrival, in ms since 1970."""
    reason: str
    headers: Mapping[str, str]
    beginning: bytes
    """The first bytes of the body."""
    size: int
    """Length of the whole body, in bytes."""

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it: `text` if the body's beginning is UTF-8, else `base64`."""
        return {
            "number": self.number,
            "received": self.received_ms,
            "reason": self.reason,
            "headers": dict(self.headers),
            "size": self.size,
            **body_document(self.beginning[: _whole_characters(self.beginning)]),
        }


class RejectedRequests:
    """The last rejected requests, at most *max_requests*."""

    def __init__(self, max_requests: int = 200, clock: Callable[[], float] = time.time) -> None:
        self._requests: deque[RejectedRequest] = deque(maxlen=max_requests)
        self._number = 0
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, reason: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep what explains a rejection, without credentials."""
        limit = bounds.REJECTED_HEADER_CHARACTERS
        kept = {name: value[:limit] for name, value in without_credentials(headers).items()}
        beginning = body[: bounds.REJECTED_BODY_BYTES]
        with self._lock:
            self._number += 1
            milliseconds = round(self._clock() * 1000)
            self._requests.append(RejectedRequest(self._number, milliseconds, reason, kept, beginning, len(body)))

    def newest_first(self) -> list[RejectedRequest]:
        """Return the kept requests."""
        with self._lock:
            return list(reversed(self._requests))


def body_document(body: bytes) -> dict[str, str]:
    """Return `{"text"}` if *body* is UTF-8, else `{"base64"}`."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _whole_characters(beginning: bytes) -> int:
    """Return the length of *beginning* without a UTF-8 character that is cut off at its end."""
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return error.start
    return len(beginning)
