"""The part of an object that we want, compared with the object that is there. Pure.

The API server adds defaults, and people add labels, annotations and more. So an object is right if it contains what we
want, and if nothing that we wanted earlier is left in it. An annotation holds the digest of what we wanted last.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.resources import Object

DIGEST = "vcenter-events.dev/desired"
"""The annotation with the digest."""

_OURS = ("apiVersion", "kind", "metadata", "status")


def digest(obj: Mapping[str, Any]) -> str:
    """Return a short digest of *obj*."""
    return hashlib.sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest()[:16]


def is_satisfied(desired: Object, current: Object) -> bool:
    """Return whether *current* contains all of *desired*, digest included."""
    return contains(current, desired)


def contains(current: Any, desired: Any) -> bool:
    """Return whether *current* has whatever *desired* has. Lists of named items are compared by name, in any order."""
    if isinstance(desired, Mapping):
        return isinstance(current, Mapping) and all(
            contains(current[key], value) if key in current else not value for key, value in desired.items()
        )
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        return _list_contains(current or [], desired)
    return bool(current == desired) or (not current and not desired)


def _list_contains(current: Sequence[Any], desired: Sequence[Any]) -> bool:
    ours, theirs = _by_name(desired), _by_name(current)
    if ours and theirs is not None:
        return all(name in theirs and contains(theirs[name], item) for name, item in ours.items())
    return len(current) == len(desired) and all(map(contains, current, desired))


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    """Return *items* by their names, or None if not every one has a name of its own."""
    named = {item["name"]: item for item in items if isinstance(item, Mapping) and isinstance(item.get("name"), str)}
    return named if len(named) == len(items) else None


def adjusted(current: Object, desired: Object) -> Object:
    """Return *current* with all of *desired*: its spec, or data, rules and the like, is replaced whole.

    Labels, annotations and finalizers of others stay.
    """
    metadata = dict(current["metadata"])
    for key in ("labels", "annotations"):
        if ours := desired["metadata"].get(key):
            metadata[key] = {**(metadata.get(key) or {}), **ours}
    metadata["ownerReferences"] = _owners(metadata.get("ownerReferences") or [], desired)
    return {**current, **{key: value for key, value in desired.items() if key not in _OURS}, "metadata": metadata}


def _owners(current: Sequence[Object], desired: Object) -> list[Object]:
    ours = desired["metadata"]["ownerReferences"]
    uids = {owner["uid"] for owner in ours}
    return [*(owner for owner in current if owner["uid"] not in uids), *ours]
