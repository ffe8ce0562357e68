"""Reading a vCenter's events, from a time or a position on, through outages of it."""

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator

from vsphere.errors import VCenterUnavailable
from vsphere.event import Position, VCenterEvent
from vsphere.history import EventHistory, Page
from vsphere.session import Session

WAIT_SECONDS = 5
"""Maximum time that the server holds one wait for new events. Ctrl-C interrupts it."""
RETRY_SECONDS = 1.0

Report = Callable[[str], None]
"""Takes a line about the reading, apart from the events."""


class Reader:
    """Reads the events of one vCenter, and connects again when it is unreachable for a while."""

    def __init__(self, session: Session, earliest: datetime.datetime, after: Position | None, report: Report) -> None:
        """Read the events created at *earliest* (vCenter's clock) or later, from behind *after*."""
        self._session = session
        self._earliest = earliest
        self._after = after
        self._report = report

    def pages(self, *, follow: bool) -> Iterator[list[VCenterEvent]]:
        """Yield the events, oldest first, in lists. With *follow* without end, otherwise up to the newest event.

        Raises `VCenterRejected`, and `VCenterUnavailable` if the first attempt fails.
        """
        connected = False
        while True:
            try:
                self._session.connect()
                if connected:
                    self._report("Connected to vCenter again")
                connected = True
                with contextlib.closing(EventHistory(self._session, self._earliest, self._after)) as history:
                    yield from self._pages(history, follow)
                return
            except VCenterUnavailable as error:
                if not connected:
                    raise
                self._session.close()
                self._report(f"{error}. Retrying")
                time.sleep(RETRY_SECONDS)

    def _pages(self, history: EventHistory, follow: bool) -> Iterator[list[VCenterEvent]]:
        while True:
            page = history.read()
            self._report_losses(page)
            if page.events:
                yield page.events
                self._after = page.events[-1].position
            elif not page and not follow:
                return
            elif not page:
                history.wait(WAIT_SECONDS)

    def _report_losses(self, page: Page) -> None:
        if page.gap:
            self._report(f"vCenter no longer holds the events {page.gap.first} to {page.gap.last}")
        for element in page.unreadable:
            self._report(f"vCenter sent an event that cannot be read: {element.reason}")
