"""The collections that are followed, and what is known of them without a request."""

import threading
from collections.abc import Callable, Sequence

from cluster.cache import Cache
from cluster.client import ClusterClient
from cluster.reflector import Reflector, Selection
from cluster.resources import Key, Object, Resource

Notify = Callable[[Resource, Object | None, Object | None], None]
"""Called with the collection, and an object before and after its change."""


class Watches:
    """Reflectors by collection."""

    def __init__(self, client: ClusterClient, namespaces: Sequence[str], notify: Notify) -> None:
        """Follow objects in *namespaces*, or in all if there are none. *notify* is called in a reflector's thread."""
        self._client = client
        self._namespaces = tuple(namespaces) or ("",)
        self._notify = notify
        self._full: dict[Resource, list[Reflector]] = {}
        self._metadata: dict[Resource, list[Reflector]] = {}
        self._lock = threading.Lock()

    def follow(
        self, resource: Resource, label_selector: str = "", field_selector: str = "", namespace: str | None = None
    ) -> None:
        """Follow whole objects, in *namespace* or where the settings say. Returns at once."""
        namespaces = self._namespaces if namespace is None else (namespace,)
        reflectors = [self._reflector(Selection(resource, name, label_selector, field_selector)) for name in namespaces]
        with self._lock:
            self._full.setdefault(resource, []).extend(reflectors)
        for reflector in reflectors:
            reflector.start()

    def follow_metadata(self, resource: Resource) -> None:
        """Follow the metadata of all objects of a kind, unless that happens already. Returns at once."""
        namespaces = self._namespaces if resource.namespaced else ("",)
        with self._lock:
            if resource in self._metadata:
                return
            added = [Selection(resource, name, metadata_only=True) for name in namespaces]
            self._metadata[resource] = reflectors = [self._reflector(selection) for selection in added]
        for reflector in reflectors:
            reflector.start()

    def follows(self, resource: Resource) -> bool:
        """Return whether whole objects of *resource* are followed."""
        return resource in self._full

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object of a collection that is followed whole, or None."""
        objects = (reflector.cache.get(namespace, name) for reflector in self._full.get(resource, ()))
        return next((obj for obj in objects if obj is not None), None)

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return all objects of a collection that is followed whole. They are shared, so do not change them."""
        return [obj for reflector in self._full.get(resource, ()) for obj in reflector.cache.all(namespace)]

    def keys(self, resource: Resource) -> list[Key]:
        """Return the keys of all objects of a collection that is followed whole."""
        return [Key(resource, *key) for reflector in self._full.get(resource, ()) for key in reflector.cache.names()]

    def version(self, resource: Resource, namespace: str, name: str) -> str | None:
        """Return the version of an object, or "" if it does not exist. None: nobody knows at the moment."""
        for reflector in self._metadata.get(resource, ()):
            if reflector.selection.namespace in ("", namespace) or not resource.namespaced:
                if not (reflector.is_synced and reflector.is_current):
                    return None
                obj = reflector.cache.get(namespace, name)
                return str(obj["metadata"]["resourceVersion"]) if obj else ""
        return None

    def wait_synced(self, seconds: float) -> bool:
        """Wait until every collection that is followed whole was listed. Return False after *seconds*."""
        reflectors = [reflector for reflectors in self._full.values() for reflector in reflectors]
        return all(reflector.wait_synced(seconds) for reflector in reflectors)

    def close(self) -> None:
        """End all watches."""
        for reflectors in (*self._full.values(), *self._metadata.values()):
            for reflector in reflectors:
                reflector.close()

    def _reflector(self, selection: Selection) -> Reflector:
        def notify(before: Object | None, after: Object | None) -> None:
            self._notify(selection.resource, before, after)

        return Reflector(self._client, selection, Cache(notify))
