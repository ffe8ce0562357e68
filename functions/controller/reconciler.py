"""A reconciler: from an object and what was observed around it to what should be. Pure.

A kind has one reconciler. `observe` reads, `sync` decides, and neither writes. `passes` makes what `sync` returns so,
and then asks `conclude` what the failures mean for the object's conditions.
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cluster.errors import ClusterError
from cluster.resources import Key, Object, Resource
from sources.conditions import Condition, ConditionSet


class Policy(enum.Enum):
    """A way to keep a child."""

    CREATE = "create if absent, and leave alone whatever exists"
    UPDATE = "create, and replace the spec if a part that we want differs"
    RECREATE = "create, and delete and create again if a part that we want differs: most of it cannot change"


@dataclasses.dataclass(frozen=True)
class Child:
    """An object that must exist, owned by the parent."""

    resource: Resource
    object: Object
    """The part that we want: metadata with name and labels, and all else but apiVersion, kind, namespace and owner."""
    policy: Policy = Policy.UPDATE


@dataclasses.dataclass(frozen=True)
class SubjectPatch:
    """A change of an object that somebody else owns. Applied only to the version that was read."""

    key: Key
    version: str
    """The `resourceVersion` that was read. If the object changed since, the pass is repeated."""
    operations: Sequence[Mapping[str, Any]]
    """A JSON patch."""
    may_fail: bool = False
    """It does not matter if the object is gone, or if it may not be patched."""


@dataclasses.dataclass(frozen=True)
class Report:
    """A Kubernetes Event on the parent."""

    reason: str
    message: str
    type: str = "Warning"
    """`Warning` or `Normal`."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A decision: what should be."""

    conditions: Mapping[str, Condition]
    """Dependent conditions, or `Ready` for a kind without dependents. What is left out stays."""
    status: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further fields of the status. None removes one."""
    children: Sequence[Child] = ()
    """In this order. The first failure leaves out the rest."""
    patches: Sequence[SubjectPatch] = ()
    """In this order, after the children. A failure does not leave out the rest."""
    deletions: Sequence[Key] = ()
    """Objects that must not exist, after the patches."""
    finalizers: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    """Finalizer → whether the parent should have it. Added before all else, removed after all else succeeded."""
    reports: Sequence[Report] = ()
    look_again_seconds: float | None = None
    """The time until the next pass if nothing changes before. None: at the next resync."""
    complete: bool = True
    """False leaves `observedGeneration` as it is."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A step that did not succeed."""

    step: Child | SubjectPatch | Key
    error: ClusterError


class Observer(Protocol):
    """Reads for one pass. Whatever is read leads to another pass of the parent when it changes.

    Every method raises `ClusterError` if the API server cannot be read.
    """

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object, or None. Needs the right to get, list and watch its kind.

        An object is fetched only if it changed since the last time.
        """

    def select(self, resource: Resource, namespace: str, label_selector: str = "") -> list[Object]:
        """Return the objects of *namespace* that *label_selector* (`a=b,c in (d)`) selects. Their changes are noticed.

        Needs the right to list and watch the kind.
        """

    def list_unwatched(
        self, resource: Resource, namespace: str, label_selector: str = "", field_selector: str = ""
    ) -> list[Object]:
        """Return the objects that both selectors select. Their changes are not noticed."""

    def cached(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object of one of the three kinds or a watched child, as last seen, without a request."""

    def all_cached(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return all objects of a kind that is watched, in *namespace* or in all, without a request.

        They are shared, so do not change them.
        """

    def resource_of(self, api_version: str, kind: str) -> Resource:
        """Return the collection of a kind. Raises `ClusterError` (`is_not_found`) if the cluster has no such kind."""


@dataclasses.dataclass(frozen=True)
class Children:
    """Children that are watched. A change of one leads to a pass of the parent that controls it."""

    resource: Resource
    label_selector: str = ""


class Reconciler(Protocol):
    """A kind's reconciler. Called from several threads, but for one object at a time."""

    @property
    def resource(self) -> Resource:
        """The kind."""

    @property
    def condition_set(self) -> ConditionSet:
        """The kind's conditions."""

    @property
    def children(self) -> Sequence[Children]:
        """The children whose changes matter."""

    def observe(self, parent: Object, observer: Observer) -> Any:
        """Return what `sync` needs to know. Reads, and writes nothing. Raises `ClusterError`."""

    def sync(self, parent: Object, observed: Any) -> Outcome:
        """Return what should be. Pure. Called for objects under deletion, too, while they have finalizers."""

    def conclude(self, parent: Object, outcome: Outcome, failures: Sequence[Failure]) -> Outcome:
        """Return *outcome* with conditions that report *failures*. Pure. Called only if there are some."""
