"""VSphereBinding: what it injects into a pod template, and which binding a subject gets. Pure.

A subject is any object with a pod template at `spec.template`. The webhook, the controller and `local/` all use the
same two functions, `bind` and `unbind`, so that none of them undoes what another did.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pipeline.errors import PermanentError

Object = Mapping[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

VOLUME = "vsphere-binding"
MOUNT_PATH = "/var/bindings/vsphere"
VARIABLES = frozenset({"VC_URL", "VC_INSECURE", "VC_USERNAME", "VC_PASSWORD"})

EXCLUDE_LABEL = "bindings.knative.dev/exclude"
INCLUDE_LABEL = "bindings.knative.dev/include"

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
"""The operators of a label selector's expressions."""

_DEFAULT_MODE = 0o644
"""Mode of the files in a Secret's volume. The API server adds it to templates that it knows, and Knative does not."""


class InvalidSubject(PermanentError):
    """A binding's subject cannot be used: the API server should have rejected it."""


def bind(template: Object, spec: Object) -> dict[str, Any]:
    """Return the pod template *template* with the credentials of *spec*, a VSphereBinding's or a VSphereSource's.

    Every container and init container gets four variables after its own, and a mount of the Secret. An earlier binding
    is replaced. Binding twice equals binding once.
    """
    secret = str(spec["secretRef"]["name"])
    bound = unbind(template)
    pod = bound["spec"]
    for containers in _container_lists(pod):
        pod[containers] = [_bind_container(container, spec, secret) for container in pod[containers]]
    pod["volumes"] = [*(pod.get("volumes") or []), _volume(template, secret)]
    return bound


def unbind(template: Object) -> dict[str, Any]:
    """Return the pod template *template* without any binding.

    The volume, its mounts and the four variables are removed, whoever set them. A list that becomes empty is removed.
    The rest keeps its order.
    """
    pod = _without(template.get("spec") or {}, "volumes", {VOLUME})
    for containers in _container_lists(pod):
        pod[containers] = [
            _without(_without(container, "volumeMounts", {VOLUME}), "env", VARIABLES) for container in pod[containers]
        ]
    return {**template, "spec": pod}


def is_bound(template: Object, spec: Object) -> bool:
    """Return whether the pod template *template* already has the credentials of *spec*, and no other."""
    return bind(template, spec) == template


def _container_lists(pod: Object) -> list[str]:
    """Return the names of the lists that hold containers. Ephemeral containers are never bound."""
    return [name for name in ("initContainers", "containers") if pod.get(name)]


def _bind_container(container: Object, spec: Object, secret: str) -> dict[str, Any]:
    insecure = "true" if spec.get("skipTLSVerify") else "false"
    env = [
        {"name": "VC_URL", "value": spec["address"]},
        {"name": "VC_INSECURE", "value": insecure},
        {"name": "VC_USERNAME", "valueFrom": {"secretKeyRef": {"name": secret, "key": "username"}}},
        {"name": "VC_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}},
    ]
    mount = {"name": VOLUME, "readOnly": True, "mountPath": MOUNT_PATH}
    return {
        **container,
        "env": [*(container.get("env") or []), *env],
        "volumeMounts": [*(container.get("volumeMounts") or []), mount],
    }


def _volume(template: Object, secret: str) -> Object:
    """Return the volume of *secret*: the one that *template* has if only a default of the API server differs."""
    volume = {"name": VOLUME, "secret": {"secretName": secret}}
    defaulted = {"name": VOLUME, "secret": {"secretName": secret, "defaultMode": _DEFAULT_MODE}}
    return defaulted if defaulted in ((template.get("spec") or {}).get("volumes") or []) else volume


def _without(holder: Object, key: str, names: Iterable[str]) -> dict[str, Any]:
    """Return *holder* without the entries of the list *key* that have one of *names*, and without a list so emptied."""
    entries = holder.get(key) or []
    kept = [entry for entry in entries if entry.get("name") not in names]
    if len(kept) == len(entries):
        return dict(holder)
    return {name: value for name, value in holder.items() if name != key} | ({key: kept} if kept else {})


@dataclasses.dataclass(frozen=True)
class Subject:
    """The objects that a binding binds: one by its name, or all of a kind that a selector selects."""

    api_version: str
    kind: str
    namespace: str
    name: str
    """Empty if the subject has a selector."""
    selector: Object
    """A label selector. Used only without a name. An empty one selects everything."""

    @property
    def group(self) -> str:
        """The API group, for example `apps`. Empty for the core group. Any version of it matches."""
        return group_of(self.api_version)

    def selects(self, subject: Object) -> bool:
        """Return whether the object *subject* is one of these."""
        metadata = subject.get("metadata") or {}
        if (group_of(subject["apiVersion"]), subject["kind"]) != (self.group, self.kind):
            return False
        if metadata.get("namespace") != self.namespace:
            return False
        if self.name:
            return bool(metadata.get("name") == self.name)
        return matches(self.selector, metadata.get("labels") or {})


@dataclasses.dataclass(frozen=True)
class Binding:
    """A VSphereBinding, as far as it decides what is bound to what."""

    namespace: str
    name: str
    created: str
    """The creation time as Kubernetes writes it, so that text sorts by time."""
    is_deleted: bool
    owner: str
    """The uid of the object that controls the binding, a VSphereSource. Empty if a person made the binding."""
    subject: Subject
    spec: Object

    @classmethod
    def read(cls, binding: Object) -> Self:
        """Return the VSphereBinding in the object *binding*.

        Raises `InvalidSubject` if its subject is incomplete or in another namespace.
        """
        metadata, spec = binding["metadata"], binding.get("spec") or {}
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            created=metadata.get("creationTimestamp") or "",
            is_deleted=bool(metadata.get("deletionTimestamp")),
            owner=controller_of(binding).get("uid", ""),
            subject=_read_subject(spec.get("subject") or {}, metadata["namespace"]),
            spec=spec,
        )

    def outranks(self, other: "Binding", subject: Object) -> bool:
        """Return whether *subject* gets this binding if both select it.

        The Deployment of a VSphereSource gets the binding of its source. Everything else gets the older one.
        """
        return self._rank(subject) < other._rank(subject)

    def _rank(self, subject: Object) -> tuple[bool, str, str]:
        owner = controller_of(subject).get("uid")
        return not (self.owner and self.owner == owner), self.created, self.name


def _read_subject(subject: Object, namespace: str) -> Subject:
    for field in ("apiVersion", "kind"):
        if not subject.get(field):
            raise InvalidSubject(f"missing field(s): spec.subject.{field}")
    if subject.get("namespace") not in (None, "", namespace):
        raise InvalidSubject("invalid value: different-namespace: spec.subject.namespace")
    name, selector = subject.get("name"), subject.get("selector")
    if bool(name) == (selector is not None):
        got = "both" if name else "neither"
        raise InvalidSubject(f"expected exactly one, got {got}: spec.subject.name, spec.subject.selector")
    for expression in (selector or {}).get("matchExpressions") or []:
        if expression.get("operator") not in OPERATORS or not expression.get("key"):
            raise InvalidSubject(f"invalid value: {json.dumps(expression)}: spec.subject.selector")
    return Subject(subject["apiVersion"], subject["kind"], namespace, name or "", selector or {})


def select(bindings: Iterable[Binding], subject: Object) -> Binding | None:
    """Return the binding that *subject* gets. None if no binding that stays selects it."""
    winner: Binding | None = None
    for binding in bindings:
        if binding.is_deleted or not binding.subject.selects(subject) or _belongs_to_source(subject, binding):
            continue
        if winner is None or binding.outranks(winner, subject):
            winner = binding
    return winner


def _belongs_to_source(subject: Object, binding: Binding) -> bool:
    """Return whether *subject* is the Deployment of a VSphereSource and a selector selects it by chance."""
    return not binding.subject.name and controller_of(subject).get("kind") == "VSphereSource"


def is_eligible(labels: Object, namespace_labels: Object, *, inclusion: bool) -> bool:
    """Return whether an object with *labels* in a namespace with *namespace_labels* may be bound.

    It may unless one of them has the label `bindings.knative.dev/exclude: "true"`. With *inclusion*, both must have the
    label `bindings.knative.dev/include: "true"` instead.
    """
    if inclusion:
        return labels.get(INCLUDE_LABEL) == "true" and namespace_labels.get(INCLUDE_LABEL) == "true"
    return "true" not in (labels.get(EXCLUDE_LABEL), namespace_labels.get(EXCLUDE_LABEL))


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Return whether the label selector *selector*, which is valid, selects *labels*."""
    required: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in required.items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions") or [])


def _meets(expression: Object, labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    values: Sequence[str] = expression.get("values") or []
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) is (operator == "Exists")


def group_of(api_version: str) -> str:
    """Return the group of *api_version*: `apps` of `apps/v1`, nothing of `v1`."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def controller_of(child: Object) -> Object:
    """Return the ownerReference of the object that controls *child*. Empty if none does."""
    owners: Iterable[Object] = (child.get("metadata") or {}).get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})
