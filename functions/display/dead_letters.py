"""Dead letters, which the deadletter function keeps: listed, redriven and dropped on behalf of a viewer."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline import bounds
from pipeline.cloudevents import json_text
from pipeline.errors import TemporaryError
from pipeline.http_client import NoResponse, send
from pipeline.settings import Secret

LIST_SECONDS = 5.0
"""Time-out for the list of dead letters, and for one of them."""

ACT_SECONDS = 90.0
"""Time-out for a redrive and a drop: the deadletter function waits up to 10 s for the Broker's response to an event."""


class DeadLetterClient:
    """The deadletter function at *url*, which lets the bearer *token* redrive and drop.

    Its methods return the status and the document of the response. They raise `TemporaryError` if there is no response,
    or not one of the deadletter function.
    """

    def __init__(self, url: str, token: Secret | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token.reveal()}"

    def list(self, criteria: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """List the dead letters that match *criteria*: state, type, destination, limit, before."""
        return self._request("GET", f"?{urlencode(dict(criteria))}", LIST_SECONDS)

    def get(self, number: int) -> tuple[int, dict[str, Any]]:
        """Get one dead letter with its event."""
        return self._request("GET", f"/{number}", LIST_SECONDS)

    def act(self, action: str, selection: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Redrive or drop, the *action*, the dead letters that match *selection*."""
        return self._request("POST", f"/{action}", ACT_SECONDS, json.dumps(selection).encode())

    def _request(self, method: str, path: str, seconds: float, body: bytes = b"") -> tuple[int, dict[str, Any]]:
        address = f"{self.url}/api/dead-letters{path}"
        try:
            response = send(method, address, self._headers, body, seconds=seconds, max_bytes=bounds.DEAD_LETTERS_BYTES)
        except NoResponse as error:
            if error.reason == "Timeout":
                raise TemporaryError(f"the deadletter function at {self.url} timed out after {seconds:g} s") from error
            raise TemporaryError(f"the deadletter function at {self.url} cannot be reached: {error}") from error
        try:
            document = json_text.loads(response.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise TemporaryError(f"{address} answered {response.status}, but is not the deadletter function")
        return response.status, document
