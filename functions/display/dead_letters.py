"""Dead letters, which the deadletter function keeps: listed, redriven and dropped on behalf of a viewer."""

from collections.abc import Mapping
from typing import Any

import requests

from pipeline.errors import TemporaryError, cut

LIST_SECONDS = 5.0
"""Time-out for the list of dead letters, and for one of them."""

ACT_SECONDS = 90.0
"""Time-out for a redrive and a drop: the deadletter function waits up to 10 s for the Broker's response to an event."""


class DeadLetterClient:
    """The deadletter function at *url*. Its methods return the status and the document of the response.

    They raise `TemporaryError` if there is no response, or not one of the deadletter function.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def list(self, criteria: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """List the dead letters that match *criteria*: state, type, destination, limit, before."""
        return self._request("GET", "", LIST_SECONDS, params=dict(criteria))

    def get(self, number: int) -> tuple[int, dict[str, Any]]:
        """Get one dead letter with its event."""
        return self._request("GET", f"/{number}", LIST_SECONDS)

    def act(self, action: str, selection: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Redrive or drop, the *action*, the dead letters that match *selection*."""
        return self._request("POST", f"/{action}", ACT_SECONDS, json=selection)

    def _request(self, method: str, path: str, seconds: float, **options: Any) -> tuple[int, dict[str, Any]]:
        address = f"{self.url}/api/dead-letters{path}"
        with requests.Session() as session:
            session.trust_env = False  # the deadletter function is in the cluster, behind no proxy
            try:
                response = session.request(method, address, timeout=seconds, allow_redirects=False, **options)
            except requests.ReadTimeout as error:
                raise TemporaryError(f"the deadletter function at {self.url} timed out after {seconds:g} s") from error
            except requests.RequestException as error:
                raise TemporaryError(
                    f"the deadletter function at {self.url} cannot be reached: {cut(str(error))}"
                ) from error
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise TemporaryError(f"{address} answered {response.status_code}, but is not the deadletter function")
        return response.status_code, document
