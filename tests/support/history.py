"""Helpers to read a simulated vCenter's event history."""

import datetime

from demo.vcsim import VCSim
from pipeline.settings import read
from vsphere.cursor import Gap
from vsphere.event import Position, VCenterEvent
from vsphere.history import EventHistory
from vsphere.session import Session
from vsphere.settings import VCenterSettings

LONG_AGO = datetime.timedelta(minutes=5)


def vcenter_settings(vcsim: VCSim, **more: str) -> VCenterSettings:
    """Return the settings for *vcsim*, with the variables in *more*."""
    return read(VCenterSettings, vcsim.environ | more)


def open_history(session: Session, after: Position | None = None) -> EventHistory:
    """Open the history after *after*, or all of it."""
    since = after.created_time if after else session.server_time() - LONG_AGO
    return EventHistory(session, since, after)


def drain(history: EventHistory) -> tuple[list[VCenterEvent], list[Gap]]:
    """Read until there is nothing more."""
    events: list[VCenterEvent] = []
    gaps: list[Gap] = []
    while True:
        page = history.read()
        if page.gap:
            gaps.append(page.gap)
        if not page.events:
            return events, gaps
        events += page.events
