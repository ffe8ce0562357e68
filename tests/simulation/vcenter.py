"""A model vCenter: a history of events with keys and times, sessions, collectors, and a clock of its own."""

import dataclasses
import datetime
import itertools
from collections.abc import Callable, Sequence

from tests.simulation.scheduler import EPOCH, Scheduler, Task

ENTITIES = ("VirtualMachine/vm-1", "VirtualMachine/vm-2", "VirtualMachine/vm-3", "HostSystem/host-4", "")
DISORDER_SECONDS = 0.9
"""An event's time may be earlier by this than that of the event before it."""
DUPLICATE_SECONDS = 2.0
"""A collector has the events that come this soon after its creation twice, if the vCenter is one that does so."""


@dataclasses.dataclass(slots=True, eq=False)
class ModelEvent:
    """An event that the model vCenter created."""

    number: int
    """Distinguishes it from all others, also from one with the same key after a restore."""
    ordinal: int
    """Its place in the history."""
    key: int
    created: datetime.datetime
    entity: str
    body: str
    """The XML within its element."""
    class_name: str
    oddity: str = ""
    """The reason why it is odd. Empty if it is not."""

    def element(self, tag: str) -> str:
        """Return it as the XML element *tag*."""
        return f'<{tag} xsi:type="{self.class_name}">{self.body}</{tag}>'


class Collector:
    """An event history collector: reads the events since *begin*, oldest first."""

    def __init__(self, vcenter: "VCenter", begin: datetime.datetime) -> None:
        self._vcenter = vcenter
        self.begin = begin
        self._created_at = vcenter.now()
        self._next: int | None = None
        self._echo: list[ModelEvent] = []
        self.is_stuck = False

    def read(self, count: int) -> list[ModelEvent]:
        """Return the next *count* events. A collector whose place was pruned is stuck and returns none."""
        held = self._vcenter.held
        if self._next is not None and held and held[0].ordinal > self._next:
            self.is_stuck = True
        if self.is_stuck or not held:
            return []
        start = 0 if self._next is None else self._next - held[0].ordinal
        page, self._echo = self._echo, []
        for event in itertools.islice(held, start, None):
            if len(page) >= count:
                break
            self._next = event.ordinal + 1
            if event.created >= self.begin:
                page.append(event)
                if self._is_doubled(event):
                    (page if len(page) < count else self._echo).append(event)
        return page

    def newest(self) -> ModelEvent | None:
        """Return the newest event, which is its latest page if its page has one event."""
        for event in reversed(self._vcenter.held):
            if event.created >= self.begin:
                return event
        return None

    def _is_doubled(self, event: ModelEvent) -> bool:
        after = (event.created - self._created_at).total_seconds()
        return self._vcenter.doubles and 0 <= after < DUPLICATE_SECONDS


@dataclasses.dataclass
class Watch:
    """A property filter on a collector's latest page."""

    collector: Collector
    reported: ModelEvent | None = None
    is_new: bool = True
    is_mute: bool = False
    """True once a wait on it ran out, in a vCenter that never reports to it afterwards."""

    def update(self) -> list[ModelEvent] | None:
        """Return the latest page if it changed since the last update, else None."""
        newest = self.collector.newest()
        if self.is_mute or (newest is self.reported and not self.is_new):
            return None
        self.reported, self.is_new = newest, False
        return [newest] if newest else []


class ServerSession:
    """A session at the server, with its objects."""

    def __init__(self) -> None:
        self.is_alive = True
        self.collectors: dict[str, Collector] = {}
        self.watches: dict[str, Watch] = {}
        self.created = 0
        self.is_waiting = False
        self.is_cancelled = False
        """True if its wait for updates was cancelled."""


class VCenter:
    """The server. It is pure except for the time, which the scheduler keeps."""

    def __init__(self, scheduler: Scheduler, first_key: int) -> None:
        self._scheduler = scheduler
        self.clock_lead = 0.0
        """The lead of its clock over the true time, in seconds."""
        self.timeline: list[ModelEvent] = []
        """Every event of its history, in order, also those that were pruned."""
        self.held: list[ModelEvent] = []
        self.doubles = False
        self.mutes = False
        self.first_key = first_key
        self.sessions: list[ServerSession] = []
        self.waiting: list[Task] = []
        self.removed: set[tuple[int, datetime.datetime]] = set()
        """Keys and times of the events that are gone with a restore."""

    def now(self) -> datetime.datetime:
        """Return its clock, UTC."""
        return datetime.datetime.fromtimestamp(EPOCH + self._scheduler.now + self.clock_lead, datetime.UTC)

    def post(self, number: int, entity: str, oddity: str = "") -> ModelEvent:
        """Record an event about *entity*."""
        chance = self._scheduler.random
        created = self.now()
        if chance.random() < 0.2:
            created -= datetime.timedelta(seconds=chance.uniform(0, DISORDER_SECONDS))
        ordinal = len(self.timeline)
        event = build_event(number, ordinal, self.first_key + ordinal, created, entity, oddity)
        self.timeline.append(event)
        self.held.append(event)
        self.wake()
        return event

    def prune(self, count: int) -> Sequence[ModelEvent]:
        """Forget all but the last *count* events, and return those forgotten."""
        pruned = self.held[: max(0, len(self.held) - count)]
        del self.held[: len(pruned)]
        return pruned

    def restore(self, count: int) -> Sequence[ModelEvent]:
        """Go back to a backup that has all but the last *count* events, and return those that are gone."""
        removed = self.timeline[max(0, len(self.timeline) - count) :]
        del self.timeline[len(self.timeline) - len(removed) :]
        self.held = [event for event in self.held if event.ordinal < len(self.timeline)]
        self.removed.update((event.key, event.created) for event in removed)
        self.end_sessions()
        return removed

    def end_sessions(self) -> None:
        """End every session, as a restart or an administrator does."""
        for session in self.sessions:
            session.is_alive = False
        self.sessions.clear()
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits for updates look again."""
        waiting, self.waiting = self.waiting, []
        for task in waiting:
            self._scheduler.wake(task)

    def wait_for_update(
        self, session: ServerSession, seconds: float, is_connected: Callable[[], bool]
    ) -> list[ModelEvent] | None:
        """Wait in the current task for a change of a watched page. Return None if there is none within *seconds*."""
        end = self._scheduler.now + seconds
        session.is_waiting, session.is_cancelled = True, False
        try:
            return self._wait(session, end, is_connected)
        finally:
            session.is_waiting = False

    def _wait(self, session: ServerSession, end: float, is_connected: Callable[[], bool]) -> list[ModelEvent] | None:
        while session.is_alive and is_connected() and not session.is_cancelled:
            for watch in session.watches.values():
                update = watch.update()
                if update is not None:
                    return update
            remaining = end - self._scheduler.now
            if remaining <= 0:
                break
            task = self._scheduler.current
            self.waiting.append(task)
            self._scheduler.park(remaining)
            if task in self.waiting:  # the time ran out: nobody may wake it from its next wait
                self.waiting.remove(task)
        if self.mutes and session.is_alive:
            for watch in session.watches.values():
                watch.is_mute = True
        return None


def build_event(
    number: int, ordinal: int, key: int, created: datetime.datetime, entity: str, oddity: str
) -> ModelEvent:
    """Return an event. Its text names *number*."""
    text_key = {"no key": "", "word as key": "<key>abc</key>"}.get(oddity, f"<key>{key}</key>")
    time = {"no time": "", "late time": "<createdTime>2026-01-02T24:00:00Z</createdTime>"}.get(
        oddity, f"<createdTime>{created.isoformat().replace('+00:00', 'Z')}</createdTime>"
    )
    managed_type, _, identity = entity.partition("/")
    argument = {"VirtualMachine": "vm", "HostSystem": "host"}.get(managed_type, "")
    about = f'<{argument}><{argument} type="{managed_type}">{identity}</{argument}></{argument}>' if argument else ""
    deep = "<a>" * 1500 + "</a>" * 1500 if oddity == "deep" else ""
    body = f"{text_key}{time}<userName>u</userName>{about}<fullFormattedMessage>#{number}#</fullFormattedMessage>{deep}"
    class_name = {"vm": "VmPoweredOnEvent", "host": "HostConnectedEvent"}.get(argument, "UserLoginSessionEvent")
    return ModelEvent(number, ordinal, key, created, entity, body, class_name, oddity)
