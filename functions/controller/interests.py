"""The objects that each parent's last pass looked at, so that their changes lead to another pass. No I/O."""

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from cluster.resources import Key, Object, Resource

_SPEC = ("uid", "generation", "labels", "deletionTimestamp")


class Interest(NamedTuple):
    """An object, or a whole collection of a namespace."""

    resource: Resource
    namespace: str
    name: str = ""
    """Empty for all objects of the namespace. Of those, only changes of labels and spec matter."""


class Interests:
    """Interests by parent, for any number of threads."""

    def __init__(self) -> None:
        self._of_parent: dict[Key, frozenset[Interest]] = {}
        self._parents: defaultdict[Interest, set[Key]] = defaultdict(set)
        self._lock = threading.Lock()

    def add(self, parent: Key, interest: Interest) -> None:
        """Add an interest. Call this before the object is read, so that no change is missed."""
        with self._lock:
            self._of_parent[parent] = self._of_parent.get(parent, frozenset()) | {interest}
            self._parents[interest].add(parent)

    def replace(self, parent: Key, interests: Iterable[Interest]) -> None:
        """Keep only *interests* of *parent*. None at all for a parent that is gone."""
        kept = frozenset(interests)
        with self._lock:
            for interest in self._of_parent.pop(parent, frozenset()) - kept:
                self._parents[interest].discard(parent)
                if not self._parents[interest]:
                    del self._parents[interest]
            if kept:
                self._of_parent[parent] = kept

    def parents_of(self, resource: Resource, before: Object | None, after: Object | None) -> set[Key]:
        """Return the parents to which the change of an object of *resource* matters."""
        metadata = (after or before or {})["metadata"]
        namespace = metadata.get("namespace", "")
        with self._lock:
            parents = set(self._parents.get(Interest(resource, namespace, metadata["name"]), ()))
            if changes_spec(before, after):
                parents |= self._parents.get(Interest(resource, namespace), set())
        return parents


def changes_spec(before: Object | None, after: Object | None) -> bool:
    """Return whether more than status and annotations differ between two versions of an object."""
    if before is None or after is None:
        return True
    if "generation" not in after["metadata"]:  # a kind without generations: any change may be one of its spec
        return True
    return any(before["metadata"].get(name) != after["metadata"].get(name) for name in _SPEC)
