"""The question to an adapter why it is not ready."""

import urllib3

from pipeline.errors import cut
from sources.adapter import PORT

SECONDS = 2.0
MAX_BYTES = 1024


def ask(ip_address: str) -> str:
    """Return the reason why the adapter at *ip_address* is not ready, or "" if it is or does not answer.

    The answer is that of the readiness probe. A NetworkPolicy may keep it from the controller.
    """
    host = f"[{ip_address}]" if ":" in ip_address else ip_address
    try:
        with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
            response = pool.request(
                "GET", f"http://{host}:{PORT}/health/readiness", redirect=False, preload_content=False
            )
            with response:
                body = response.read(MAX_BYTES).decode("utf-8", "replace")
    except (urllib3.exceptions.HTTPError, OSError):
        return ""
    return cut(body) if response.status == 503 else ""
