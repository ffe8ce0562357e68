"""The webhook's configuration names what bindings need, and nothing else."""

from typing import Any

import pytest

from cluster.resources import DEPLOYMENTS, JOBS, Resource
from functions.controller.webhook import WebhookPlace, entries, service
from sources.binding import Binding

PLACE = WebhookPlace("vmware-sources", service("vmware-sources", "vsphere-source-webhook"))
SERVICES = Resource("serving.knative.dev", "v1", "services", "Service")
RESOURCES = (DEPLOYMENTS, JOBS, SERVICES)


def binding(resource: Resource, namespace: str = "ns", *, is_deleted: bool = False, owner: str = "") -> Binding:
    metadata: dict[str, Any] = {"name": "b", "namespace": namespace}
    if is_deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if owner:
        metadata["ownerReferences"] = [{"kind": "VSphereSource", "uid": owner, "controller": True}]
    subject = {"apiVersion": resource.api_version, "kind": resource.kind, "selector": {}}
    return Binding.read({"metadata": metadata, "spec": {"subject": subject}})


def described(bindings: list[Binding]) -> dict[str, tuple[list[str], list[str]]]:
    """Return the kinds and the namespaces of each entry."""
    return {
        entry["name"].partition(".")[0]: (
            [rule["resources"][0] for rule in entry["rules"]],
            entry["namespaceSelector"]["matchExpressions"][0]["values"],
        )
        for entry in entries(bindings, RESOURCES, PLACE, b"authority")
    }


PROBE = (["configmaps"], ["vmware-sources"])


@pytest.mark.parametrize(
    ("bindings", "expected"),
    [
        pytest.param([], {}, id="no binding"),
        pytest.param(
            [binding(JOBS)], {"jobs": (["jobs"], ["ns"]), "job-updates": (["jobs"], ["ns"]), "probe": PROBE}, id="Jobs"
        ),
        pytest.param(
            [binding(SERVICES, "b"), binding(DEPLOYMENTS, "a"), binding(DEPLOYMENTS, "b")],
            {"others": (["deployments", "services"], ["a", "b"]), "probe": PROBE},
            id="others",
        ),
        pytest.param(
            [binding(JOBS, "a"), binding(SERVICES, "b")],
            {
                "jobs": (["jobs"], ["a"]),
                "job-updates": (["jobs"], ["a"]),
                "others": (["services"], ["b"]),
                "probe": PROBE,
            },
            id="both, each in its own namespaces",
        ),
        pytest.param([binding(JOBS, is_deleted=True)], {}, id="deleted"),
        pytest.param([binding(DEPLOYMENTS, owner="uid")], {}, id="of a VSphereSource"),
        pytest.param([binding(Resource("example.com", "v1", "widgets", "Widget"))], {}, id="unknown kind"),
    ],
)
def test_entries(bindings: list[Binding], expected: dict[str, Any]) -> None:
    assert described(bindings) == expected


def test_only_jobs_must_reach_the_webhook() -> None:
    jobs, updates, others, probe = entries([binding(JOBS), binding(SERVICES)], RESOURCES, PLACE, b"authority")

    assert (jobs["failurePolicy"], jobs["rules"][0]["operations"]) == ("Fail", ["CREATE"])
    assert (updates["failurePolicy"], updates["rules"][0]["operations"]) == ("Ignore", ["UPDATE"])
    assert (others["failurePolicy"], others["rules"][0]["operations"]) == ("Ignore", ["CREATE", "UPDATE"])
    assert probe["failurePolicy"] == "Ignore"
    assert {entry["timeoutSeconds"] for entry in (jobs, updates, others, probe)} == {2}


@pytest.mark.parametrize(
    ("inclusion", "expected"),
    [
        (False, {"key": "bindings.knative.dev/exclude", "operator": "NotIn", "values": ["true"]}),
        (True, {"key": "bindings.knative.dev/include", "operator": "In", "values": ["true"]}),
    ],
)
def test_labels_exclude_and_include(inclusion: bool, expected: dict[str, Any]) -> None:
    place = WebhookPlace(PLACE.namespace, PLACE.client_config, inclusion)
    jobs = entries([binding(JOBS)], RESOURCES, place, b"authority")[0]

    assert jobs["objectSelector"]["matchExpressions"] == [expected]
    assert expected in jobs["namespaceSelector"]["matchExpressions"]


def test_the_probe_is_another_when_entries_change() -> None:
    probes = [
        entries(bindings, RESOURCES, PLACE, authorities)[-1]["objectSelector"]["matchLabels"]
        for bindings in ([binding(JOBS)], [binding(JOBS, "other")])
        for authorities in (b"one", b"two")
    ]

    assert len({str(probe) for probe in probes}) == 4
