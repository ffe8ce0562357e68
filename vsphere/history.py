"""A vCenter's event history, read through collectors."""

import dataclasses
import datetime
import functools
from typing import Any
from xml.etree import ElementTree

import structlog
from pyVmomi import VmomiSupport, vim, vmodl

from pipeline import bounds
from pipeline.errors import SettingsError, cut
from vsphere.cursor import DISORDER, MAX_STEP_BACK, Cursor, Gap, begin_after
from vsphere.element import NAMESPACE, child_text
from vsphere.errors import VCenterUnavailable, translate_errors
from vsphere.event import Position, VCenterEvent, from_element, read_key
from vsphere.schema import is_entity, is_event
from vsphere.session import ResponseTooLarge, Session
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

PAGE_SIZE = 1000
"""The maximum number of events in a page: vCenter's own limit for a collector."""
_NS = f"{{{NAMESPACE}}}"


@dataclasses.dataclass
class PageSize:
    """The number of events to ask for at once. It outlives a history, so that a line that breaks gets smaller pages."""

    value: int = PAGE_SIZE
    max_value: int = PAGE_SIZE
    safe_value: int = PAGE_SIZE
    """The maximum until the history was read to its end, after a larger page did not come whole. Otherwise each attempt
    to get there could grow the pages until they break at the same place."""

    def limit(self) -> None:
        """A page was too large to be read: from now on, ask for at most half as many."""
        self.max_value = self.value = max(1, self.value // 2)

    def shrink(self) -> None:
        """A page did not come whole: ask for a quarter from now on."""
        self.safe_value = max(1, self.value // 2)
        self.value = max(1, self.value // 4)

    def grow(self, at_end: bool) -> None:
        """A page came whole: ask for twice as many, within the maxima. *at_end*: the page was empty."""
        if at_end:
            self.safe_value = PAGE_SIZE
        self.value = min(self.max_value, self.safe_value, self.value * 2)


@dataclasses.dataclass(frozen=True)
class UnreadableEvent:
    """An element that vCenter sent as an event, and that has no usable key."""

    reason: str
    text: str
    """The element as XML, or only its text if it is too deep, cut to `bounds.UNREADABLE_CHARACTERS` characters."""


@dataclasses.dataclass(frozen=True)
class Page:
    """The result of one read: at most `PAGE_SIZE` events, oldest first, and the gap before them."""

    events: list[VCenterEvent]
    gap: Gap | None = None
    unreadable: tuple[UnreadableEvent, ...] = ()
    """The elements among them without a usable key. They have no place in the order."""

    def __bool__(self) -> bool:
        """Return False if vCenter has nothing more for now."""
        return bool(self.events or self.unreadable)


def check_selection(settings: VCenterSettings) -> None:
    """Raise `SettingsError` if *settings* select by an unknown event class or entity type, which would never match."""
    errors = [
        f"EVENT_TYPES names {name!r}, which is not an event class; for example EVENT_TYPES=VmPoweredOnEvent"
        for name in settings.event_types
        if "." not in name and not is_event(name)  # with a dot it is the eventTypeId of an EventEx: any name is legal
    ]
    if settings.entity and not is_entity(settings.entity.partition("/")[0]):
        errors.append(
            f"ENTITY is {settings.entity!r}, whose type is not a managed entity; for example ENTITY=Folder/group-d1"
        )
    if errors:
        raise SettingsError(errors)


class EventHistory:
    """The events of one vCenter after a position, read in order and never skipped in silence.

    It has two collectors. One of page size 1 is watched, so that a wake-up costs one event however many there are. The
    other is read until it is empty. If the watched one reports an event that the other does not return, that one is
    stuck, as happens on a server that has dropped its page. It is then recreated at the last position.

    Every method except `close` raises `VCenterUnavailable` or `VCenterRejected`.
    """

    def __init__(
        self,
        session: Session,
        earliest: datetime.datetime,
        after: Position | None,
        page_size: PageSize | None = None,
        known_at: datetime.datetime | None = None,
    ) -> None:
        """Read events created at *earliest* or later, from behind *after*, which existed at *known_at*.

        All times are of vCenter's present clock.
        """
        self._page_size = page_size or PageSize()
        self._session = session
        self._cursor = Cursor(after)
        self._earliest = earliest
        self._begin = self._begin_time(known_at)
        self._version = ""
        self._watched_key: int | None = None
        self._sentinel = self._create_collector(1)
        self._filter = self._watch()
        self._reader: Any = None
        self.wait(0)
        self._reader = self._create_collector(PAGE_SIZE)
        if after is not None and self._begin < after.created_time - MAX_STEP_BACK:
            log.warning("Reading from an earlier time: vCenter's clock was set back", last_time=after.created_time)

    def read(self) -> Page:
        """Return the next events. A page without content means that there are no more for now."""
        page = self._read()
        if not page and self._is_behind():
            position = self._cursor.position
            log.warning("Event collector recreated: it was stuck", last_key=position.key if position else None)
            self._recreate_reader()
            page = self._read()
            if not page:
                self._watched_key = None  # the event that was watched is gone: dropped by the server, or filtered out
        return page

    def wait(self, seconds: int) -> bool:
        """Wait for a new event for at most *seconds* and return whether there is one."""
        response = self._call(self._session.waiter, "WaitForUpdatesEx", self._version, _wait_options(seconds))
        update = _first_result(response)
        if update is None:
            # vcsim never reports to a watch again after a wait that ran out. A new watch begins with the newest event,
            # which also shows whether the reading collector is stuck.
            self._session.destroy(self._filter.DestroyPropertyFilter)
            self._filter, self._version = self._watch(), ""
            self._check_clock()
            return False
        self._version = update.findtext(f"{_NS}version", self._version)
        texts = [child_text(event, "key") for event in update.iter(f"{_NS}Event")]
        keys = [key for key in map(read_key, texts) if key is not None]
        if keys:
            self._watch_key(max(keys))
        return True

    def close(self) -> None:
        """Give the collectors back to the server, which allows a session a limited number."""
        self._session.destroy(self._filter.DestroyPropertyFilter)
        self._session.destroy(self._sentinel.DestroyCollector)
        self._session.destroy(self._reader.DestroyCollector)

    def _watch_key(self, newest: int) -> None:
        """Take note of the newest event's key, as the server just reported it."""
        position, self._watched_key = self._cursor.position, newest
        if self._cursor.restart_before(newest):
            _warn_of_restart(position)
            if self._reader is not None:
                self._recreate_reader()
            else:
                self._move_begin()

    def _is_behind(self) -> bool:
        return self._watched_key is not None and self._cursor.is_behind(self._watched_key)

    def _read(self) -> Page:
        """Return the next new events, passing over pages that hold only events read before."""
        while True:
            events, unreadable = self._fetch_page()
            position = self._cursor.position
            new = self._cursor.advance(events)
            if new.restarted:
                _warn_of_restart(position)
                self._recreate_reader()
            if new.gap and position and self._is_held(position):
                new = dataclasses.replace(new, gap=None)
            if new.events:  # they are within the window, also if vCenter's clock was set back since
                self._earliest = min(self._earliest, new.events[-1].created_time)
            if new.events or unreadable or not events:
                return Page(new.events, new.gap, tuple(unreadable))

    def _is_held(self, position: Position) -> bool:
        """Return whether vCenter still holds *position*, although the events that the settings select begin after it.

        That is so if another event was selected when the position was saved. Then there is no gap.
        """
        settings = self._session.settings
        if not (settings.event_types or settings.entity):
            return False
        collector = self._create_collector(1, _since(position.created_time - DISORDER))
        try:
            oldest = _first_result(self._call(collector, "ReadNextEvents", 1))
        finally:
            self._session.destroy(collector.DestroyCollector)
        key = read_key(child_text(oldest, "key")) if oldest is not None else None
        return key is not None and key <= position.key

    def _fetch_page(self) -> tuple[list[VCenterEvent], list[UnreadableEvent]]:
        """Return the events of the collector's next page, and the elements that cannot be read as one."""
        response = self._read_next()
        events: list[VCenterEvent] = []
        unreadable: list[UnreadableEvent] = []
        last_time = self._cursor.position.created_time if self._cursor.position else self._begin
        for element in response.iter(f"{_NS}returnval"):
            try:
                event = from_element(element, last_time)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is one event's, and reported as such
                unreadable.append(UnreadableEvent(cut(str(error)) or type(error).__name__, as_text(element)))
                continue
            events.append(event)
            last_time = event.created_time
        return events, unreadable

    def _read_next(self) -> ElementTree.Element:
        """Return vCenter's response with the next page. It has fewer events if more are too large to be read."""
        while True:
            try:
                response = self._call(self._reader, "ReadNextEvents", self._page_size.value)
            except VCenterUnavailable as error:
                if not isinstance(error.__cause__, ResponseTooLarge) or self._page_size.value == 1:
                    self._page_size.shrink()
                    raise
                self._page_size.limit()
                log.warning("Reading smaller pages: %s", error, events=self._page_size.value)
                self._recreate_reader()  # the server's position is past the page
            else:
                self._page_size.grow(at_end=_first_result(response) is None)
                return response

    def _recreate_reader(self) -> None:
        """Read on from the cursor's position with another collector."""
        self._session.destroy(self._reader.DestroyCollector)
        self._move_begin()
        self._reader = self._create_collector(PAGE_SIZE)
        self._cursor.resume()

    def _move_begin(self) -> None:
        """Begin at the cursor's position.

        If that is earlier, the watched collector is recreated, too. Otherwise it would not have the events that vCenter
        creates after its clock was set back, and its newest key would seem to go back with each of them.
        """
        before, self._begin = self._begin, self._begin_time()
        if self._begin < before:
            self._session.destroy(self._filter.DestroyPropertyFilter)
            self._session.destroy(self._sentinel.DestroyCollector)
            self._sentinel = self._create_collector(1)
            self._filter, self._version = self._watch(), ""

    def _call(self, target: Any, method: str, *arguments: Any) -> ElementTree.Element:
        with translate_errors(f"call {method} at {self._session.settings.sdk_url}"):
            return self._session.call(target, method, *arguments)

    def _begin_time(self, known_at: datetime.datetime | None = None) -> datetime.datetime:
        return begin_after(self._cursor.position, self._earliest, self._session.server_time(), known_at)

    def _check_clock(self) -> None:
        """Raise `VCenterUnavailable` if no event can come because vCenter's clock is before the collectors' begin."""
        vcenter_now = self._session.server_time()
        if vcenter_now < self._begin - DISORDER:
            raise VCenterUnavailable(
                f"read events created from {self._begin}: vCenter's clock was set back to {vcenter_now}"
            )

    def _selection(self) -> Any:
        """Return the filter of the events since `_begin` that the settings select."""
        settings = self._session.settings
        spec = _since(self._begin)
        if settings.event_types:
            spec.eventTypeId = list(settings.event_types)
        if settings.entity:
            managed_type, _, identity = settings.entity.partition("/")
            entity = self._session.managed_object(VmomiSupport.GetWsdlType(NAMESPACE, managed_type), identity)
            spec.entity = vim.event.EventFilterSpec.ByEntity(entity=entity, recursion="all")
        return spec

    def _create_collector(self, page_size: int, spec: Any = None) -> Any:
        """Create a collector of the events of the filter *spec*, or of `_selection`."""
        entity = self._session.settings.entity
        with translate_errors(f"create an event collector{f' of ENTITY={entity}' if entity and not spec else ''}"):
            collector = self._session.content.eventManager.CreateCollectorForEvents(spec or self._selection())
            collector.SetCollectorPageSize(page_size)
        return collector

    def _watch(self) -> Any:
        """Create a property filter that reports changes of the sentinel's latest page to `wait`."""
        spec = vmodl.query.PropertyCollector.FilterSpec(
            objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=self._sentinel)],
            propSet=[
                vmodl.query.PropertyCollector.PropertySpec(type=vim.event.EventHistoryCollector, pathSet=["latestPage"])
            ],
        )
        with translate_errors("watch an event collector"):
            return self._session.waiter.CreateFilter(spec, False)


def _since(begin: datetime.datetime) -> Any:
    """Return a filter of all events created at *begin* or later."""
    return vim.event.EventFilterSpec(time=vim.event.EventFilterSpec.ByTime(beginTime=begin))


def _first_result(response: ElementTree.Element) -> ElementTree.Element | None:
    return next(response.iter(f"{_NS}returnval"), None)


@functools.lru_cache(16)
def _wait_options(seconds: int) -> Any:
    return vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=seconds)


def as_text(element: ElementTree.Element) -> str:
    """Return *element* as XML, or only its text if it is too deep, cut to `bounds.UNREADABLE_CHARACTERS` characters."""
    try:
        text = ElementTree.tostring(element, "unicode")
    except (RecursionError, ValueError, TypeError):
        text = " ".join(element.itertext())
    return cut(text, bounds.UNREADABLE_CHARACTERS)


def _warn_of_restart(position: Position | None) -> None:
    log.warning(
        "Event keys went back, reading every event: vCenter was restored or reinstalled",
        last_key=position.key if position else None,
    )
