"""The reflector: keeps a cache equal to a collection of the API server.

It lists once and then watches. Whatever ends the watch, it goes on from the version that it saw last: a restart of the
API server, a connection that died silently, or the end of the watch's time. If the server no longer knows that version
(410), it lists again, and the cache reports what differs.
"""

import dataclasses
import random
import threading

import structlog

from cluster.cache import Cache, slim
from cluster.client import ClusterClient, Watch
from cluster.errors import ClusterError
from cluster.resources import Object, Resource

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 15.0
DENIED_PAUSE_SECONDS = 60.0
"""The pause after 403 and 404: a person must grant a right or install a kind."""

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


class Reflector:
    """Follows one selection, in a thread of its own."""

    def __init__(self, client: ClusterClient, selection: Selection, cache: Cache) -> None:
        self.selection = selection
        self.cache = cache
        self.lists = 0
        """Lists so far: one, and one for each time that the server did not know the version anymore."""
        self._client = client
        self._synced = threading.Event()
        self._closed = threading.Event()
        self._watch: Watch | None = None
        self._is_current = False
        self._thread = threading.Thread(target=self._run, name=f"watch {selection.resource.plural}", daemon=True)

    @property
    def is_synced(self) -> bool:
        """The collection was listed at least once."""
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
        version, pause = "", FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                if not version:
                    version = self._list()
                version = self._follow(version)
                pause = FIRST_PAUSE_SECONDS
            except ClusterError as error:
                self._is_current = False
                if self._closed.is_set():
                    return
                if error.is_expired:
                    version = ""
                log.info("Watching again", what=self.selection.resource.qualified, reason=str(error))
                pause = DENIED_PAUSE_SECONDS if error.status in (403, 404) else min(pause * 2, MAX_PAUSE_SECONDS)
                self._closed.wait(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads requests, guards nothing
            else:
                self._is_current = False

    def _list(self) -> str:
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
        self._synced.set()
        return collection.version

    def _follow(self, version: str) -> str:
        """Apply changes after *version* until the watch ends. Return the last version seen."""
        chosen = self.selection
        self._watch = watch = self._client.watch(
            chosen.resource,
            version,
            chosen.namespace,
            label_selector=chosen.label_selector,
            field_selector=chosen.field_selector,
            metadata_only=chosen.metadata_only,
        )
        if self._closed.is_set():
            watch.close()
        self._is_current = True
        for change in watch:
            version = change.object["metadata"]["resourceVersion"]
            if change.type == "DELETED":
                self.cache.remove(self._kept(change.object))
            elif change.type != "BOOKMARK":
                self.cache.set(self._kept(change.object))
        return version

    def _kept(self, obj: Object) -> Object:
        """Return the part of *obj* to keep."""
        resource = self.selection.resource
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        if self.selection.metadata_only:
            return slim(obj)
        obj["metadata"].pop("managedFields", None)
        return obj
