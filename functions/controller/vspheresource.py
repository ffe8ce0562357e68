"""VSphereSource: a poller for one vCenter, with a login, a checkpoint and a sink. Pure but for `observe`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.resources import DEPLOYMENTS, ROLE_BINDINGS, ROLES, Object
from functions.controller import adapters, children, surroundings
from functions.controller.reconciler import Child, Children, Failure, Observer, Outcome
from functions.controller.surroundings import Cluster, Surroundings
from sources import conditions, names, vspheresource
from sources.binding import bind
from sources.conditions import UNKNOWN, Condition, ConditionSet
from sources.kinds import VSPHERE_BINDINGS, VSPHERE_SOURCES
from sources.sink import SinkUnresolved

AUTH, ADAPTER = "AuthReady", "AdapterReady"


@dataclasses.dataclass(frozen=True)
class Observed:
    """Observations of one VSphereSource."""

    around: Surroundings
    binding: Object | None


class VSphereSourceReconciler:
    """The reconciler of VSphereSources."""

    resource = VSPHERE_SOURCES
    condition_set = ConditionSet((AUTH, ADAPTER))
    children = (
        *(Children(resource, names.SOURCE_LABEL) for resource in (DEPLOYMENTS, ROLES, ROLE_BINDINGS)),
        Children(VSPHERE_BINDINGS),
    )

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def observe(self, parent: Object, observer: Observer) -> Observed:
        """Return what is around *parent*. Raises `ClusterError`."""
        metadata = parent["metadata"]
        binding = observer.cached(VSPHERE_BINDINGS, metadata["namespace"], names.binding_name(metadata["name"]))
        return Observed(surroundings.observe(parent, observer, self._cluster), binding)

    def sync(self, parent: Object, observed: Observed) -> Outcome:
        """Return what should be: login, checkpoint, rights and adapter, as far as nothing is missing."""
        around = observed.around
        kept: list[Child] = [children.vsphere_binding(parent), children.config_map(parent)]
        verdict = {AUTH: _auth(observed.binding), ADAPTER: adapters.condition(around)}
        if not around.has_service_account:
            missing = adapters.missing_service_account(parent)
            outcome = Outcome({**verdict, ADAPTER: missing}, children=kept)
            return adapters.blocked(outcome, missing, adapters.MISSING_SECONDS)
        kept.extend(children.rights(parent, vspheresource.labels(parent)))
        if isinstance(around.sink, SinkUnresolved):
            missing = conditions.false(around.sink.reason, str(around.sink))
            outcome = Outcome({**verdict, ADAPTER: missing}, children=kept)
            return adapters.blocked(outcome, missing, adapters.MISSING_SECONDS)
        deployment = self._deployment(parent, around.sink, around.log_level)
        kept.append(deployment)
        verdict[ADAPTER] = adapters.of_current(verdict[ADAPTER], around, deployment)
        return Outcome(
            verdict,
            {"sinkUri": around.sink},
            kept,
            look_again_seconds=adapters.look_again_seconds(around),
        )

    def conclude(self, parent: Object, outcome: Outcome, failures: Sequence[Failure]) -> Outcome:  # noqa: ARG002
        """Return *outcome* with the condition of the child that failed."""
        failed = failures[0]
        is_login = isinstance(failed.step, Child) and failed.step.resource == VSPHERE_BINDINGS
        verdict: Mapping[str, Condition] = {AUTH if is_login else ADAPTER: adapters.failed(failed)}
        return dataclasses.replace(outcome, conditions={**outcome.conditions, **verdict})

    def _deployment(self, parent: Object, sink: str, log_level: str) -> Child:
        template = vspheresource.pod_template(parent, sink, self._cluster.adapter_image, log_level)
        return children.deployment(parent, vspheresource.labels(parent), bind(template, parent["spec"]))


def _auth(binding: Mapping[str, Any] | None) -> Condition:
    status = (binding or {}).get("status") or {}
    return conditions.read(status.get("conditions"), conditions.READY) or UNKNOWN
