"""A queue of keys to look at: each key once, by one worker at a time, later again after a failure. No I/O."""

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 0.1
MAX_RETRY_SECONDS = 300.0

K = TypeVar("K")


class Queue(Generic[K]):
    """Keys to look at, for any number of threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """*now* is a monotonic clock, in seconds."""
        self._now = now
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._under_way: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._added = 0
        self._closed = False
        self._changed = threading.Condition()

    def add(self, key: K) -> None:
        """Have *key* looked at soon. A key that is there already is not added twice.

        A key that a worker is looking at is looked at once more afterwards, because the worker may have seen the past.
        """
        with self._changed:
            self._add(key)
            self._changed.notify()

    def add_after(self, key: K, seconds: float) -> None:
        """Have *key* looked at after *seconds*, or earlier if it was due earlier."""
        with self._changed:
            due = self._now() + seconds
            if due < self._due.get(key, float("inf")):
                self._due[key] = due
                self._added += 1
                heapq.heappush(self._heap, (due, self._added, key))
            self._changed.notify()

    def retry(self, key: K) -> float:
        """Have *key* looked at after a pause that doubles with each failure. Return the pause in seconds."""
        with self._changed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20), MAX_RETRY_SECONDS)
        self.add_after(key, pause)
        return pause

    def succeeded(self, key: K) -> None:
        """Forget the failures of *key*."""
        with self._changed:
            self._failures.pop(key, None)

    def get(self, seconds: float) -> K | None:
        """Return the next key, which `done` must get back, or None after *seconds* or when the queue is closed."""
        end = self._now() + seconds
        with self._changed:
            while not self._closed:
                now = self._now()
                self._collect_due(now)
                if self._ready:
                    key, _ = self._ready.popitem(last=False)
                    self._under_way.add(key)
                    return key
                if now >= end:
                    return None
                first_due = self._heap[0][0] if self._heap else end
                self._changed.wait(max(0.0, min(first_due, end) - now))
        return None

    def done(self, key: K) -> None:
        """Take *key* back from a worker."""
        with self._changed:
            self._under_way.discard(key)
            if key in self._again:
                self._again.discard(key)
                self._add(key)
                self._changed.notify()

    def close(self) -> None:
        """Let every `get` return None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return the number of keys that are due or being looked at."""
        return len(self._ready) + len(self._under_way)

    def _add(self, key: K) -> None:
        self._due.pop(key, None)
        if key in self._under_way:
            self._again.add(key)
        else:
            self._ready[key] = None

    def _collect_due(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                self._add(key)
