"""Tests of a HorizonSource's decision: children and conditions, from what was observed."""

import dataclasses
import datetime
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.resources import CONFIG_MAPS, DEPLOYMENTS, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS
from functions.controller.desired import DIGEST, digest
from functions.controller.horizonsource import DEPLOYED, SINK, HorizonSourceReconciler
from functions.controller.reconciler import Failure, Outcome
from functions.controller.surroundings import Cluster, Surroundings
from sources.conditions import TRUE, Condition, false
from sources.sink import SinkUnresolved
from tests.support.predecessor import horizon_source

CLUSTER = Cluster(
    "vmware-sources", "cluster.local", "image:1", lambda _: "", lambda: datetime.datetime.now(datetime.UTC)
)
RECONCILER = HorizonSourceReconciler(CLUSTER)
COMPLETE = Surroundings("http://sink.example", True, None, None, 0.0, "INFO")
UNAVAILABLE = "The Deployment 'foo-adapter' is unavailable."


def sync(around: Surroundings = COMPLETE, **spec: Any) -> Outcome:
    """Return the decision about a HorizonSource."""
    source = horizon_source("foo", **spec)
    source["metadata"] |= {"namespace": "ns", "uid": "1", "generation": 1}
    return RECONCILER.sync(source, around)


def test_existing_service_account_is_not_touched() -> None:
    assert [child.resource for child in sync().children] == [CONFIG_MAPS, ROLES, ROLE_BINDINGS, DEPLOYMENTS]


def test_missing_service_account_is_created_and_reported() -> None:
    outcome = sync(dataclasses.replace(COMPLETE, has_service_account=False), serviceAccountName="own")

    account = outcome.children[1]
    assert account.resource == SERVICE_ACCOUNTS
    assert account.object["metadata"]["name"] == "own"
    assert account.object["metadata"]["labels"]["knative-eventing-source-name"] == "foo"
    [report] = outcome.reports
    assert (report.type, report.message) == ("Normal", 'created service account: "ns/own"')


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("SinkNotFound", false("NotFound", "why")),
        ("SinkInvalid", false("SinkMissing", "why")),
        ("SinkEmpty", Condition("Unknown", "SinkEmpty", "Sink has resolved to empty. why")),
    ],
)
def test_sink_without_an_address_ends_the_pass(reason: str, expected: Condition) -> None:
    outcome = sync(dataclasses.replace(COMPLETE, sink=SinkUnresolved(reason, "why")))

    assert outcome.conditions[SINK] == expected
    assert outcome.children == ()
    assert outcome.status["sinkUri"] is None


@pytest.mark.parametrize(
    ("status", "trouble", "expected"),
    [
        (None, None, false("DeploymentUnavailable", UNAVAILABLE)),
        ("False", None, false("DeploymentUnavailable", UNAVAILABLE)),
        (
            "False",
            false("FailedMount", "no Secret"),
            false("DeploymentUnavailable", f"{UNAVAILABLE} FailedMount: no Secret"),
        ),
        ("True", None, TRUE),
    ],
    ids=["no condition", "unavailable", "with a reason", "available"],
)
def test_deployed_follows_the_deployment(status: str | None, trouble: Condition | None, expected: Condition) -> None:
    metadata = {"annotations": {DIGEST: digest(sync().children[-1].object)}}
    conditions = [{"type": "Available", "status": status}] if status else []
    deployment = {"metadata": metadata, "status": {"conditions": conditions}}

    outcome = sync(dataclasses.replace(COMPLETE, deployment=deployment, trouble=trouble))

    assert outcome.conditions == {SINK: TRUE, DEPLOYED: expected}


def test_child_that_cannot_be_written_is_the_reason() -> None:
    outcome = sync()
    failure = Failure(outcome.children[-1], ClusterError(409, "NotOwned", 'deployment "foo-adapter" is not owned'))

    concluded = RECONCILER.conclude({}, outcome, [failure])

    assert concluded.conditions[DEPLOYED].reason == "NotOwned"
    assert 'deployment "foo-adapter" is not owned' in concluded.conditions[DEPLOYED].message
