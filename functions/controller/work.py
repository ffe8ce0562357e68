"""The work: watches fill a queue with keys, workers of the leader take passes over them."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from cluster.client import ClusterClient
from cluster.events import EventRecorder
from cluster.lease import LeaderElection
from cluster.queue import Queue
from cluster.resources import Key, Object, Resource, controller_of, key_of
from functions.controller.apply import Applier
from functions.controller.interests import changes_spec
from functions.controller.metrics import FAILED, REPEATED, SUCCEEDED, Counts
from functions.controller.passes import Again, Passes
from functions.controller.reconciler import Reconciler
from functions.controller.watches import Watches

WORKERS = 4
RESYNC_SECONDS = 600.0
"""The time after which every object is looked at again, and children that are not watched with it."""
IDLE_SECONDS = 0.2
CLOSE_SECONDS = 5.0
"""The maximum wait for passes under way. What they leave undone, the next leader does."""
COMPONENT = "vsphere-source-controller"

log = structlog.get_logger()


class Prepare(Protocol):
    """Work of a new leader before any pass. Raises `ClusterError`, and is then called again."""

    def __call__(self) -> None:
        """Do it. Doing it twice is doing it once."""


class Work:
    """Passes over all objects, in threads of their own, while this replica leads."""

    def __init__(
        self,
        client: ClusterClient,
        reconcilers: Sequence[Reconciler],
        namespaces: Sequence[str],
        election: Callable[[Callable[[bool], None]], LeaderElection],
        prepare: Prepare,
    ) -> None:
        """*election* makes this replica's part in the election, from what it calls at each change."""
        self.counts = Counts()
        self.queue: Queue[Key] = Queue()
        self.election = election(self._leads)
        self.watches = Watches(client, namespaces, self._noticed)
        self.passes = Passes(
            client,
            reconcilers,
            self.watches,
            Applier(client, self.watches, lambda: self.election.is_leader),
            EventRecorder(client, COMPONENT),
        )
        self._reconcilers = {reconciler.resource: reconciler for reconciler in reconcilers}
        self._preparation = Preparation(prepare)
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker {number}", daemon=True) for number in range(WORKERS)
        ]

    def start(self) -> None:
        """Begin to watch, to take part in the election, and to work."""
        for reconciler in self._reconcilers.values():
            self.watches.follow(reconciler.resource)
        for resource, selector in self._child_selections():
            self.watches.follow(resource, selector)
        self.election.start()
        self._threads.append(threading.Thread(target=self._resync, name="resync", daemon=True))
        for thread in self._threads:
            thread.start()

    def look_again(self, key: Key | None = None) -> None:
        """Look at one object again, or at all, and at its children that are not watched."""
        keys = [key] if key else self.keys()
        for chosen in keys:
            parent = self.watches.get(*chosen)
            self.passes.applier.kept.forget(parent["metadata"]["uid"] if parent else "")
            self.queue.add(chosen)

    def keys(self) -> list[Key]:
        """Return the keys of all objects of the kinds."""
        return [key for resource in self._reconcilers for key in self.watches.keys(resource)]

    def close(self) -> None:
        """Finish the passes under way, release the lease, end the watches."""
        self._closed.set()
        self.queue.close()
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))
        self.election.close()
        self.watches.close()

    def _child_selections(self) -> set[tuple[Resource, str]]:
        """Return collections of children that are not kinds of their own."""
        return {
            (children.resource, children.label_selector)
            for reconciler in self._reconcilers.values()
            for children in reconciler.children
            if children.resource not in self._reconcilers
        }

    def _leads(self, is_leader: bool) -> None:
        if is_leader:
            self._preparation.begin()
            self.look_again()

    def _noticed(self, resource: Resource, before: Object | None, after: Object | None) -> None:
        """Queue whatever the change of an object matters to."""
        obj: Object = after or before or {}
        key = key_of(resource, obj)
        if resource in self._reconcilers and _matters(before, after):
            self.queue.add(key)
        if (owner := controller_of(obj)) and (parents := self._resource_of(owner)):
            if after is None:
                self.passes.applier.kept.forget(owner["uid"])
            self.queue.add(Key(parents, key.namespace, owner["name"]))
        if after is None or not self.passes.responses.has(key, after["metadata"]["resourceVersion"]):
            for parent in self.passes.interests.parents_of(resource, before, after):
                self.queue.add(parent)

    def _resource_of(self, owner: Any) -> Resource | None:
        group = owner["apiVersion"].rpartition("/")[0]
        return next((r for r in self._reconcilers if (r.group, r.kind) == (group, owner["kind"])), None)

    def _work(self) -> None:
        while not self._closed.is_set():
            if not self._may_begin():
                self._closed.wait(IDLE_SECONDS)
            elif (key := self.queue.get(1.0)) is not None:
                try:
                    self._look(key)
                finally:
                    self.queue.done(key)

    def _may_begin(self) -> bool:
        return self.election.is_leader and self.watches.wait_synced(0) and self._preparation.is_done()

    def _look(self, key: Key) -> None:
        started = time.monotonic()
        try:
            seconds = self.passes.run(key)
        except Again as error:
            pause = self.queue.retry(key)
            self.counts.passes.add(REPEATED)
            log.debug("Pass is repeated", about=str(key), reason=str(error), pause_seconds=pause)
        except Exception:
            self.queue.retry(key)
            self.counts.passes.add(FAILED)
            log.exception("Pass failed unexpectedly", about=str(key))
        else:
            self.queue.succeeded(key)
            self.counts.passes.add(SUCCEEDED)
            if seconds is not None:
                self.queue.add_after(key, seconds)
        self.counts.add_seconds(time.monotonic() - started)

    def _resync(self) -> None:
        while not self._closed.wait(RESYNC_SECONDS):
            self.passes.discovery.forget()
            self.look_again()


class Preparation:
    """A new leader's work before its first pass: once for each time that it begins to lead, by one worker."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._is_done = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Have it done again."""
        self._is_done = False

    def is_done(self) -> bool:
        """Return whether it is done, after an attempt if it is not. Never raises."""
        if self._is_done:
            return True
        if self._lock.acquire(blocking=False):
            try:
                self._prepare()
                self._is_done = True
            except Exception as error:  # noqa: BLE001 - the next attempt follows, and the passes wait for it
                log.warning("Cannot prepare to lead", reason=str(error))
            finally:
                self._lock.release()
        return self._is_done


def _matters(before: Object | None, after: Object | None) -> bool:
    """Return whether a change of an object matters to its own pass: all but what the pass itself writes."""
    if changes_spec(before, after):
        return True
    return bool(before and after and before["metadata"].get("finalizers") != after["metadata"].get("finalizers"))
