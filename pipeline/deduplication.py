"""Events seen, by (source, id): Knative delivers at least once, and an effect is to come once.

Only as long as the process lives, and only the last so many: an effect that must not come twice at any price needs more
than this (vCenter itself knows which tags are attached, for example).
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import structlog
from cloudevents.http import CloudEvent

log = structlog.get_logger()

State = TypeVar("State")
Answer = TypeVar("Answer")


class Remembered(Generic[State]):
    """Something about each of the last *most* events, made by *make* when an event is first seen."""

    def __init__(self, most: int, make: Callable[[], State]) -> None:
        self._most = most
        self._make = make
        self._states: OrderedDict[tuple[str, str], tuple[threading.Lock, State]] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, event: CloudEvent) -> Iterator[State]:
        """What is remembered of *event*. Nobody else has it at the same time: a duplicate waits for its turn."""
        key = (event["source"], event["id"])
        with self._lock:
            lock, state = self._states.setdefault(key, (threading.Lock(), self._make()))
            self._states.move_to_end(key)
            while len(self._states) > self._most:
                self._states.popitem(last=False)
        with lock:
            yield state


class Once(Generic[Answer]):
    """Has each of the last *most* events handled once; a duplicate gets the same answer, and so the same reply."""

    def __init__(self, most: int) -> None:
        self._answers: Remembered[list[Answer]] = Remembered(most, list)

    def __call__(self, event: CloudEvent, handle: Callable[[CloudEvent], Answer]) -> Answer:
        """What *handle* answers, or answered. Raises what it raises; then the event counts as not handled."""
        with self._answers.of(event) as answers:
            if answers:
                log.info("handled before", id=event["id"])
            else:
                answers.append(handle(event))
            return answers[0]
