"""The question to an adapter why it is not ready."""

import threading
import time
from collections.abc import Callable

import urllib3

from pipeline import bounds
from pipeline.errors import cut
from sources.adapter import PORT

SECONDS = 1.0
FIRST_PAUSE_SECONDS = 10.0
MAX_PAUSE_SECONDS = 300.0
"""The time for which an adapter that did not answer is not asked again. It doubles, because a NetworkPolicy may swallow
each question. An adapter that rejects the connection only starts, and is asked again each time."""


class AdapterReadiness:
    """Asks adapters for the answer to their readiness probe. For any number of threads."""

    def __init__(self, port: int = PORT, now: Callable[[], float] = time.monotonic) -> None:
        self._port = port
        self._now = now
        self._silences: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def ask(self, ip_address: str) -> str:
        """Return the reason why the adapter at *ip_address* is not ready, or "" if it is or does not answer."""
        with self._lock:
            if self._now() < self._silences.get(ip_address, (0.0, 0.0))[0]:
                return ""
        host = f"[{ip_address}]" if ":" in ip_address else ip_address
        url = f"http://{host}:{self._port}/health/readiness"
        try:
            with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
                response = pool.request("GET", url, redirect=False, preload_content=False)
                with response:
                    body = response.read(bounds.ERROR_RESPONSE_BYTES).decode("utf-8", "replace")
        except urllib3.exceptions.NewConnectionError:
            return ""
        except (urllib3.exceptions.HTTPError, OSError):
            self._note_silence(ip_address)
            return ""
        return cut(body) if response.status == 503 else ""

    def _note_silence(self, ip_address: str) -> None:
        now = self._now()
        with self._lock:
            _, before = self._silences.get(ip_address, (0.0, 0.0))
            pause = min(max(2 * before, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
            old = now - MAX_PAUSE_SECONDS
            self._silences = {address: entry for address, entry in self._silences.items() if entry[0] > old}
            self._silences[ip_address] = now + pause, pause
