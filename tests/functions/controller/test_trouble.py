"""Tests of the reason why an adapter is not available, from pods as Kubernetes reports them."""

from typing import Any

import pytest

from functions.controller.trouble import find_trouble, is_stuck
from sources.conditions import Condition, false

DEPLOYMENT: dict[str, Any] = {"status": {"conditions": [{"type": "Available", "status": "False"}]}}


def pod(
    state: dict[str, Any], *, uid: str = "1", created: str = "2026-01-01T00:00:00Z", **status: Any
) -> dict[str, Any]:
    """Return a pod whose container is in *state*."""
    container = {"name": "adapter", "state": state, "ready": False, **status}
    return {
        "metadata": {"uid": uid, "creationTimestamp": created},
        "spec": {"nodeName": "node"},
        "status": {"podIP": "10.0.0.1", "containerStatuses": [container]},
    }


def trouble(*pods: dict[str, Any], events: tuple[dict[str, Any], ...] = (), readiness: str = "") -> Condition | None:
    """Return the reason of a Deployment with *pods*, whose adapter reports *readiness*."""
    return find_trouble(DEPLOYMENT, pods, events, lambda _: readiness)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "vsphere-credentials" not found'}},
            false("CreateContainerConfigError", 'secret "vsphere-credentials" not found'),
        ),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
            false("ImagePullBackOff", "Back-off pulling image"),
        ),
        ({"terminated": {"exitCode": 2}}, false("AdapterFailed", "the adapter ended with exit code 2")),
        ({"waiting": {"reason": "ContainerCreating"}}, None),
        ({}, None),
    ],
    ids=["no secret", "no image", "ended", "starting", "nothing yet"],
)
def test_state_of_the_container_is_the_reason(state: dict[str, Any], expected: Condition | None) -> None:
    assert trouble(pod(state)) == expected


def test_adapter_that_ends_again_and_again_has_its_last_words() -> None:
    crashing = pod(
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        lastState={"terminated": {"exitCode": 2, "message": "launcher: invalid settings:\n  - VC_URL is not a URL"}},
    )

    assert trouble(crashing) == false("AdapterFailed", "launcher: invalid settings: - VC_URL is not a URL")


def test_adapter_without_login_says_why() -> None:
    reason = "not logged in to vCenter yet: incorrect user name or password"

    assert trouble(pod({"running": {}}), readiness=reason) == false("AdapterNotReady", reason)


def test_silent_adapter_has_no_reason() -> None:
    assert trouble(pod({"running": {}})) is None


def test_secret_that_cannot_be_mounted_is_named_by_an_event() -> None:
    waiting = pod({"waiting": {"reason": "ContainerCreating"}})
    message = 'MountVolume.SetUp failed for volume "vsphere-binding" : secret "vsphere-credentials" not found'
    event = {
        "type": "Warning",
        "reason": "FailedMount",
        "message": message,
        "involvedObject": {"uid": "1"},
        "lastTimestamp": "2026-01-01T00:00:05Z",
    }
    other = {**event, "involvedObject": {"uid": "2"}, "message": "another pod's"}

    assert is_stuck(waiting)
    assert trouble(waiting, events=(event, other)) == false("FailedMount", message)


def test_pod_without_a_node_says_why() -> None:
    unscheduled = {
        "metadata": {"uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
        "status": {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
            ]
        },
    }

    assert trouble(unscheduled) == false("Unschedulable", "0/1 nodes")


def test_newest_pod_counts() -> None:
    old = pod({"waiting": {"reason": "ImagePullBackOff"}}, created="2026-01-01T00:00:00Z")
    new = pod({"waiting": {"reason": "ErrImagePull"}}, created="2026-01-01T00:01:00Z")

    assert trouble(new, old) == false("ErrImagePull", "")


def test_pods_that_cannot_be_created_are_the_reason() -> None:
    entry = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}

    assert find_trouble({"status": {"conditions": [entry]}}, (), (), lambda _: "") == false(
        "FailedCreate", "exceeded quota"
    )
