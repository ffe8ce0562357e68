"""The event history of one vCenter."""

import dataclasses
import datetime
from xml.etree import ElementTree

import structlog

from pipeline.errors import SettingsError, cut
from vsphere.event import Position, VCenterEvent, from_element
from vsphere.schema import NAMESPACE, is_entity, is_event
from vsphere.session import Session
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

PAGE_SIZE = 1000
"""Events a read returns at most: vCenter's own limit for a collector's page."""
DISORDER = datetime.timedelta(seconds=1)
"""How much later an event's time may be than that of an event with a greater key."""
_NS = f"{{{NAMESPACE}}}"


@dataclasses.dataclass(frozen=True)
class Gap:
    """Events that vCenter no longer holds and that were never read: keys *first* to *last*, both included."""

    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Page:
    """What one read returned: at most `PAGE_SIZE` events, oldest first, and what is missing before them."""

    events: list[VCenterEvent]
    gap: Gap | None = None


def check_selection(settings: VCenterSettings) -> None:
    """Raise `SettingsError` if the settings select by what is no event class or entity type: it would never match."""
    faults = [
        f"EVENT_TYPES names {name!r}, which is no event class; for example EVENT_TYPES=VmPoweredOnEvent"
        for name in settings.event_types
        if "." not in name and not is_event(name)  # with a dot it is the eventTypeId of an EventEx: any name is legal
    ]
    if settings.entity and not is_entity(settings.entity.partition("/")[0]):
        faults.append(
            f"ENTITY is {settings.entity!r}, whose type is no managed entity; for example ENTITY=Folder/group-d1"
        )
    if faults:
        raise SettingsError(faults)


class EventHistory:
    """The events of one vCenter since a position, read in order and never skipped in silence.

    Two collectors: one of page size 1 is watched, so that a wake-up costs one event however many came; the other is
    read until it is empty. Where the watched one knows of an event that reading does not give, the reading one is
    stuck (a server that has pruned its page does that) and is made anew from the last position.
    """

    def __init__(self, vcenter: Session, since: datetime.datetime, after: Position | None) -> None:
        """Events created at *since* or later whose key is beyond that of *after*. Raises as `Session` does."""
        self._vcenter = vcenter
        self._after = after
        self._since = since
        self._version = ""
        self._watched_key: int | None = None
        self._sentinel = vcenter.make_collector(since, 1)
        self._filter = vcenter.watch(self._sentinel)
        self._reader = vcenter.make_collector(since, PAGE_SIZE)
        self._resuming, self._seen = after is not None, False
        self.wait(0)
        if after is not None and self._watched_key is not None and self._watched_key < after.key:
            log.warning("vcenter's event keys went back: it was restored or made anew", last_key=after.key)
            self._after, self._resuming = None, False

    def read(self) -> Page:
        """The next events, none if there are no more for now."""
        page = self._read()
        if not page.events and self._is_behind():
            log.warning("event collector is stuck, made anew", last_key=self._after.key if self._after else None)
            self._vcenter.destroy(self._reader.DestroyCollector)
            self._reader = self._vcenter.make_collector(self._since, PAGE_SIZE)
            self._resuming, self._seen = self._after is not None, False
            page = self._read()
            if not page.events:
                self._watched_key = None  # what was watched is gone again: pruned, or filtered out
        return page

    def wait(self, seconds: int) -> bool:
        """Wait for a new event, at most *seconds* (the server's); whether there is one."""
        answer = self._vcenter.wait_for_updates(self._version, seconds)
        update = answer.find(f".//{_NS}returnval")
        if update is None:
            # Silence is not trusted: vcsim never answers a watch again after a wait that ran out. A new watch begins by
            # telling the newest event, which also shows whether the reading collector is stuck.
            self._vcenter.destroy(self._filter.DestroyPropertyFilter)
            self._filter, self._version = self._vcenter.watch(self._sentinel), ""
            return False
        self._version = update.findtext(f"{_NS}version", self._version)
        keys = [int(key.text or 0) for key in update.iterfind(f".//{_NS}Event/{_NS}key")]
        if keys:
            self._watched_key = max(keys)
        return True

    def close(self) -> None:
        """Give the collectors back to the server, which allows a session only so many."""
        self._vcenter.destroy(self._filter.DestroyPropertyFilter)
        self._vcenter.destroy(self._sentinel.DestroyCollector)
        self._vcenter.destroy(self._reader.DestroyCollector)

    def _is_behind(self) -> bool:
        return self._watched_key is not None and (self._after is None or self._after.key < self._watched_key)

    def _read(self) -> Page:
        """The next events that are new: pages that hold only what was read before are passed over."""
        while True:
            events = self._read_page()
            if events and not self._resuming and events[0].position == self._after:
                events = events[1:]
                if not events:
                    continue
            if not events or not self._resuming or self._after is None:
                gap = None
                break
            if _went_back(events, self._after):
                log.warning("vcenter's event keys went back: it was restored or made anew", last_key=self._after.key)
                self._after, gap = None, None
                break
            known = self._after.key
            seen = any(event.key <= known for event in events)
            events = [event for event in events if event.key > known]
            if events:
                gap = None if seen else self._gap_before(events[0].key)
                break
            self._seen = True
        if events:
            self._resuming = False
            self._after, self._since = events[-1].position, events[-1].created_time
        return Page(events, gap)

    def _gap_before(self, key: int) -> Gap | None:
        """What is missing between the last position and *key*, when reading resumed and did not find that position."""
        known = self._after.key if self._after else key
        return Gap(known + 1, key - 1) if key > known + 1 and not self._seen else None

    def _read_page(self) -> list[VCenterEvent]:
        """The next page, each event once: vcsim has those twice, one after the other, that came while it made the
        collector. The second may begin the next page.
        """
        answer = self._vcenter.read_next(self._reader, PAGE_SIZE)
        events: list[VCenterEvent] = []
        for element in answer.iter(f"{_NS}returnval"):
            try:
                events.append(from_element(element))
            except ValueError as error:
                log.error(
                    "event without a readable key or time",
                    error=str(error),
                    event=cut(ElementTree.tostring(element, "unicode"), 2000),
                )
        return list({event.key: event for event in events}.values())


def _went_back(events: list[VCenterEvent], known: Position) -> bool:
    """Whether keys up to that of *known* are now of later events: then they are counted anew.

    Keys and times grow together, but for events of about the same moment.
    """
    for event in events:
        if event.key == known.key and event.created_time != known.created_time:
            return True
        if event.key < known.key and event.created_time > known.created_time + DISORDER:
            return True
    return False
