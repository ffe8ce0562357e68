"""Dead letters, as the deadletter function keeps them: listed, opened, redriven and dropped on a viewer's behalf."""

from collections.abc import Mapping
from typing import Any

import requests

from pipeline.errors import TemporaryError, cut

LIST_SECONDS = 5.0
"""How long the deadletter function may take to list letters, or to give one."""

ACT_SECONDS = 90.0
"""How long it may take to redrive or drop: it waits up to 10 s for the Broker to take one event."""


class DeadLetters:
    """The deadletter function at *url*. Each method gives its status and document.

    Raises `TemporaryError`, which says why, where it does not answer as it should.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def read(self, path: str = "", chosen: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """The letters that *chosen* (state, type, destination, limit, before) selects; of the *path* "/7", that one."""
        return self._ask("GET", path, LIST_SECONDS, params=dict(chosen or {}))

    def act(self, verb: str, selection: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Redrive or drop, the *verb*, the letters that *selection* selects."""
        return self._ask("POST", f"/{verb}", ACT_SECONDS, json=selection)

    def _ask(self, method: str, path: str, seconds: float, **options: Any) -> tuple[int, dict[str, Any]]:
        address = f"{self.url}/api/dead-letters{path}"
        with requests.Session() as session:
            session.trust_env = False  # it is in the cluster: no proxy is for it
            try:
                answer = session.request(method, address, timeout=seconds, allow_redirects=False, **options)
            except requests.ReadTimeout as error:
                raise TemporaryError(
                    f"the deadletter function at {self.url} did not answer within {seconds:g} s"
                ) from error
            except requests.RequestException as error:
                raise TemporaryError(
                    f"the deadletter function at {self.url} cannot be reached: {cut(str(error))}"
                ) from error
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise TemporaryError(f"{address} answered {answer.status_code}, and not as the deadletter function does")
        return answer.status_code, document
