"""Handle each event once, although Knative delivers at least once.

An event is identified by its source and id. `Deduplicator` remembers the last events of this process in memory. An
effect that must never happen twice needs more: a state in vCenter that shows it, such as an attached tag.
"""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import structlog

from pipeline.cloudevents import CloudEvent

log = structlog.get_logger()

State = TypeVar("State")
Result = TypeVar("Result")


class EventStates(Generic[State]):
    """One state for each of the last *size* events, created by *create* when an event is first seen."""

    def __init__(self, size: int, create: Callable[[], State]) -> None:
        self._size = size
        self._create = create
        self._states: OrderedDict[bytes, tuple[threading.Lock, State]] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, event: CloudEvent) -> Iterator[State]:
        """The state of *event*, held exclusively: a concurrent duplicate waits."""
        # A digest, because an id may be as long as a request.
        identity = f"{event['source']}\0{event['id']}".encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(identity, digest_size=20).digest()
        with self._lock:
            lock, state = self._states.setdefault(key, (threading.Lock(), self._create()))
            self._states.move_to_end(key)
            while len(self._states) > self._size:
                self._states.popitem(last=False)
        with lock:
            yield state


class Deduplicator(Generic[Result]):
    """Handles each of the last *size* events once.

    It lives in memory. A store that several pods share could take its place: it needs only `handle_once`.
    """

    def __init__(self, size: int) -> None:
        self._results: EventStates[list[Result]] = EventStates(size, list)

    def handle_once(self, event: CloudEvent, handle: Callable[[CloudEvent], Result]) -> Result:
        """Return the result of *handle* for *event*, or the earlier result if *event* is a duplicate.

        Raises what *handle* raises. The event then counts as not handled.
        """
        with self._results.of(event) as results:
            if results:
                log.info("duplicate event", id=event["id"])
            else:
                results.append(handle(event))
            return results[0]
