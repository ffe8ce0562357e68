"""The reflector: keeps a cache equal to a collection of the API server.

It lists once and then watches. Whatever ends the watch, it goes on from the version that it saw last: a restart of the
API server, a connection that died silently, or the end of the watch's time. If the server no longer knows that version
(410), it lists again, and the cache reports what differs.
"""

import dataclasses
import random
import threading
import time

import structlog

from cluster.cache import Cache, slim
from cluster.client import ClusterClient, Watch
from cluster.errors import ClusterError
from cluster.resources import Object, Resource

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
"""The maximum pause before the next watch. Changes of the time without an API server are noticed so late."""
DENIED_PAUSE_SECONDS = 60.0
"""The same after 403 and 404: a person must grant a right or install a kind. An API server that starts denies, too."""
SHORT_SECONDS = 5.0
"""The time that a watch must last, or the next one begins after a pause."""

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True)
class Selection:
    """The part of a collection to follow."""

    resource: Resource
    namespace: str = ""
    """Empty for all."""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False


class Pause:
    """The pause before the next watch. It doubles while watches fail for the same reason. Pure."""

    def __init__(self) -> None:
        self._seconds = FIRST_PAUSE_SECONDS
        self._status: int | None = None

    def after(self, error: ClusterError) -> float:
        """Return the pause in seconds after *error*.

        An API server that restarts fails in several ways, one after another, so each begins with a short pause.
        """
        is_same, self._status = error.status == self._status, error.status
        maximum = DENIED_PAUSE_SECONDS if error.status in (403, 404) else MAX_PAUSE_SECONDS
        self._seconds = min(self._seconds * 2, maximum) if is_same else FIRST_PAUSE_SECONDS
        return self._seconds

    def after_success(self) -> float:
        """Return the pause in seconds after a watch that the API server ended."""
        self._status = None
        return FIRST_PAUSE_SECONDS


class Reflector:
    """Follows one selection, in a thread of its own."""

    def __init__(self, client: ClusterClient, selection: Selection, cache: Cache) -> None:
        self.selection = selection
        self.cache = cache
        self.lists = 0
        """Lists so far: one, and one for each time that the server did not know the version anymore."""
        self._client = client
        self._version = ""
        self._synced = threading.Event()
        self._closed = threading.Event()
        self._watch: Watch | None = None
        self._is_current = False
        self._thread = threading.Thread(target=self._run, name=f"watch {selection.resource.plural}", daemon=True)

    @property
    def is_synced(self) -> bool:
        """The collection was listed at least once, or the API server said that it cannot be."""
        return self._synced.is_set()

    @property
    def is_current(self) -> bool:
        """A watch is open, so that the cache has every change but the last moments'."""
        return self._is_current

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wait_synced(self, seconds: float) -> bool:
        """Wait until the collection was listed. Return False after *seconds*."""
        return self._synced.wait(seconds)

    def close(self) -> None:
        """End the watch and the thread."""
        self._closed.set()
        if (watch := self._watch) is not None:
            watch.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2)

    def _run(self) -> None:
        pause = Pause()
        while not self._closed.is_set():
            started = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._follow()
                seconds = pause.after_success()
            except ClusterError as error:
                if self._closed.is_set():
                    return
                if error.is_expired or error.status in (403, 404):
                    self._version = ""
                self._report(error)
                seconds = pause.after(error)
            finally:
                self._is_current = False
            if time.monotonic() - started < SHORT_SECONDS:
                self._closed.wait(seconds * random.uniform(0.5, 1))  # noqa: S311 - spreads requests, guards nothing

    def _report(self, error: ClusterError) -> None:
        """Log *error*. A kind that does not exist has no objects, and one that may not be listed has none to see."""
        log.info("Watching again", what=self.selection.resource.qualified, reason=str(error))
        if error.is_not_found:
            self.cache.replace(())
        if error.status in (403, 404):
            self._synced.set()

    def _list(self) -> None:
        chosen = self.selection
        collection = self._client.list(
            chosen.resource,
            chosen.namespace,
            label_selector=chosen.label_selector,
            field_selector=chosen.field_selector,
            metadata_only=chosen.metadata_only,
        )
        self.lists += 1
        self.cache.replace(self._kept(obj) for obj in collection.items)
        self._version = collection.version
        self._synced.set()

    def _follow(self) -> None:
        """Apply changes after the version that was seen last, until the watch ends."""
        chosen = self.selection
        self._watch = watch = self._client.watch(
            chosen.resource,
            self._version,
            chosen.namespace,
            label_selector=chosen.label_selector,
            field_selector=chosen.field_selector,
            metadata_only=chosen.metadata_only,
        )
        if self._closed.is_set():
            watch.close()
        self._is_current = True
        for change in watch:
            if change.type == "DELETED":
                self.cache.remove(self._kept(change.object))
            elif change.type != "BOOKMARK":
                self.cache.set(self._kept(change.object))
            self._version = change.object["metadata"]["resourceVersion"]

    def _kept(self, obj: Object) -> Object:
        """Return the part of *obj* to keep."""
        resource = self.selection.resource
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        if self.selection.metadata_only:
            return slim(obj)
        obj["metadata"].pop("managedFields", None)
        return obj
