"""Sends events from the page: a new one, or a stored one again. They go to the sink or the display, nowhere else."""

import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Request

from pipeline.cloudevents import LENIENT, STRUCTURED, from_json
from pipeline.errors import PermanentError, TemporaryError
from pipeline.http_client import NoResponse, send

SINK_SECONDS = 10.0
"""Time-out for the sink's response."""

Receive = Callable[[Mapping[str, str], bytes], object]


class Sender:
    """Sends to *sink* (a URL, or None if there is none) or, through *receive*, to the display itself."""

    def __init__(self, sink: str | None, receive: Receive) -> None:
        self._sink = sink
        self._receive = receive
        self.token = secrets.token_urlsafe(24)
        """A request to send must have it: only a page of this origin can read it."""

    @property
    def targets(self) -> list[str]:
        """The names of the places where an event may go."""
        return ["sink", "display"] if self._sink else ["display"]

    def is_allowed(self, request: Request) -> bool:
        """Return whether *request* comes from this display's own page."""
        is_own_page = request.headers.get("Sec-Fetch-Site") == "same-origin"
        is_own_page |= urlsplit(request.headers.get("Origin", "")).netloc == request.host
        token = request.headers.get("X-Send-Token", "").encode()
        return is_own_page and hmac.compare_digest(token, self.token.encode())

    def send(self, target: str, event: Any) -> dict[str, Any]:
        """Send *event* (structured mode, as an object) to "sink" or "display". Return the response and its duration.

        Raises `PermanentError` for an invalid event or target, `TemporaryError` if the sink cannot be reached.
        """
        if target not in self.targets:
            raise PermanentError(f"the target is {target!r}, not one of {', '.join(self.targets)}")
        body = json.dumps(event).encode()
        headers = {"content-type": STRUCTURED}
        from_json(body, LENIENT)  # sends nothing else than an event
        started = time.monotonic()
        status, reason = self._to_display(headers, body) if target == "display" else self._to_sink(headers, body)
        return {"status": status, "response": reason, "ms": round((time.monotonic() - started) * 1000)}

    def _to_display(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        self._receive(headers, body)
        return 202, ""

    def _to_sink(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        try:
            response = send("POST", str(self._sink), headers, body, seconds=SINK_SECONDS)
        except NoResponse as error:
            raise TemporaryError(f"send to {self._sink}: {error}") from error
        return response.status, response.text
