"""Faults that this project once had, planted again one at a time: `python -m tests.simulation.planted` finds each.

Each is as small a change of the product as brings the fault back. Those of the outside review have its numbers, the
others a word for the commit that mended them.
"""

import asyncio
import contextlib
import datetime
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from pyVmomi import vmodl

from delivery import dispatcher, progress
from delivery.checkpoint_writer import CheckpointWriter
from delivery.checkpointed_sink import CheckpointedSink
from delivery.config_map import ConfigMapClient, ConfigMapConflict, ConfigMapUnavailable
from delivery.dispatcher import Dispatcher
from delivery.in_flight import InFlight
from delivery.lease import Lease, LeaseObserver
from delivery.progress import UndeliverableReport
from delivery.resend import ResendTracker
from delivery.retry import Action, DropLimit, Failure
from delivery.sink import KeyedWorkers, Sink
from delivery.stores import FileStore
from functions.poller import poll
from functions.poller.poll import Poll
from pipeline.errors import VCenterEventsError
from tests.simulation.plan import draw
from tests.simulation.world import World
from vsphere import history
from vsphere.cursor import DISORDER, Cursor, NewEvents
from vsphere.element import NAMESPACED
from vsphere.event import Position, VCenterEvent, from_element, read_key
from vsphere.history import EventHistory

Change = tuple[Any, str, Any]
"""An object, the name of an attribute of it, and the value that brings the fault."""


# ── the outside review's ──


def _begin_after_position(
    position: Position | None, earliest: datetime.datetime, vcenter_now: datetime.datetime, known_at: Any
) -> datetime.datetime:
    return max(earliest, position.created_time) if position else earliest


def _fetch_page_unguarded(self: EventHistory) -> tuple[list[VCenterEvent], list[Any]]:
    response = self._call(self._reader, "ReadNextEvents", self._page_size.value)
    begin = self._begin
    return [from_element(element, begin) for element in response.iter(f"{NAMESPACED}returnval")], []


def _parse_retry_after_of_digits(value: str) -> float:
    return float(value) if value.isdigit() else 0.0


async def _post_unguarded(self: Dispatcher, url: str, headers: Mapping[str, str], body: bytes) -> Failure | None:
    try:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            if 200 <= response.status < 300:
                await dispatcher._discard(response)
                return None
            delay = _parse_retry_after_of_digits(response.headers.get("Retry-After", ""))
            return Failure("reason", response.status, b"", delay)
    except OSError as error:
        return Failure(str(error), timed_out=isinstance(error, TimeoutError))


async def _run_unwatched(self: KeyedWorkers[Any], stopped: asyncio.Event) -> None:
    workers = [asyncio.create_task(self._work(number)) for number in range(len(self._queues))]
    await stopped.wait()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def _handle_once(self: KeyedWorkers[Any], item: Any) -> None:
    await self._handle(item)


def _is_permanent_for_gateways(self: Failure) -> bool:
    return 300 <= self.status < 500 and self.status not in (401, 403, 404, 407, 408, 409, 425, 429)


def _drop_without_limit(self: DropLimit, action: Action, failure: Failure) -> Action:
    return action


def _report_expected_errors(self: CheckpointWriter[Any], error: Exception) -> None:
    if not isinstance(error, VCenterEventsError):
        raise error


def _call_unchecked(self: Any, verb: str, method: str, content: Any) -> Any:
    try:
        status, body = self._request(method, content)
    except OSError as error:
        raise ConfigMapUnavailable(str(error)) from error
    if not 200 <= status < 300:
        raise (ConfigMapConflict if status == 409 else ConfigMapUnavailable)(f"{verb} ConfigMap: {status}")
    return json.loads(body)


def _resume_from_checkpoint(self: CheckpointedSink[Any], checkpoint: Any) -> None:
    self._progress.begin = checkpoint.begin if checkpoint else None
    self._progress.position = checkpoint.position if checkpoint else None


def _binds_by_expiry(self: LeaseObserver, lease: Lease, moment: float) -> bool:
    return lease.holder != self._holder and lease.expires > progress.now()


# ── older ones ──


def _advance_with_duplicates(self: Cursor, page: Sequence[VCenterEvent]) -> NewEvents:
    events = list(page)
    result = self._after_position(events, self.position) if self._resuming and self.position else NewEvents(events)
    if result.events:
        self._resuming = False
        self.position = result.events[-1].position
    return result


def _wait_on_the_same_watch(self: EventHistory, seconds: int) -> bool:
    options = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=seconds)
    response = self._call(self._session.waiter, "WaitForUpdatesEx", self._version, options)
    update = response.find(f".//{NAMESPACED}returnval")
    if update is None:
        return False
    self._version = update.findtext(f"{NAMESPACED}version", self._version)
    keys = [read_key(element.text or "") for element in update.iterfind(f".//{NAMESPACED}Event/{NAMESPACED}key")]
    self._watched_key = max((key for key in keys if key is not None), default=self._watched_key)
    return True


def _end_outage_at_its_first_failure(self: ResendTracker[Any]) -> list[Any]:
    if self._outage is None:
        return []
    self._outage.last = self._outage.first
    return _REAL_END_OUTAGE(self)


_REAL_END_OUTAGE = ResendTracker.end_outage


def _wait_beyond_by_identity(self: InFlight[Any], position: Any, seconds: float) -> None:
    with self._changed:
        self._changed.wait_for(lambda: self._closed or self._tracker.position is not position, seconds)


def _begin_a_second_early(
    position: Position | None, earliest: datetime.datetime, vcenter_now: datetime.datetime, known_at: Any
) -> datetime.datetime:
    if position is None or position.created_time > vcenter_now + DISORDER:
        return min(earliest, vcenter_now)
    return min(max(earliest + DISORDER, position.created_time) - DISORDER, vcenter_now)


def _close_and_forget(self: CheckpointedSink[Any], seconds: float) -> None:
    sink = self.sink
    _REAL_CLOSE(self, seconds)
    if sink is not None:
        self._progress.acknowledged = sink.in_flight.acknowledged


_REAL_CLOSE = CheckpointedSink.close


def _send_whole_chunks(self: Poll, sink: Sink[Position], events: list[VCenterEvent]) -> None:
    source, version, encoding = self._settings.vcenter.sdk_url, self._session.api_version, self._settings.encoding
    sink.send([poll.encode(event, source, version, encoding) for event in events])
    if events:
        self._progress.position, self._progress.known_at = events[-1].position, progress.now()


def _move_begin_of_the_reader(self: EventHistory) -> None:
    self._begin = self._begin_time()


def _is_confirmed(self: CheckpointedSink[Any], position: Any) -> bool:
    return bool(position == self._progress.saved)


PLANTED: Mapping[str, tuple[Change, ...]] = {
    "H1 reading begins after vCenter's clock": (
        (history, "begin_after", _begin_after_position),
        (EventHistory, "_check_clock", lambda self: None),
    ),
    "H2 one odd event stops the poller": ((EventHistory, "_fetch_page", _fetch_page_unguarded),),
    "H3 a malformed Retry-After ends a worker": (
        (Dispatcher, "_post", _post_unguarded),
        (KeyedWorkers, "_handle_with_retry", _handle_once),
        (KeyedWorkers, "run", _run_unwatched),
    ),
    "H4 a gateway drains the history into the log": (
        (Failure, "is_permanent", property(_is_permanent_for_gateways)),
        (DropLimit, "next_action", _drop_without_limit),
    ),
    "H5 an answer that is not a ConfigMap ends the writer": (
        (ConfigMapClient, "_call", _call_unchecked),
        (CheckpointWriter, "_report", _report_expected_errors),
    ),
    "M1 an unwritable file has everything sent again": (
        (FileStore, "keeps_lease", False),
        (CheckpointedSink, "_resume", _resume_from_checkpoint),
    ),
    "M8 the lease is judged by two clocks": ((LeaseObserver, "binds", _binds_by_expiry),),
    "587168f events that a collector has twice are sent twice": ((Cursor, "advance", _advance_with_duplicates),),
    "130f320 a watch stays silent after a wait that ran out": ((EventHistory, "wait", _wait_on_the_same_watch),),
    "d56e4cf events of a long outage are not resent": (
        (ResendTracker, "end_outage", _end_outage_at_its_first_failure),
    ),
    "716a97f a lost lease has everything sent again": ((CheckpointedSink, "_resume", _resume_from_checkpoint),),
    "3f9a8e3 clock set back while nobody reads": ((history, "begin_after", _begin_a_second_early),),
    "idle checkpoint writer spins": ((InFlight, "wait_beyond", _wait_beyond_by_identity),),
    "second lost lease has everything sent again": ((CheckpointedSink, "close", _close_and_forget),),
    "save whose answer is lost has events sent again": ((CheckpointedSink, "_is_own", _is_confirmed),),
    "a report is lost with the sink that it waits in": ((UndeliverableReport, "retract", lambda self, is_open: None),),
    "a page that is sent in part is sent again": ((Poll, "_send", _send_whole_chunks),),
    "the watched collector begins after the reader": ((EventHistory, "_move_begin", _move_begin_of_the_reader),),
    "at most once with two pollers": ((CheckpointedSink, "_resume_at_most_once", lambda self, checkpoint: None),),
}
"""Fault → the changes that bring it back. Those without a commit were found by this simulation."""


@contextlib.contextmanager
def planted(changes: Sequence[Change]) -> Iterator[None]:
    """Bring a fault back."""
    with contextlib.ExitStack() as stack:
        for owner, name, value in changes:
            stack.enter_context(patch.object(owner, name, value))
        yield


def find(fault: str, seeds: Sequence[int]) -> tuple[int, str] | None:
    """Return the first of *seeds* that breaks an invariant with *fault*, and which one."""
    with planted(PLANTED[fault]):
        for seed in seeds:
            result = World(draw(seed)).run()
            if result.violations:
                return seed, result.violations[0]
    return None


def main(arguments: Sequence[str], show: Callable[[str], object] = sys.stdout.write) -> None:
    """Print the first seed that finds each fault whose name contains one of *arguments*, or all."""
    for fault in PLANTED:
        if not arguments or any(argument in fault for argument in arguments):
            result = find(fault, range(5_000))
            show(f"{fault}: " + (f"seed {result[0]}, {result[1]}\n" if result else "NOT FOUND\n"))


if __name__ == "__main__":
    main(sys.argv[1:])
