"""The reason why an adapter is not available, read from its pods. Pure but for the question to a pod."""

from collections.abc import Callable, Sequence

from cluster.resources import Object
from pipeline.errors import cut
from sources.conditions import Condition, false

MAX_MESSAGE = 500

_STARTING = ("", "ContainerCreating", "PodInitializing")


def is_stuck(pod: Object) -> bool:
    """Return whether *pod* has a place and waits for something that only Events report, such as a Secret to mount."""
    waiting = _state(pod).get("waiting") or {}
    return bool(pod["spec"].get("nodeName")) and waiting.get("reason") == "ContainerCreating"


def find_trouble(
    deployment: Object, pods: Sequence[Object], events: Sequence[Object], ask_adapter: Callable[[str], str]
) -> Condition | None:
    """Return a False condition with the reason why *deployment* has no available pod, or None if nothing reports one.

    *ask_adapter* returns why the adapter at an IP address is not ready.
    """
    for entry in (deployment.get("status") or {}).get("conditions") or ():
        if entry["type"] == "ReplicaFailure" and entry["status"] == "True":
            return false(entry.get("reason") or "FailedCreate", _cut(entry.get("message", "")))
    if not pods:
        return None
    pod = max(pods, key=lambda candidate: str(candidate["metadata"].get("creationTimestamp", "")))
    return _of_pod(pod) or _of_events(pod, events) or _of_adapter(pod, ask_adapter)


def _of_pod(pod: Object) -> Condition | None:
    state = _state(pod)
    waiting = state.get("waiting") or {}
    if waiting.get("reason", "") == "CrashLoopBackOff" or state.get("terminated"):
        last = state.get("terminated") or (_status(pod).get("lastState") or {}).get("terminated") or {}
        message = last.get("message") or f"the adapter ended with exit code {last.get('exitCode')}"
        return false("AdapterFailed", _cut(message))
    if waiting.get("reason", "") not in _STARTING:
        return false(waiting["reason"], _cut(waiting.get("message", "")))
    for entry in pod["status"].get("conditions") or ():
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            return false(entry.get("reason") or "Unschedulable", _cut(entry.get("message", "")))
    return None


def _of_events(pod: Object, events: Sequence[Object]) -> Condition | None:
    if not is_stuck(pod):
        return None
    about = [
        event
        for event in events
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"] and event.get("type") == "Warning"
    ]
    if not about:
        return None
    last = max(about, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return false(last.get("reason") or "PodNotStarted", _cut(last.get("message", "")))


def _of_adapter(pod: Object, ask_adapter: Callable[[str], str]) -> Condition | None:
    if "running" not in _state(pod) or _status(pod).get("ready") or not pod["status"].get("podIP"):
        return None
    reason = ask_adapter(pod["status"]["podIP"])
    return false("AdapterNotReady", _cut(reason)) if reason else None


def _status(pod: Object) -> Object:
    statuses = pod["status"].get("containerStatuses") or [{}]
    status: Object = next((entry for entry in statuses if entry.get("name") == "adapter"), statuses[0])
    return status


def _state(pod: Object) -> Object:
    state: Object = _status(pod).get("state") or {}
    return state


def _cut(message: str) -> str:
    return cut(message, MAX_MESSAGE)
