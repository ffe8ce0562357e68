"""The first login of a poller while no poll runs: it gets ready without ticks, which may come only when it is ready."""

import threading
from itertools import chain, repeat

import structlog

from pipeline.errors import VCenterEventsError
from vsphere.session import Session

log = structlog.get_logger()

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Delays between attempts to log in. The last one repeats."""


class FirstLogin:
    """Logs *session* in, in a thread of its own, until that succeeds or a poll takes the session over."""

    def __init__(self, session: Session) -> None:
        """Start. The session is for nobody else until `join` returns."""
        self._session = session
        self.error: VCenterEventsError | None = None
        """The reason why the last attempt failed."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="first login", daemon=True)
        self._thread.start()

    def join(self, seconds: float | None = None) -> None:
        """Make no further attempt, and wait for the end of one under way, at most *seconds*."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        for delay in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            try:
                self._session.connect()
                return
            except VCenterEventsError as error:
                if str(error) != str(self.error):
                    log.warning("Login failed, retrying: %s", error)
                self.error = error
            except Exception:
                log.exception("Login failed unexpectedly, retrying")
            if self._stopping.wait(delay):
                return
