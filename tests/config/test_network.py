"""The rendered NetworkPolicies, evaluated as a cluster's network does: permitted and denied connections."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from tests.support.manifests import ROOT, Object, rendered

OWN = "vcenter-events"
PART = {"app.kubernetes.io/part-of": "vcenter-events"}


class Pod(NamedTuple):
    """A pod, or any other machine if it has no namespace."""

    namespace: str
    labels: dict[str, str]
    namespace_labels: dict[str, str]


def pod(namespace: str, namespace_labels: dict[str, str] | None = None) -> Pod:
    return Pod(namespace, {}, {"kubernetes.io/metadata.name": namespace, **(namespace_labels or {})})


def function(name: str) -> Pod:
    labels = {**PART, "serving.knative.dev/service": name, "app.kubernetes.io/component": name.removeprefix("vcenter-")}
    return Pod(OWN, labels, {"kubernetes.io/metadata.name": OWN})


OUTSIDE = Pod("", {}, {})
GATEWAY, ACTIVATOR, EVENTING = pod("kourier-system"), pod("knative-serving"), pod("knative-eventing")
STRANGER = pod("default")
MONITORING = pod("monitoring", {"vcenter-events/metrics": "true"})
VCSIM = Pod(OWN, {**PART, "app.kubernetes.io/name": "vcsim"}, {"kubernetes.io/metadata.name": OWN})
POLLER, DISPLAY, DEADLETTER, NOTIFY = map(function, ("vcenter-poller", "display", "deadletter", "notify"))
PREEMPT, WEBHOOK = function("preempt"), function("webhook")


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector selects *labels*."""
    operators: dict[str, Callable[[Any, Any], bool]] = {
        "Exists": lambda value, _: value is not None,
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
    }
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        operators[term["operator"]](labels.get(term["key"]), term.get("values"))
        for term in selector.get("matchExpressions", [])
    )


def is_peer(peer: Object, other: Pod) -> bool:
    """Return whether *peer* of a policy in `OWN` includes *other*."""
    if not other.namespace:
        return False  # no policy here has an ipBlock
    in_namespace = (
        selects(peer["namespaceSelector"], other.namespace_labels)
        if "namespaceSelector" in peer
        else other.namespace == OWN
    )
    return in_namespace and selects(peer.get("podSelector", {}), other.labels)


def permits(policies: list[Object], direction: str, mine: Pod, other: Pod, port: int) -> bool:
    """Return whether *mine* may receive from *other* (Ingress) or send to it (Egress), at *port*."""
    applying = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], mine.labels)
    ]
    rules = [rule for spec in applying for rule in spec.get(direction.lower(), [])]
    return not applying or any(
        (("from" not in rule and "to" not in rule) or any(is_peer(peer, other) for peer in peers(rule)))
        and ("ports" not in rule or port in [entry["port"] for entry in rule["ports"]])
        for rule in rules
    )


def peers(rule: Object) -> list[Any]:
    return [*rule.get("from", []), *rule.get("to", [])]


@cache
def policies_of(folder: str) -> list[Object]:
    """Return the NetworkPolicies that *folder* installs."""
    return [content for content in rendered(ROOT / folder) if content["kind"] == "NetworkPolicy"]


def allowed(folder: str, source: Pod, target: Pod, port: int) -> bool:
    """Return whether a connection is possible with the policies of *folder*."""
    policies = policies_of(folder)
    leaves = source.namespace != OWN or permits(policies, "Egress", source, target, port)
    return leaves and (target.namespace != OWN or permits(policies, "Ingress", target, source, port))


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        (GATEWAY, POLLER, 8012),
        (ACTIVATOR, PREEMPT, 8012),
        (ACTIVATOR, DISPLAY, 9090),
        (MONITORING, POLLER, 8080),
        *[(source, EVENTING, 8080) for source in (POLLER, DEADLETTER, NOTIFY, PREEMPT)],
        *[(source, OUTSIDE, 443) for source in (POLLER, PREEMPT, NOTIFY, WEBHOOK)],
        (POLLER, OUTSIDE, 6443),
        (NOTIFY, OUTSIDE, 587),
        (WEBHOOK, STRANGER, 8080),
        (DISPLAY, GATEWAY, 8081),
        (DEADLETTER, ACTIVATOR, 8012),
        *[(source, pod("kube-system"), 53) for source in (POLLER, DISPLAY, PREEMPT)],
    ],
)
def test_what_is_needed_is_allowed(source: Pod, target: Pod, port: int) -> None:
    assert allowed("config", source, target, port)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        *[(STRANGER, target, port) for target in (POLLER, DISPLAY, DEADLETTER, PREEMPT) for port in (8012, 8080)],
        (GATEWAY, PREEMPT, 8080),  # past queue-proxy
        (EVENTING, PREEMPT, 8080),
        (NOTIFY, PREEMPT, 8012),
        (DISPLAY, DEADLETTER, 8080),
        *[(source, OUTSIDE, 443) for source in (DISPLAY, DEADLETTER)],
        (PREEMPT, OUTSIDE, 80),
        (PREEMPT, STRANGER, 8080),
        (POLLER, GATEWAY, 8080),
    ],
)
def test_everything_else_is_denied(source: Pod, target: Pod, port: int) -> None:
    assert not allowed("config", source, target, port)


FUNCTIONS = ("vcenter-poller", "display", "notify", "deadletter", "tag", "attribute", "maintenance", "failover",
             "capacity", "preempt", "webhook")  # fmt: skip
PORTS = (8012, 8013, 8022, 8080, 8112, 9090, 9091)
"""All that listen in a function's pod: queue-proxy's, its administration and the function itself."""
QUEUE_PROXY = {8012, 8013, 8112, 9090, 9091}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_reached_by_the_gateway_and_prometheus_only(name: str) -> None:
    target = function(name)
    sources = {
        "gateway": GATEWAY,
        "activator": ACTIVATOR,
        "prometheus": MONITORING,
        "eventing": EVENTING,
        "stranger": STRANGER,
        "system": pod("kube-system"),
        "outside": OUTSIDE,
        "itself": target,
        **{other: function(other) for other in FUNCTIONS if other != name},
    }

    reached = {
        label: {port for port in PORTS if allowed("config", source, target, port)} for label, source in sources.items()
    }

    assert {label: ports for label, ports in reached.items() if ports} == {
        "gateway": QUEUE_PROXY,
        "activator": QUEUE_PROXY,
        "prometheus": {8080},
    }


@pytest.mark.parametrize("port", [22, 8080])
def test_other_pods_of_the_namespace_are_not_affected(port: int) -> None:
    other = Pod(OWN, {"serving.knative.dev/service": "tag"}, {"kubernetes.io/metadata.name": OWN})

    assert allowed("config", STRANGER, other, port)
    assert allowed("config", other, OUTSIDE, port)
    assert not allowed("config", other, PREEMPT, port)


def test_simulated_vcenter_is_reached_by_functions_only() -> None:
    assert allowed("overlays/demo", POLLER, VCSIM, 8989)
    assert not allowed("overlays/demo", STRANGER, VCSIM, 8989)
    assert not allowed("overlays/demo", VCSIM, OUTSIDE, 443)


def test_poller_as_a_deployment_is_reached_by_prometheus_only() -> None:
    deployment = Pod(OWN, {**PART, "app.kubernetes.io/component": "poller"}, {"kubernetes.io/metadata.name": OWN})

    assert allowed("overlays/deployment", MONITORING, deployment, 8080)
    assert not allowed("overlays/deployment", STRANGER, deployment, 8080)
    assert allowed("overlays/deployment", deployment, EVENTING, 8080)
    assert allowed("overlays/deployment", deployment, OUTSIDE, 443)


def test_display_as_a_deployment_is_reached_by_the_broker_only() -> None:
    overlay = "overlays/display-deployment"
    display = Pod(OWN, {**PART, "app.kubernetes.io/component": "display"}, {"kubernetes.io/metadata.name": OWN})

    assert allowed(overlay, EVENTING, display, 8080)
    assert allowed(overlay, MONITORING, display, 8080)
    assert not allowed(overlay, STRANGER, display, 8080)
    assert not allowed(overlay, pod("kourier-system"), display, 8080)
    assert allowed(overlay, display, pod("kourier-system"), 8080)
    assert not allowed(overlay, display, OUTSIDE, 443)
