"""VSphereBinding: gives the subjects that exist the login of a vCenter, and takes it away again.

The webhook binds objects when they are created. This reconciler binds those that exist already, repairs what somebody
changed, and reports. A Job cannot be changed after its creation, so it never holds a binding up.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.errors import ClusterError
from cluster.resources import JOBS, NAMESPACES, Key, Object, Resource, controller_of, key_of
from functions.controller.reconciler import Children, Failure, Observer, Outcome, Report, SubjectPatch
from functions.controller.webhook import Webhook, WebhookState, read_all
from sources.admission import names_revision, pod_template
from sources.binding import (
    EXCLUDE_LABEL,
    INCLUDE_LABEL,
    Binding,
    InvalidSubject,
    bind,
    is_bound,
    is_eligible,
    select,
    unbind,
)
from sources.conditions import READY, Condition, ConditionSet, false, unknown
from sources.kinds import VSPHERE_BINDINGS

FINALIZER = "vspherebindings.sources.tanzu.vmware.com"

PENDING_SECONDS = 0.2
"""The time between looks while the API server has not noticed the webhook yet."""
PROBLEM_SECONDS = 5.0
"""The time between looks at a webhook that cannot be used."""
CONFLICT_SECONDS = 10.0
"""The time between looks at a conflict, which may end without a change of the subject."""
MAX_NAMES = 3
"""Names of objects in a message."""


@dataclasses.dataclass(frozen=True)
class Observed:
    """The surroundings of a binding."""

    bindings: Sequence[Binding] = ()
    """All bindings of its namespace that are valid, itself among them."""
    webhook: WebhookState = dataclasses.field(default_factory=WebhookState)
    namespace: Object = dataclasses.field(default_factory=dict)
    selected: Sequence[Object] = ()
    """The subjects that exist."""
    recorded: Sequence[Object] = ()
    """Objects that were bound, and are not selected anymore."""
    keys: Mapping[str, Key] = dataclasses.field(default_factory=dict)
    """The keys of all these objects by their uid."""
    problem: Condition | None = None
    """The reason why the subjects could not be looked up."""


@dataclasses.dataclass(frozen=True)
class VSphereBindingReconciler:
    """The kind VSphereBinding."""

    webhook: Webhook
    inclusion: bool = False
    """Objects need the label `bindings.knative.dev/include`."""
    resource: Resource = VSPHERE_BINDINGS
    condition_set: ConditionSet = dataclasses.field(default_factory=lambda: ConditionSet(()))
    children: Sequence[Children] = ()

    def observe(self, parent: Object, observer: Observer) -> Observed:
        """Return the subjects, the other bindings and the state of the webhook. Raises `ClusterError`.

        The webhook's configuration is written here, not by a patch of the outcome: see `Webhook.keep`.
        """
        namespace = parent["metadata"]["namespace"]
        selected, problem = _find_selected(parent, observer)
        uids = {subject["metadata"]["uid"] for _, subject in selected}
        recorded = [entry for entry in _find_recorded(parent, observer) if entry[1]["metadata"]["uid"] not in uids]
        if controller_of(parent) and all(is_of_source(parent, subject) for _, subject in selected + recorded):
            bindings, state = read_all([parent]), WebhookState(is_needless=True)
        else:
            bindings = read_all([*_others(parent, observer.all_cached(VSPHERE_BINDINGS, namespace)), parent])
            state = self.webhook.keep(observer, is_deletion="deletionTimestamp" in parent["metadata"])
        return Observed(
            bindings=bindings,
            webhook=state,
            namespace=_find_namespace(namespace, observer),
            selected=[subject for _, subject in selected],
            recorded=[subject for _, subject in recorded],
            keys={subject["metadata"]["uid"]: key_of(resource, subject) for resource, subject in selected + recorded},
            problem=problem,
        )

    def sync(self, parent: Object, observed: Observed) -> Outcome:
        """Return the patches of subjects, and whether the binding is ready."""
        plan = _Plan(parent, observed, self.inclusion)
        for subject in (*observed.selected, *observed.recorded):
            plan.add(subject)
        return plan.outcome()

    def conclude(self, parent: Object, outcome: Outcome, failures: Sequence[Failure]) -> Outcome:  # noqa: ARG002
        """Return *outcome* with the first failed patch of a subject as the reason why the binding is not ready."""
        failed = [
            (failure.step.key, failure.error)
            for failure in failures
            if isinstance(failure.step, SubjectPatch) and failure.step.key.namespace
        ]
        if not failed:
            return outcome
        bound = list(outcome.status.get("subjects") or ())
        kept = [reference for key, _ in failed if (reference := _reference(key)) not in bound]
        key, error = failed[0]
        condition = false("BindingFailed", f"failed binding subject {key.name}: {error.message}")
        return dataclasses.replace(
            outcome, conditions={READY: condition}, status={"subjects": bound + kept}, complete=False
        )


class _Plan:
    """The changes of one pass, subject by subject."""

    def __init__(self, parent: Object, observed: Observed, inclusion: bool) -> None:
        metadata = parent["metadata"]
        self._parent = parent
        self._observed = observed
        self._inclusion = inclusion
        self._is_deleted = "deletionTimestamp" in metadata
        self._self = next((one for one in observed.bindings if one.name == metadata["name"]), None)
        self._patches: list[SubjectPatch] = []
        self._subjects: list[Object] = []
        self._faults: list[Condition] = []
        self._notes: dict[str, list[str]] = {}
        self._reports: list[Report] = []

    def add(self, subject: Object) -> None:
        """Decide about one object that is a subject, or was one."""
        key = self._key(subject)
        is_selected = any(subject is one for one in self._observed.selected)
        if not pod_template(subject):
            self._faults.append(
                false("SubjectUnavailable", f"{key.resource.qualified} {_quoted(key.name)} has no pods")
            )
            return
        if is_of_source(self._parent, subject):
            return
        winner = select(self._observed.bindings, subject) if self._may_bind(subject) else None
        if winner is not None and winner == self._self:
            self._bind(subject, winner)
            return
        if key.resource != JOBS and (self._is_recorded(subject) or self._is_deleted):
            self._release(subject, winner)
        if is_selected and not self._is_deleted:
            self._explain(subject, winner)

    def outcome(self) -> Outcome:
        """Return what was decided."""
        patches = [*self._namespace_patch(), *self._patches]
        condition, seconds = self._condition()
        reports = list(self._reports)
        if condition.status == "False" and not self._is_deleted:
            reports.append(Report(condition.reason, condition.message))
        return Outcome(
            conditions={READY: condition},
            status={"subjects": self._subjects or None},
            patches=patches,
            finalizers={FINALIZER: not self._is_deleted},
            reports=reports,
            look_again_seconds=seconds,
            complete=condition.status == "True",
        )

    def _may_bind(self, subject: Object) -> bool:
        labels = subject["metadata"].get("labels") or {}
        namespace_labels = self._observed.namespace["metadata"].get("labels") or {}
        if self._inclusion and self._namespace_patch():
            namespace_labels = {**namespace_labels, INCLUDE_LABEL: "true"}
        return is_eligible(labels, namespace_labels, inclusion=self._inclusion)

    def _bind(self, subject: Object, winner: Binding) -> None:
        key = self._key(subject)
        if key.resource == JOBS:
            if not is_bound(pod_template(subject), winner.spec) and not _is_finished(subject):
                has_none = unbind(pod_template(subject)) == pod_template(subject)
                rest = "runs without it" if has_none else "runs with an earlier version of it"
                self._note(f"made before the binding and {rest}", key.name)
            return
        self._subjects.append(_reference(key))
        template = bind(pod_template(subject), winner.spec)
        if template == pod_template(subject):
            return
        if names_revision(subject):
            self._faults.append(false("BindingFailed", f"failed binding subject {key.name}: {_NAMED_REVISION}"))
            return
        self._patch(subject, template)

    def _release(self, subject: Object, winner: Binding | None) -> None:
        """Give *subject* to another binding, or take ours away."""
        template = unbind(pod_template(subject)) if winner is None else bind(pod_template(subject), winner.spec)
        if template == pod_template(subject):
            return
        if names_revision(subject):
            message = f"{subject['kind']} {self._key(subject).name} keeps the binding: {_NAMED_REVISION}"
            self._reports.append(Report("BindingKept", message))
            return
        self._patch(subject, template, may_fail=True)

    def _explain(self, subject: Object, winner: Binding | None) -> None:
        """Report that a selected *subject* is not bound by this binding."""
        key = self._key(subject)
        if winner is None:
            by_name = bool(self._self and self._self.subject.name)
            if by_name and not self._may_bind(subject):
                label = f"{INCLUDE_LABEL}: true is missing" if self._inclusion else f"{EXCLUDE_LABEL}: true"
                self._faults.append(false("SubjectExcluded", f"{key.resource.qualified} {_quoted(key.name)}: {label}"))
        elif key.resource == JOBS:
            self._note(f"bound by the older VSphereBinding {_quoted(winner.name)}", key.name)
        else:
            message = f"{key.resource.qualified} {_quoted(key.name)} is bound by VSphereBinding {_quoted(winner.name)}"
            self._faults.append(false("Conflict", message))

    def _patch(self, subject: Object, template: Object, *, may_fail: bool = False) -> None:
        operations = [{"op": "replace", "path": "/spec/template/spec", "value": template["spec"]}]
        version = subject["metadata"]["resourceVersion"]
        self._patches.append(SubjectPatch(self._key(subject), version, operations, may_fail))

    def _note(self, text: str, name: str) -> None:
        self._notes.setdefault(text, []).append(name)

    def _key(self, subject: Object) -> Key:
        return self._observed.keys[subject["metadata"]["uid"]]

    def _is_recorded(self, subject: Object) -> bool:
        key = self._key(subject)
        return _reference(key) in ((self._parent.get("status") or {}).get("subjects") or [])

    def _namespace_patch(self) -> list[SubjectPatch]:
        """Return the patch that labels the namespace, which the webhook needs in the mode `inclusion`."""
        metadata = self._observed.namespace["metadata"]
        labels = metadata.get("labels") or {}
        if not self._inclusion or self._is_deleted or INCLUDE_LABEL in labels or EXCLUDE_LABEL in labels:
            return []
        operations = [{"op": "add", "path": "/metadata/labels", "value": {**labels, INCLUDE_LABEL: "true"}}]
        return [SubjectPatch(Key(NAMESPACES, "", metadata["name"]), metadata["resourceVersion"], operations)]

    def _condition(self) -> tuple[Condition, float | None]:
        """Return the condition Ready and the time until the next look, in seconds."""
        if self._observed.problem:
            return self._observed.problem, PROBLEM_SECONDS
        if self._faults:
            return self._faults[0], CONFLICT_SECONDS
        seconds = None
        webhook = self._observed.webhook
        if self._needs_webhook() and not (webhook.is_proved or webhook.is_needless or self._is_deleted):
            seconds = PROBLEM_SECONDS
            if not webhook.problem:
                return unknown("WebhookPending", "the API server has not noticed the webhook yet"), PENDING_SECONDS
            if self._is_of_jobs():
                return false("WebhookUnavailable", webhook.problem), seconds
            self._notes[f"{webhook.problem}, so new subjects are bound after they were created"] = []
        message = ", ".join(_sentence(text, names) for text, names in self._notes.items())
        return Condition("True", "", message), seconds

    def _needs_webhook(self) -> bool:
        """Return whether the webhook decides if the binding works: for what is yet to be created, and for Jobs."""
        return bool(self._self and (not self._self.subject.name or self._is_of_jobs()))

    def _is_of_jobs(self) -> bool:
        return bool(self._self and (self._self.subject.group, self._self.subject.kind) == (JOBS.group, JOBS.kind))


_NAMED_REVISION = (
    "Knative allows no change of a revision that has a name. "
    "Remove spec.template.metadata.name, or change it, and apply the object again"
)


def is_of_source(binding: Object, subject: Object) -> bool:
    """Return whether the VSphereSource that made *binding* also made *subject*, and made it bound."""
    owner = controller_of(binding)
    return owner is not None and owner["uid"] == (controller_of(subject) or {}).get("uid")


def _others(parent: Object, bindings: Iterable[Object]) -> list[Object]:
    """Return *bindings* without *parent*, of which the pass has a version of its own."""
    return [binding for binding in bindings if binding["metadata"]["uid"] != parent["metadata"]["uid"]]


def _find_namespace(name: str, observer: Observer) -> Object:
    """Return a namespace. Without the right to read it, it counts as one without labels."""
    try:
        return observer.get(NAMESPACES, "", name) or {"metadata": {"name": name}}
    except ClusterError as error:
        if error.status != 403:
            raise
        return {"metadata": {"name": name}}


def _find_selected(parent: Object, observer: Observer) -> tuple[list[tuple[Resource, Object]], Condition | None]:
    """Return the subjects with their collection, and the reason why there are none that can be bound."""
    try:
        subject = Binding.read(parent).subject
    except InvalidSubject as error:
        return [], false("InvalidSubject", str(error))
    try:
        resource = observer.resource_of(subject.api_version, subject.kind)
        if not subject.name:
            selected = observer.select(resource, subject.namespace, label_selector(subject.selector))
            return [(resource, obj) for obj in selected], None
        named = observer.get(resource, subject.namespace, subject.name)
    except ClusterError as error:
        if error.status not in (403, 404):
            raise
        return [], false("SubjectUnavailable", error.message)
    if named is None:
        return [], false("SubjectMissing", f"{resource.qualified} {_quoted(subject.name)} not found")
    return [(resource, named)], None


def _find_recorded(parent: Object, observer: Observer) -> list[tuple[Resource, Object]]:
    """Return the objects that the status says are bound, with their collections. Those that are gone are left out."""
    result = []
    for reference in (parent.get("status") or {}).get("subjects") or []:
        try:
            resource = observer.resource_of(reference["apiVersion"], reference["kind"])
            subject = observer.get(resource, parent["metadata"]["namespace"], reference["name"])
        except ClusterError as error:
            if error.status not in (403, 404):
                raise
            continue
        if subject is not None:
            result.append((resource, subject))
    return result


def label_selector(selector: Mapping[str, Any]) -> str:
    """Return a label selector as the API server reads it in a query: `a=b,c in (d,e),!f`."""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[expression["operator"]]
        )
    return ",".join(terms)


def _is_finished(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True" for entry in conditions)


def _reference(key: Key) -> dict[str, Any]:
    return {"apiVersion": key.resource.api_version, "kind": key.resource.kind, "name": key.name}


def _sentence(text: str, names: list[str]) -> str:
    """Return `2 Jobs were made before the binding…: a, b` for the names of Jobs, or *text* alone without names."""
    if not names:
        return text
    shown = ", ".join(sorted(names)[:MAX_NAMES]) + ("" if len(names) <= MAX_NAMES else ", …")
    count = "1 Job was" if len(names) == 1 else f"{len(names)} Jobs were"
    verb = text if len(names) == 1 else re.sub(r"\bruns\b", "run", text)
    return f"{count} {verb}: {shown}"


def _quoted(name: str) -> str:
    return f'"{name}"'
