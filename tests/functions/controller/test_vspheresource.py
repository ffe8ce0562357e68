"""Tests of a VSphereSource's decision: children, their order, and conditions, from what was observed."""

import dataclasses
import datetime
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.resources import CONFIG_MAPS, DEPLOYMENTS, ROLE_BINDINGS, ROLES
from functions.controller.adapters import UPDATING
from functions.controller.desired import DIGEST, digest
from functions.controller.reconciler import Failure, Outcome, Policy
from functions.controller.surroundings import Cluster, Surroundings
from functions.controller.vspheresource import ADAPTER, AUTH, Observed, VSphereSourceReconciler
from sources.conditions import TRUE, UNKNOWN, Condition, false, unknown
from sources.kinds import VSPHERE_BINDINGS
from sources.sink import SinkUnresolved
from tests.support.predecessor import vsphere_source

CLUSTER = Cluster(
    "vmware-sources", "cluster.local", "image:1", lambda _: "", lambda: datetime.datetime.now(datetime.UTC)
)
RECONCILER = VSphereSourceReconciler(CLUSTER)
COMPLETE = Surroundings("http://sink.example", True, None, None, 0.0, "INFO")


def source(**spec: Any) -> dict[str, Any]:
    """Return a VSphereSource as the API server has it."""
    stored = vsphere_source("foo", **spec)
    stored["metadata"] |= {"namespace": "ns", "uid": "1", "generation": 1}
    return stored


def available(status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    """Return the Deployment that the source asks for, with the condition Available."""
    entry = {"type": "Available", "status": status, "reason": reason, "message": message}
    desired = sync().children[-1].object
    metadata = {"generation": 2, "annotations": {DIGEST: digest(desired)}}
    return {"metadata": metadata, "spec": desired["spec"], "status": {"conditions": [entry]}}


def binding(status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    """Return a VSphereBinding with the condition Ready."""
    return {"status": {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message}]}}


def sync(around: Surroundings = COMPLETE, login: dict[str, Any] | None = None, **spec: Any) -> Outcome:
    """Return the decision about a source."""
    return RECONCILER.sync(source(**spec), Observed(around, login))


def test_children_come_in_the_order_of_their_use() -> None:
    resources = [child.resource for child in sync().children]

    assert resources == [VSPHERE_BINDINGS, CONFIG_MAPS, ROLES, ROLE_BINDINGS, DEPLOYMENTS]


def test_children_are_named_as_the_predecessor_names_them() -> None:
    names = [child.object["metadata"]["name"] for child in sync().children]

    assert names == ["foo-vspherebinding", "foo-configmap", "foo-checkpoint", "foo-rolebinding", "foo-adapter"]


def test_checkpoint_that_exists_is_never_changed() -> None:
    config_map = sync().children[1]

    assert config_map.policy is Policy.CREATE


def test_adapter_is_bound_before_it_starts() -> None:
    deployment = sync().children[-1].object
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    variables = [entry["name"] for entry in container["env"]]

    assert variables[-4:] == ["VC_URL", "VC_INSECURE", "VC_USERNAME", "VC_PASSWORD"]
    assert container["name"] == "adapter"
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    label = {"vspheresources.sources.tanzu.vmware.com/name": "foo"}
    assert deployment["spec"]["selector"]["matchLabels"] == label
    assert deployment["spec"]["template"]["metadata"]["labels"] == label


def test_binding_has_the_login_and_the_adapter_as_subject() -> None:
    spec = sync().children[0].object["spec"]

    assert spec == {
        "address": "https://vcenter.example",
        "skipTLSVerify": True,
        "secretRef": {"name": "vsphere-credentials"},
        "subject": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns", "name": "foo-adapter"},
    }


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (None, UNKNOWN),
        ({}, UNKNOWN),
        (binding("Unknown", "Binding", "soon"), unknown("Binding", "soon")),
        (binding("False", "SubjectMissing", "no subject"), false("SubjectMissing", "no subject")),
        (binding("True"), TRUE),
    ],
    ids=["absent", "no status", "unknown", "false", "true"],
)
def test_login_is_ready_as_its_binding_is(login: dict[str, Any] | None, expected: Condition) -> None:
    assert sync(login=login).conditions[AUTH] == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Unknown", Condition("Unknown")),
        ("False", false("MinimumReplicasUnavailable", "none")),
        ("True", TRUE),
    ],
)
def test_adapter_is_ready_as_its_deployment_is(status: str, expected: Condition) -> None:
    reason = ("MinimumReplicasUnavailable", "none") if status == "False" else ()
    around = dataclasses.replace(COMPLETE, deployment=available(status, *reason))

    assert sync(around).conditions[ADAPTER] == expected


@pytest.mark.parametrize("deployment", [None, {}], ids=["absent", "no status"])
def test_adapter_without_a_state_is_unknown(deployment: dict[str, Any] | None) -> None:
    assert sync(dataclasses.replace(COMPLETE, deployment=deployment)).conditions[ADAPTER] == UNKNOWN


def test_adapter_of_an_older_spec_is_not_ready() -> None:
    """Its Deployment is still available, and about to be replaced."""
    around = dataclasses.replace(COMPLETE, deployment=available("True"))

    assert sync(around, address="https://other.example").conditions[ADAPTER] == UPDATING


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}, UPDATING),
        ({"observedGeneration": 2, "replicas": 1}, UPDATING),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1}, UPDATING),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, TRUE),
    ],
    ids=["not observed", "old pod", "two pods", "rolled out"],
)
def test_adapter_is_not_ready_during_a_rollout(status: dict[str, int], expected: Condition) -> None:
    deployment = available("True")
    deployment["status"] |= status

    assert sync(dataclasses.replace(COMPLETE, deployment=deployment)).conditions[ADAPTER] == expected


def test_reason_of_the_pods_goes_before_that_of_the_deployment() -> None:
    rejected = false("AdapterNotReady", "not logged in to vCenter yet: incorrect user name or password")
    around = dataclasses.replace(
        COMPLETE, deployment=available("False", "MinimumReplicasUnavailable"), trouble=rejected, unavailable_seconds=9.0
    )

    outcome = sync(around)

    assert outcome.conditions[ADAPTER] == rejected
    assert outcome.look_again_seconds == 4.5


def test_missing_service_account_ends_after_the_checkpoint() -> None:
    outcome = sync(dataclasses.replace(COMPLETE, has_service_account=False), serviceAccountName="own")

    assert [child.resource for child in outcome.children] == [VSPHERE_BINDINGS, CONFIG_MAPS]
    message = 'failed to get serviceaccount "own": serviceaccounts "own" not found'
    assert outcome.conditions[ADAPTER] == false("ServiceAccountNotFound", message)
    assert [(report.type, report.reason, report.message) for report in outcome.reports] == [
        ("Warning", "InternalError", message)
    ]
    assert outcome.look_again_seconds is not None


def test_missing_sink_leaves_the_adapter_as_it_is() -> None:
    unresolved = SinkUnresolved("SinkEmpty", "address not set for Kind = Broker")
    outcome = sync(dataclasses.replace(COMPLETE, sink=unresolved, deployment=available("True")))

    assert DEPLOYMENTS not in [child.resource for child in outcome.children]
    assert outcome.conditions[ADAPTER] == false("SinkEmpty", "address not set for Kind = Broker")
    assert "sinkUri" not in outcome.status


@pytest.mark.parametrize(("child", "condition"), [(0, AUTH), (1, ADAPTER), (-1, ADAPTER)])
def test_child_that_cannot_be_written_is_the_reason(child: int, condition: str) -> None:
    outcome = sync()
    failure = Failure(outcome.children[child], ClusterError(403, "Forbidden", "exceeded quota"))

    concluded = RECONCILER.conclude(source(), outcome, [failure])

    assert concluded.conditions[condition].status == "False"
    assert concluded.conditions[condition].reason == "Forbidden"
    assert "exceeded quota" in concluded.conditions[condition].message
