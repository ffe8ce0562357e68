"""Sending events from the page: a made-up one, or a held one again; to the sink or the display, nowhere else."""

import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Request

from pipeline.cloudevents import LENIENT, STRUCTURED, from_json
from pipeline.errors import PermanentError, TemporaryError, cut

SINK_SECONDS = 10.0
"""How long the sink may take to answer."""

Receive = Callable[[Mapping[str, str], bytes], object]


class Sender:
    """Sends to *sink* (a URL, or None if there is none) or, through *receive*, to the display itself."""

    def __init__(self, sink: str | None, receive: Receive) -> None:
        self._sink = sink
        self._receive = receive
        self.token = secrets.token_urlsafe(24)
        """What a request to send must bring: only a page of this origin can have read it."""

    @property
    def targets(self) -> list[str]:
        """Where an event may go."""
        return ["sink", "display"] if self._sink else ["display"]

    def admits(self, request: Request) -> bool:
        """Whether *request* comes from this display's own page."""
        its_own = request.headers.get("Sec-Fetch-Site") == "same-origin"
        its_own |= urlsplit(request.headers.get("Origin", "")).netloc == request.host
        return its_own and hmac.compare_digest(request.headers.get("X-Send-Token", "").encode(), self.token.encode())

    def send(self, target: str, event: Any) -> dict[str, Any]:
        """Send *event* (structured mode, as an object) to "sink" or "display": what was answered, and after how long.

        Raises `PermanentError` for what is no event or no target, `TemporaryError` if the sink cannot be reached.
        """
        if target not in self.targets:
            raise PermanentError(f"the target is {target!r}, not one of {', '.join(self.targets)}")
        body = json.dumps(event).encode()
        headers = {"content-type": STRUCTURED}
        from_json(body, LENIENT)  # sends nothing else than an event
        begun = time.monotonic()
        status, said = self._to_display(headers, body) if target == "display" else self._to_sink(headers, body)
        return {"status": status, "answer": said, "ms": round((time.monotonic() - begun) * 1000)}

    def _to_display(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        self._receive(headers, body)
        return 202, ""

    def _to_sink(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        try:
            answer = requests.post(str(self._sink), body, headers=dict(headers), timeout=SINK_SECONDS)
        except requests.RequestException as error:
            raise TemporaryError(f"send to {self._sink}: {cut(str(error))}") from error
        return answer.status_code, cut(answer.text)
