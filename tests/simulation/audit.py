"""The invariants. The models report what happens, and the audit compares it with what is promised.

| invariant | where |
|---|---|
| Nothing is missing that no status event names. | `missing` |
| The checkpoint never passes an event that is not acknowledged. | `saved` |
| One sender at a time: nobody sends while another poller holds the lease. | `sending` |
| Events of one entity arrive in order, by their first arrivals. | `missing` |
| Only events in flight are repeated. | `sending` |
| The sink's gateway has no event dropped, and few are dropped in a row. | `dropped` |
| No thread dies. | `died` |
| Delivery resumes within a bound after the last fault. | `world` |
"""

import dataclasses
import datetime
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from delivery.checkpoint import CheckpointUnreadable
from delivery.lease import LEASE_SECONDS
from delivery.retry import MAX_DROPS_IN_A_ROW
from functions.poller.checkpoint import VCenterCheckpoint
from pipeline import status_events
from tests.simulation.scheduler import Process, Scheduler, Task
from tests.simulation.sink import DEAD_LETTERS, GATEWAY, TEMPORARY, Request
from tests.simulation.vcenter import ModelEvent, VCenter
from tests.support.delivery_check import DeliveryCheck, check_delivery

FORMAT = VCenterCheckpoint("https://vcenter.example")
_NUMBER = re.compile(r"#(\d+)#")


@dataclasses.dataclass(slots=True, eq=False)
class Record:
    """The life of one event."""

    event: ModelEvent
    arrivals: int = 0
    acknowledged: dict[Any, float] = dataclasses.field(default_factory=dict)
    """Opening of the output (its event loop) → when the poller had the acknowledgement."""
    excuse: str = ""
    """The reason why it need not arrive."""
    reported: bool = False
    is_dead: bool = False
    """True if it went to the dead-letter sink or, in full, to the log."""
    attempts: int = 0
    owed_to: Any = None
    """The opening that must resend it, because the sink forgot it."""
    is_resent: bool = False
    """True if it was to be resent. That is done once."""
    is_late: bool = False
    """True if it first arrived by a request whose reply nobody awaited any more."""
    is_old: bool = False
    """True if the process that sent it first started after it."""

    @property
    def is_complete(self) -> bool:
        """True if nothing remains to be done for it."""
        return bool(self.arrivals or self.excuse or self.reported or self.is_dead or self.owed_to is not None)


@dataclasses.dataclass(slots=True, eq=False)
class Opening:
    """The time for which one output was open."""

    process: Process
    baseline: int
    """The ordinal of the last event that need not be sent in it."""
    is_fresh: bool
    """True if there was no position to begin after."""
    first: int
    """The number of events in the history when the process opened its first output."""
    is_restored: bool = False
    """True if vCenter was restored meanwhile, so that every event is new."""
    unacknowledged: set[str] = dataclasses.field(default_factory=set)
    """Status events sent and not acknowledged."""
    failures: list[Request] = dataclasses.field(default_factory=list)
    drops: int = 0
    """Events dropped in a row."""
    sent: int = 0


@dataclasses.dataclass
class Promise:
    """The settings that decide what is promised."""

    resend_seconds: float
    at_most_once: bool
    keeps_position: bool
    """True if the store survives the process."""
    is_clock_set_back: bool = False
    """True if vCenter's clock was set back. Then a poller without a position cannot deliver at most once."""


class Audit:
    """The record of one run."""

    def __init__(self, scheduler: Scheduler, vcenter: VCenter, promise: Promise) -> None:
        self._scheduler = scheduler
        self._vcenter = vcenter
        self.promise = promise
        self.records: dict[int, Record] = {}
        self.arrived: list[int] = []
        """The events in the order of arrival, each time they arrived."""
        self.openings: dict[Any, Opening] = {}
        self.violations: list[str] = []
        self.faults: Counter[str] = Counter()
        self.store = StoreState()
        self.drops = Drops()

    def met(self, fault: str) -> None:
        """Count a fault that took effect."""
        self.faults[fault] += 1

    def violate(self, invariant: str) -> None:
        """Record that *invariant* is broken."""
        self.violations.append(f"{self._scheduler.now:.3f} s: {invariant}")

    # ── vCenter ──

    def posted(self, event: ModelEvent) -> None:
        """Record a new event.

        After a restore, one without a time may have the key of the saved position. Nothing distinguishes it from the
        event that was there, so it need not arrive.
        """
        self.records[event.number] = Record(event)
        if event.oddity in ("no time", "late time") and event.key in {key for key, _ in self._vcenter.removed}:
            self.records[event.number].excuse = "taken for the event that a restore removed"

    def excused(self, events: Any, reason: str) -> None:
        """Record that *events* need not arrive."""
        for event in events:
            self.records[event.number].excuse = reason

    def restored(self, removed: Sequence[ModelEvent]) -> None:
        """Record that the history is another one now, without *removed*: every event may come again.

        A checkpoint of an event in flight may still be one of the old history, whose key another event has by now.
        """
        self.excused(removed, "gone with a restore")
        for event in removed:  # whatever is sent of it from now on is sent again
            record = self.records[event.number]
            record.is_resent |= bool(record.acknowledged)
        for opening in self.openings.values():
            opening.baseline, opening.is_fresh, opening.is_restored = -1, True, True
            opening.sent = opening.first = 0
        for record in self.records.values():
            record.acknowledged.clear()
            record.attempts = 0
        self.store.saved = self.store.passed = -1

    def reading(self, begin: datetime.datetime) -> None:
        """Record that the current process reads the events since *begin*."""
        process = self._scheduler.current.process
        opening = next((known for known in reversed(self.openings.values()) if known.process is process), None)
        if opening is None or (opening.is_fresh and not opening.sent):
            first = self._vcenter.held[0].ordinal if self._vcenter.held else len(self._vcenter.timeline)
            old = [event for event in self._vcenter.timeline if event.created < begin or event.ordinal < first]
            self.excused([event for event in old if not self.records[event.number].arrivals], "before the start")

    # ── the store ──

    def leased(self, holder: str | None) -> None:
        """Record that *holder* has the lease now."""
        self.store.holder = holder

    def lease_removed(self) -> None:
        """Record that somebody else removed the lease: its holder notices that when it renews it."""
        self.store.lenient_until = self._scheduler.now + LEASE_SECONDS

    def saved(self, text: str) -> None:
        """Check a checkpoint as it is saved."""
        try:
            position = FORMAT.decode(text).position
        except CheckpointUnreadable:
            return
        event = self._at(position.key, position.created_time) if position else None
        if event is None:
            self.store.saved = -1
            return
        self.store.saved = event.ordinal
        self.store.by = self._scheduler.current.process
        if self.promise.at_most_once:
            return
        for earlier in self._vcenter.timeline[self.store.passed + 1 : event.ordinal + 1]:
            if not self.records[earlier.number].is_complete:
                self.violate(f"checkpoint {event.key} passes event {earlier.key} (#{earlier.number}), not acknowledged")
        self.store.passed = max(self.store.passed, event.ordinal)

    def _at(self, key: int, created: datetime.datetime) -> ModelEvent | None:
        place = key - self._vcenter.first_key
        timeline = self._vcenter.timeline
        if not 0 <= place < len(timeline) or (key, created) in self._vcenter.removed:
            return None
        event = timeline[place]
        return event if event.created == created or event.oddity else None

    # ── the sink ──

    def opened(self, loop: Any) -> None:
        """Record that the current process opens its output, whose event loop is *loop*."""
        process = self._scheduler.current.process
        before = [(key, opening) for key, opening in self.openings.items() if opening.process is process]
        baseline = self.store.saved if self.promise.keeps_position or before else -1
        if before and (self.store.by in (None, process)):
            baseline = max(baseline, self._known_prefix(*before[-1]))
        is_fresh = baseline < 0 and not any(opening.sent for _, opening in before)
        first = before[0][1].first if before else len(self._vcenter.timeline)
        self.openings[loop] = Opening(process, baseline, is_fresh, first)
        for record in self.records.values():
            if record.owed_to is not None and record.owed_to is not loop:
                record.excuse, record.owed_to = "forgotten by the sink, and the poller restarted", None

    def _known_prefix(self, loop: Any, opening: Opening) -> int:
        """Return the ordinal up to which the process knew, in *opening*, that every event was complete."""
        if opening.unacknowledged or self.promise.resend_seconds:
            return -1
        prefix = opening.baseline
        for event in self._vcenter.timeline[prefix + 1 :]:
            record = self.records[event.number]
            if loop not in record.acknowledged or record.event.oddity:
                break
            prefix = event.ordinal
        return prefix

    def sending(self, request: Request) -> None:
        """Check a request as it is sent."""
        opening = self.openings[request.loop]
        opening.sent += request.number is not None
        holder = self.store.holder
        if holder is not None and holder != opening.process.name and self._scheduler.now > self.store.lenient_until:
            self.violate(f"{opening.process.name} sends {request.id} while {holder} holds the lease")
        if request.number is None:
            opening.unacknowledged.add(request.id)
            return
        record = self.records[request.number]
        record.attempts += 1
        if request.url == DEAD_LETTERS:
            return
        if opening.is_restored:
            return
        record.is_resent |= request.loop in record.acknowledged
        if request.loop in record.acknowledged and not self.promise.resend_seconds:
            self.violate(f"event {request.id} (#{request.number}) is sent again after its acknowledgement")
        elif self.promise.at_most_once or record.excuse:
            pass
        elif record.arrivals and record.event.ordinal <= opening.baseline:
            self.violate(f"event {request.id} (#{request.number}) is sent again, which was not in flight")
        is_excused = self.promise.is_clock_set_back or self.store.lenient_until > 0
        if self.promise.at_most_once and record.attempts > 1 and not is_excused:
            self.violate(f"event {request.id} (#{request.number}) is attempted twice, at most once is promised")

    def taken(self, request: Request) -> None:
        """Record that the sink, or the dead-letter sink, took an event."""
        if request.number is None:
            self._note(request)
            return
        record = self.records[request.number]
        if request.url == DEAD_LETTERS:
            record.is_dead, record.owed_to = True, None
            return
        if not record.arrivals:
            record.is_late = request.is_abandoned
            record.is_old = record.event.ordinal < self.openings[request.loop].first
        record.arrivals += 1
        record.owed_to = None
        self.arrived.append(request.number)

    def acknowledged(self, request: Request) -> None:
        """Record that the poller knows that an event was taken."""
        opening = self.openings[request.loop]
        if request.number is None:
            opening.unacknowledged.discard(request.id)
        elif request.url == DEAD_LETTERS:
            self.drops.count[opening.process] += 1
        else:
            opening.drops = 0
            self.records[request.number].acknowledged[request.loop] = self._scheduler.now

    def forgetting(self, request: Request) -> None:
        """Record that the sink, which holds events in memory, lost what it took lately, and fails *request*."""
        opening, period = self.openings[request.loop], self.promise.resend_seconds
        if not period or request.number is None or self.records[request.number].attempts > 3:
            return
        if not opening.failures or self._scheduler.now - opening.failures[-1].started > 1:
            opening.failures.clear()
        opening.failures.append(request)
        earliest = opening.failures[0].started - period + 0.1
        for record in self.records.values():
            acknowledged = record.acknowledged.get(request.loop)
            if acknowledged is not None and acknowledged >= earliest and not record.is_resent:
                record.arrivals, record.owed_to, record.is_resent = 0, request.loop, True

    def _note(self, request: Request) -> None:
        """Record what a status event reports."""
        data = json.loads(request.body)
        self.met(f"status event {request.type.split('.')[-2]}")
        if request.type == status_events.GAP:
            self._note_gap(data)
        elif request.type == status_events.UNREADABLE:
            for number in _NUMBER.findall(data["text"]):
                self.records[int(number)].reported = True
        elif request.type == status_events.UNDELIVERABLE and request.id not in self.drops.reports:
            self.drops.reports.add(request.id)
            self.drops.reported[request.process] += data["count"]

    def _note_gap(self, data: Any) -> None:
        for record in self.records.values():
            record.reported |= data["first"] <= record.event.key <= data["last"]

    # ── the process ──

    def answered(self, request: Request, status: int) -> None:
        """Record the last status of an event."""
        if request.number is not None:
            self.drops.statuses[request.number] = status

    def dropped(self, event_type: str, data: str) -> None:
        """Check a log line that has an event in full.

        A report that the sink rejects is in the log in full, like any other event. So it names its events there.
        """
        process = self._scheduler.current.process
        self.drops.count[process] += 1
        if event_type == status_events.UNDELIVERABLE:  # the next report names it
            self.drops.reported[process] += json.loads(data)["count"]
        elif event_type == status_events.GAP:
            self._note_gap(json.loads(data))
        named = _NUMBER.search(data)
        if named is None:
            return
        number = int(named[1])
        self.records[number].is_dead, self.records[number].owed_to = True, None
        if self.promise.at_most_once or event_type.startswith(status_events.PREFIX):
            return
        opening = next(known for known in reversed(self.openings.values()) if known.process is process)
        opening.drops += 1
        status = self.drops.statuses.get(number, 0)
        if status in GATEWAY + TEMPORARY or not 400 <= status < 500:
            self.violate(f"event #{number} is dropped for {status}, which does not concern it")
        if opening.drops > MAX_DROPS_IN_A_ROW:
            self.violate(f"{opening.drops} events are dropped in a row")

    def died(self, task: Task, error: Exception) -> None:
        """Record that a thread ended by *error*."""
        self.violate(f"thread {task.name} of {task.process.name} dies: {type(error).__name__}: {error}")

    # ── the verdict ──

    def check(self) -> DeliveryCheck[int]:
        """Compare what arrived with what was to arrive."""
        due = {number: record for number, record in self.records.items() if not record.excuse}
        expected = {number: record.event.entity for number, record in due.items() if not record.is_dead}
        named = {number for number, record in due.items() if record.reported}
        forgotten = {number for number, record in due.items() if record.owed_to is not None}
        return check_delivery(expected, [number for number in self.arrived if number not in forgotten], named)

    def has_order(self, number: int) -> bool:
        """Return False if the event may arrive after later ones of its entity.

        That is so in two cases. Nobody retries the event, because delivery is at most once or vCenter no longer holds
        it. Then the network decides when the sink takes the request of a poller that has ended or waits no more. Or a
        poller without a position sends an event that is older than itself, because vCenter's clock was set back.
        """
        record, at_most_once = self.records[number], self.promise.at_most_once
        return not (record.is_late and (at_most_once or record.reported)) and not (record.is_old and at_most_once)

    def is_complete(self) -> bool:
        """Return True if every event is complete and the checkpoint is behind the last one."""
        if self.promise.at_most_once:
            return True
        if any(not record.is_complete or record.owed_to is not None for record in self.records.values()):
            return False
        if any(
            self.drops.count[process] > self.drops.reported[process]
            for process in self.drops.count
            if self._sends(process)
        ):
            return False
        last = next((event for event in reversed(self._vcenter.timeline) if not event.oddity), None)
        return not self.promise.keeps_position or last is None or self.store.saved >= last.ordinal

    def _sends(self, process: Process) -> bool:
        """Return True if *process* runs, and no other poller holds the lease."""
        return process.is_alive and self.store.holder in (None, process.name)


@dataclasses.dataclass
class StoreState:
    """The content of the store, as its model reports it."""

    holder: str | None = None
    """The poller that holds the lease."""
    saved: int = -1
    """The ordinal of the event at the checkpoint."""
    passed: int = -1
    """The ordinal up to which the checkpoint was checked."""
    by: Process | None = None
    """The process that saved it."""
    lenient_until: float = 0.0
    """The time until which a poller may not know that somebody else removed its lease."""


@dataclasses.dataclass
class Drops:
    """Events that went to the dead-letter sink or to the log."""

    count: Counter[Process] = dataclasses.field(default_factory=Counter)
    reported: Counter[Process] = dataclasses.field(default_factory=Counter)
    """The number in status events."""
    reports: set[str] = dataclasses.field(default_factory=set)
    statuses: dict[int, int] = dataclasses.field(default_factory=dict)
    """The last status with which each event was answered."""
