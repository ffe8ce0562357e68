"""The objects of a collection, as last seen. No I/O.

Objects are kept as compact JSON: a Python dictionary takes several times the memory, and a reader gets a copy of its
own, which it may change.
"""

import json
import threading
from collections.abc import Callable, Iterable

from cluster.resources import Object

Changed = Callable[[Object | None, Object | None], None]
"""Called with an object before and after a change. None: it does not exist."""

_SLIM_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "labels",
    "deletionTimestamp",
    "ownerReferences",
)


class Cache:
    """Objects by namespace and name, for any number of threads."""

    def __init__(self, on_change: Changed) -> None:
        """Call *on_change* in the thread that changes the cache, outside of its lock."""
        self._on_change = on_change
        self._objects: dict[tuple[str, str], bytes] = {}
        self._shared: dict[tuple[str, str], Object] = {}
        self._lock = threading.Lock()

    def get(self, namespace: str, name: str) -> Object | None:
        """Return a copy of an object, or None."""
        return _decode(self._objects.get((namespace, name)))

    def all(self, namespace: str = "") -> list[Object]:
        """Return all objects of *namespace*, or of all namespaces, sorted by namespace and name.

        Every reader gets the same objects, so do not change them: a pass may look at hundreds.
        """
        with self._lock:
            chosen = sorted(key for key in self._objects if not namespace or key[0] == namespace)
            for key in chosen:
                if key not in self._shared:
                    self._shared[key] = json.loads(self._objects[key])
            return [self._shared[key] for key in chosen]

    def names(self) -> list[tuple[str, str]]:
        """Return namespace and name of all objects."""
        with self._lock:
            return list(self._objects)

    def replace(self, objects: Iterable[Object]) -> None:
        """Replace everything by *objects*, the result of a list."""
        new = {_key(obj): obj for obj in objects}
        with self._lock:
            deleted = [key for key in self._objects if key not in new]
        for key in deleted:
            self._put(key, None)
        for key, obj in new.items():
            self._put(key, obj, is_newest=True)

    def set(self, obj: Object) -> None:
        """Add or change an object. An older version than the one that is here is ignored."""
        self._put(_key(obj), obj)

    def remove(self, obj: Object) -> None:
        """Remove an object, unless one of the same name was created since."""
        current = self.get(*_key(obj))
        if current is not None and _version(current) <= _version(obj):
            self._put(_key(obj), None)

    def __len__(self) -> int:
        return len(self._objects)

    def _put(self, key: tuple[str, str], obj: Object | None, *, is_newest: bool = False) -> None:
        """Keep *obj*. *is_newest* also if its number is lower: a cluster may be restored from a backup."""
        with self._lock:
            before = _decode(self._objects.get(key))
            if obj is None:
                self._objects.pop(key, None)
            elif before is None or _replaces(obj, before, is_newest):
                self._objects[key] = json.dumps(obj, separators=(",", ":")).encode()
            else:
                return
            self._shared.pop(key, None)
        self._on_change(before, obj)


def slim(obj: Object) -> Object:
    """Return the part of *obj*'s metadata that reports a change, and the labels. Annotations can be large."""
    metadata = {name: obj["metadata"][name] for name in _SLIM_METADATA if name in obj["metadata"]}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _version(obj: Object) -> int:
    """Return the version as a number. Versions are numbers that grow (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


def _replaces(obj: Object, before: Object, is_newest: bool) -> bool:
    if obj["metadata"]["uid"] != before["metadata"]["uid"]:
        return True
    return _version(obj) != _version(before) if is_newest else _version(obj) > _version(before)


def _decode(document: bytes | None) -> Object | None:
    if document is None:
        return None
    obj: Object = json.loads(document)
    return obj
