"""The surroundings of a source, which both kinds of sources read alike: sink, ServiceAccount, Deployment, pods."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence

from cluster.errors import ClusterError
from cluster.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS, PODS, SERVICE_ACCOUNTS, Object
from functions.controller.reconciler import Observer
from functions.controller.trouble import find_trouble, is_stuck
from sources import names, sink
from sources.conditions import Condition
from sources.sink import SinkUnresolved

LOGGING = "config-logging"
"""The ConfigMap of the level at which the adapters log."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Facts about this cluster, and its reads that are not of the API server."""

    namespace: str
    """The controller's own."""
    domain: str
    """The cluster's DNS domain, such as `cluster.local`."""
    adapter_image: str
    ask_adapter: Callable[[str], str]
    """Returns the reason why the adapter at an IP address is not ready, or ""."""
    now: Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """Observations of one source."""

    sink: str | SinkUnresolved
    """Its address, or the reason why there is none."""
    has_service_account: bool
    deployment: Object | None
    trouble: Condition | None
    """The reason why the adapter is not available, as its pods report it. None if they report nothing."""
    unavailable_seconds: float
    """The time for which the adapter is not available. 0 if it is."""
    log_level: str


def observe(parent: Object, observer: Observer, cluster: Cluster) -> Surroundings:
    """Return the surroundings of *parent*. Raises `ClusterError`."""
    namespace, name = parent["metadata"]["namespace"], parent["metadata"]["name"]
    deployment = observer.cached(DEPLOYMENTS, namespace, names.adapter_name(name))
    account = names.service_account_name(parent["spec"])
    unavailable_seconds = _unavailable_seconds(deployment, cluster.now())
    return Surroundings(
        sink=_sink(parent, observer, cluster.domain),
        has_service_account=observer.get(SERVICE_ACCOUNTS, namespace, account) is not None,
        deployment=deployment,
        trouble=_trouble(deployment, observer, cluster) if deployment and unavailable_seconds else None,
        unavailable_seconds=unavailable_seconds,
        log_level=log_level(observer.cached(CONFIG_MAPS, cluster.namespace, LOGGING)),
    )


def _sink(parent: Object, observer: Observer, domain: str) -> str | SinkUnresolved:
    destination = parent["spec"].get("sink") or {}
    ref = sink.reference(destination, parent["metadata"]["namespace"])
    try:
        return sink.address(destination, ref, _referent(ref, observer) if ref else None, domain)
    except SinkUnresolved as error:
        return error


def _referent(ref: sink.Reference, observer: Observer) -> Object | None:
    """Return the object of *ref*, or None. Raises `SinkUnresolved` if its kind does not exist or is not permitted."""
    try:
        resource = observer.resource_of(ref.api_version, ref.kind)
    except ClusterError as error:
        if not error.status:
            raise
        message = f"failed to get lister for {ref.api_version} {ref.kind}: {error}"
        raise SinkUnresolved(sink.NOT_FOUND, message) from error
    try:
        referent = observer.get(resource, ref.namespace, ref.name)
    except ClusterError as error:
        if not error.status or error.status >= 500:
            raise
        message = f"failed to get object {ref.namespace}/{ref.name}: {error}"
        raise SinkUnresolved(sink.NOT_FOUND, message) from error
    if referent is None:
        message = f'failed to get object {ref.namespace}/{ref.name}: {resource.qualified} "{ref.name}" not found'
        raise SinkUnresolved(sink.NOT_FOUND, message)
    return referent


def _trouble(deployment: Object, observer: Observer, cluster: Cluster) -> Condition | None:
    """Return the reason why the pods of *deployment* are not available. What cannot be read is left out."""
    namespace, labels = deployment["metadata"]["namespace"], deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    try:
        pods = observer.list_unwatched(PODS, namespace, selector)
        events = [
            event
            for pod in pods
            if is_stuck(pod)
            for event in observer.list_unwatched(
                EVENTS, namespace, field_selector=f"involvedObject.uid={pod['metadata']['uid']}"
            )
        ]
    except ClusterError:
        return None
    return find_trouble(deployment, pods, events, cluster.ask_adapter)


def availability(deployment: Object | None) -> Condition | None:
    """Return the condition Available of *deployment*, or None if there is none yet."""
    return _condition(deployment, "Available")


def is_rolled_out(deployment: Object) -> bool:
    """Return whether the pods of *deployment* are those of its present spec, and no others are left."""
    status = deployment.get("status") or {}
    if "observedGeneration" not in status:
        return True
    updated = status.get("updatedReplicas", 0)
    is_observed = status["observedGeneration"] >= deployment["metadata"]["generation"]
    return bool(is_observed and updated >= deployment["spec"]["replicas"] and status.get("replicas", 0) <= updated)


def _condition(deployment: Object | None, type_: str) -> Condition | None:
    entry = _entry(deployment, type_)
    return Condition(entry["status"], entry.get("reason", ""), entry.get("message", "")) if entry else None


def _entry(deployment: Object | None, type_: str) -> Object | None:
    conditions: Sequence[Object] = ((deployment or {}).get("status") or {}).get("conditions") or ()
    return next((entry for entry in conditions if entry["type"] == type_), None)


def _unavailable_seconds(deployment: Object | None, now: datetime.datetime) -> float:
    entry = _entry(deployment, "Available")
    if entry is None or entry["status"] != "False":
        return 0.0
    try:
        since = datetime.datetime.fromisoformat(entry["lastTransitionTime"])
    except (KeyError, ValueError):
        return 1.0
    return max(1.0, (now - since).total_seconds())


_LEVELS: Mapping[str, str] = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


def log_level(config: Object | None) -> str:
    """Return the level that the predecessor's ConfigMap *config* sets for adapters. `INFO` if it sets none."""
    data = (config or {}).get("data") or {}
    for line in str(data.get("zap-logger-config") or "").splitlines():
        name, colon, value = line.strip().rstrip(",").partition(":")
        if colon and name.strip().strip('"') == "level":
            return _LEVELS.get(value.strip().strip('"').lower(), "INFO")
    return "INFO"
