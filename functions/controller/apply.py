"""Makes an outcome so: creates and corrects children, patches subjects, deletes, writes the status."""

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from cluster.client import JSON_PATCH, ClusterClient
from cluster.errors import ClusterError
from cluster.resources import Key, Object, Resource, controller_of, owner_reference
from functions.controller.desired import DIGEST, adjusted, digest, is_satisfied
from functions.controller.reconciler import Child, Failure, Outcome, Policy, Reconciler, SubjectPatch
from functions.controller.watches import Watches

UNWATCHED_SECONDS = 600.0
"""The time for which a child whose changes are not noticed is not looked at again."""
STATUS_ATTEMPTS = 4


class Kept:
    """Children that were found as they should be: when, and in which version of their spec."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[tuple[str, Resource, str], tuple[str, object, float]] = {}
        self._lock = threading.Lock()

    def put(self, parent_uid: str, child: Child, stored: Object) -> None:
        """Note that *stored* is what *child* asks for, whatever form the API server gave it."""
        state = (digest(child.object), stored["metadata"].get("generation"), self._now())
        with self._lock:
            self._kept[_place(parent_uid, child)] = state

    def is_known(self, parent_uid: str, child: Child) -> bool:
        """Return whether *child* was as it should be a short time ago."""
        known, _, at = self._kept.get(_place(parent_uid, child), ("", None, 0.0))
        return known == digest(child.object) and self._now() - at < UNWATCHED_SECONDS

    def is_kept(self, parent_uid: str, child: Child, current: Object) -> bool:
        """Return whether *current* is what was stored for *child*, and nobody changed its spec since."""
        generation = current["metadata"].get("generation")
        known, kept_generation, _ = self._kept.get(_place(parent_uid, child), ("", None, 0.0))
        return generation is not None and (known, kept_generation) == (digest(child.object), generation)

    def forget(self, parent_uid: str | None = None) -> None:
        """Look at the children of one parent again, or of all."""
        with self._lock:
            self._kept = {
                place: state for place, state in self._kept.items() if parent_uid is not None and place[0] != parent_uid
            }


class Applier:
    """Writes to the API server. For any number of threads."""

    def __init__(self, client: ClusterClient, watches: Watches, may_write: Callable[[], bool]) -> None:
        """*may_write* returns whether this replica leads."""
        self.kept = Kept()
        self._client = client
        self._watches = watches
        self._may_write = may_write

    def apply(self, reconciler: Reconciler, parent: Object, outcome: Outcome) -> list[Failure]:
        """Make *outcome* so but for its status. Return what failed."""
        failures: list[Failure] = []
        is_deleted = "deletionTimestamp" in parent["metadata"]
        if not is_deleted:
            self._finalize(reconciler.resource, parent, outcome.finalizers, present=True)
            self._keep_children(reconciler.resource, parent, outcome, failures)
        for patch in outcome.patches:
            self._attempt(patch, functools.partial(self._patch, patch), failures)
        for key in outcome.deletions:
            self._attempt(key, functools.partial(self._delete, key), failures)
        if not failures:
            self._finalize(reconciler.resource, parent, outcome.finalizers, present=False)
        return failures

    def write_status(
        self, resource: Resource, parent: Object, status_of: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> None:
        """Write the status that *status_of* returns for the present one, unless it is equal. Raises `ClusterError`."""
        current: Object | None = parent
        for attempt in range(STATUS_ATTEMPTS):
            if current is None or current["metadata"]["uid"] != parent["metadata"]["uid"]:
                return
            status = status_of(current.get("status") or {})
            if status == (current.get("status") or {}):
                return
            self._check_leading()
            try:
                self._client.replace(resource, {**current, "status": status}, "status")
                return
            except ClusterError as error:
                if error.is_not_found:
                    return
                if not error.is_conflict or attempt == STATUS_ATTEMPTS - 1:
                    raise
            current = self._client.find(*_key(resource, parent))

    def _keep_children(self, resource: Resource, parent: Object, outcome: Outcome, failures: list[Failure]) -> None:
        looks = outcome.look_again_seconds is not None  # an adapter that does not work may lack a child
        for child in outcome.children:
            self._attempt(child, functools.partial(self._keep, resource, parent, child, looks=looks), failures)
            if failures:
                return

    def _attempt(self, step: Child | SubjectPatch | Key, act: Callable[[], None], failures: list[Failure]) -> None:
        try:
            act()
        except ClusterError as error:
            if not (isinstance(step, SubjectPatch) and step.may_fail and error.status in (403, 404)):
                failures.append(Failure(step, error))

    def _keep(self, resource: Resource, parent: Object, child: Child, *, looks: bool) -> None:
        """Have *child* as it should be. *looks* also at one that was so a short time ago, if it is not watched."""
        uid = parent["metadata"]["uid"]
        place = (child.resource, parent["metadata"]["namespace"], child.object["metadata"]["name"])
        if self._watches.follows(child.resource):
            current = self._watches.get(*place)
        elif self.kept.is_known(uid, child) and not looks:
            return
        else:
            current = self._client.find(*place)
        desired = complete(resource, parent, child)
        if current is None:
            self._check_leading()
            try:
                self.kept.put(uid, child, self._client.create(child.resource, desired))
                return
            except ClusterError as error:
                if not error.already_exists:
                    raise
            current = self._client.get(*place)
        if child.policy is not Policy.CREATE:
            _check_owner(resource, parent, child, current)
            if not self.kept.is_kept(uid, child, current) and not is_satisfied(desired, current):
                current = self._correct(child, current, desired)
        self.kept.put(uid, child, current)

    def _correct(self, child: Child, current: Object, desired: Object) -> Object:
        """Replace *current* by what is *desired*. Return it as stored."""
        self._check_leading()
        try:
            return self._client.replace(child.resource, adjusted(current, desired))
        except ClusterError as error:
            if child.policy is not Policy.RECREATE or not error.is_invalid:
                raise
        namespace, name = desired["metadata"]["namespace"], desired["metadata"]["name"]
        self._client.delete(child.resource, namespace, name, current["metadata"]["uid"])
        return self._client.create(child.resource, desired)

    def _patch(self, patch: SubjectPatch) -> None:
        self._check_leading()
        version = {"op": "replace", "path": "/metadata/resourceVersion", "value": patch.version}
        operations = [version, *(dict(operation) for operation in patch.operations)]
        self._client.patch(*patch.key, operations, content_type=JSON_PATCH)

    def _delete(self, key: Key) -> None:
        self._check_leading()
        self._client.delete(*key)

    def _finalize(self, resource: Resource, parent: Object, finalizers: Mapping[str, bool], *, present: bool) -> None:
        """Add (*present*) or remove finalizers. Raises `ClusterError`."""
        metadata = parent["metadata"]
        before = metadata.get("finalizers") or []
        chosen = [name for name, kept in finalizers.items() if kept is present and (name in before) is not present]
        if not chosen:
            return
        after = [*before, *chosen] if present else [name for name in before if name not in chosen]
        self._check_leading()
        change = {"metadata": {"finalizers": after, "resourceVersion": metadata["resourceVersion"]}}
        try:
            stored = self._client.patch(*_key(resource, parent), change)
        except ClusterError as error:
            if present or not error.is_not_found:
                raise
        else:
            metadata["resourceVersion"] = stored["metadata"]["resourceVersion"]

    def _check_leading(self) -> None:
        if not self._may_write():
            raise ClusterError(0, "NotLeading", "another controller holds the lease, or may by now")


def complete(resource: Resource, parent: Object, child: Child) -> Object:
    """Return the whole object of *child*: with its kind, place and owner, and the digest of what it asks for."""
    metadata = child.object["metadata"]
    desired = {
        **child.object,
        "apiVersion": child.resource.api_version,
        "kind": child.resource.kind,
        "metadata": {
            **metadata,
            "namespace": parent["metadata"]["namespace"],
            "ownerReferences": [owner_reference(resource, parent)],
        },
    }
    if child.policy is Policy.UPDATE:
        annotations = {**metadata.get("annotations", {}), DIGEST: digest(child.object)}
        desired["metadata"] |= {"annotations": annotations}
    return desired


def _check_owner(resource: Resource, parent: Object, child: Child, current: Object) -> None:
    """Raise `ClusterError` if *current* belongs to somebody else, or is being deleted."""
    name = current["metadata"]["name"]
    kind = child.resource.kind.lower()
    owner = controller_of(current)
    if owner is None or owner["uid"] != parent["metadata"]["uid"]:
        message = f'{kind} "{name}" is not owned by {resource.kind} "{parent["metadata"]["name"]}"'
        raise ClusterError(409, "NotOwned", message)
    if "deletionTimestamp" in current["metadata"]:
        raise ClusterError(409, "Conflict", f'{kind} "{name}" is being deleted')


def _place(parent_uid: str, child: Child) -> tuple[str, Resource, str]:
    return parent_uid, child.resource, child.object["metadata"]["name"]


def _key(resource: Resource, parent: Object) -> Key:
    return Key(resource, parent["metadata"].get("namespace", ""), parent["metadata"]["name"])
