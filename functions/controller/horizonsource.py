"""HorizonSource: a poller for one Horizon server, with a checkpoint and a sink. Pure but for `observe`."""

import dataclasses
from collections.abc import Sequence

from cluster.resources import DEPLOYMENTS, ROLE_BINDINGS, ROLES, Object
from functions.controller import adapters, children, surroundings
from functions.controller.reconciler import Children, Failure, Observer, Outcome, Report
from functions.controller.surroundings import Cluster, Surroundings
from sources import conditions, horizonsource, names, sink
from sources.conditions import TRUE, Condition, ConditionSet
from sources.kinds import HORIZON_SOURCES
from sources.sink import SinkUnresolved

SINK, DEPLOYED = "SinkProvided", "Deployed"

_SELECTOR = "knative-eventing-source=horizon-source-controller"


class HorizonSourceReconciler:
    """The reconciler of HorizonSources."""

    resource = HORIZON_SOURCES
    condition_set = ConditionSet((SINK, DEPLOYED))
    children = tuple(Children(resource, _SELECTOR) for resource in (DEPLOYMENTS, ROLES, ROLE_BINDINGS))

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def observe(self, parent: Object, observer: Observer) -> Surroundings:
        """Return what is around *parent*. Raises `ClusterError`."""
        return surroundings.observe(parent, observer, self._cluster)

    def sync(self, parent: Object, observed: Surroundings) -> Outcome:
        """Return what should be: a ServiceAccount, checkpoint, rights and adapter, once the sink has an address."""
        deployed = _deployed(parent, observed)
        if isinstance(observed.sink, SinkUnresolved):
            missing = _no_sink(observed.sink)
            outcome = Outcome({SINK: missing, DEPLOYED: deployed}, {"sinkUri": None})
            return adapters.blocked(outcome, missing, adapters.MISSING_SECONDS)
        labels, kept, reports = horizonsource.labels(parent), [children.config_map(parent)], []
        if not observed.has_service_account:
            account = children.service_account(parent, labels)
            kept.append(account)
            name = f"{parent['metadata']['namespace']}/{account.object['metadata']['name']}"
            reports.append(Report("ServiceAccountCreated", f'created service account: "{name}"', "Normal"))
        kept.extend(children.rights(parent, labels))
        image = self._cluster.adapter_image
        template = horizonsource.pod_template(parent, observed.sink, image, observed.log_level)
        deployment = children.deployment(parent, labels, template)
        kept.append(deployment)
        deployed = adapters.of_current(deployed, observed, deployment)
        return Outcome(
            {SINK: TRUE, DEPLOYED: deployed},
            {"sinkUri": observed.sink},
            kept,
            reports=reports,
            look_again_seconds=adapters.look_again_seconds(observed),
        )

    def conclude(self, parent: Object, outcome: Outcome, failures: Sequence[Failure]) -> Outcome:  # noqa: ARG002
        """Return *outcome* with the child that failed as the reason why nothing is deployed."""
        verdict = {**outcome.conditions, DEPLOYED: adapters.failed(failures[0])}
        return dataclasses.replace(outcome, conditions=verdict, reports=())


def _deployed(parent: Object, observed: Surroundings) -> Condition:
    available = surroundings.availability(observed.deployment)
    if available is not None and available.status == "True":
        return TRUE if surroundings.is_rolled_out(observed.deployment or {}) else adapters.UPDATING
    message = f"The Deployment '{names.adapter_name(parent['metadata']['name'])}' is unavailable."
    if observed.trouble:
        message = f"{message} {observed.trouble.reason}: {observed.trouble.message}"
    return conditions.false("DeploymentUnavailable", message)


def _no_sink(error: SinkUnresolved) -> Condition:
    if error.reason == sink.EMPTY:
        return conditions.unknown("SinkEmpty", f"Sink has resolved to empty. {error}")
    return conditions.false("NotFound" if error.reason == sink.NOT_FOUND else "SinkMissing", str(error))
