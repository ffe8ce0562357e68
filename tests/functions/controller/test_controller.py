"""Tests of the controller against a real API server: what it creates, corrects, reports and adopts."""

import functools
import time
from typing import Any

import pytest

from tests.support import predecessor
from tests.support.api_server import ApiServer
from tests.support.controller import (
    ADAPTER_IMAGE,
    API_VERSION,
    condition,
    create_service_account,
    environment,
    events,
    running_controller,
    set_available,
    wait_condition,
    wait_deployment,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

SOURCE = "VSphereSource"
RBAC = "rbac.authorization.k8s.io/v1"
CHECKPOINT = (
    '{"vCenter":"vcenter.example","lastEventKey":17,"lastEventType":"VmPoweredOnEvent",'
    '"lastEventKeyTimestamp":"2026-01-01T00:00:00Z","createdTimestamp":"2026-01-01T00:00:00Z"}'
)


def service(name: str) -> dict[str, Any]:
    """Return a Service of Kubernetes, which can be a sink."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}


def sink_of(name: str, kind: str = "Service", api_version: str = "v1") -> dict[str, Any]:
    """Return a sink that refers to an object."""
    return {"ref": {"apiVersion": api_version, "kind": kind, "name": name}}


# ── children ──


def test_source_has_its_deployment_within_two_seconds(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace) as work:
        wait_until(lambda: work.election.is_leader)
        started = time.monotonic()
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        deployment = wait_deployment(kinds, "foo-adapter", namespace)
        seconds = time.monotonic() - started

    assert seconds < 2
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == ADAPTER_IMAGE
    assert environment(deployment)["K_SINK"] == "http://sink.example"
    assert environment(deployment)["VC_URL"] == "https://vcenter.example"


def test_source_owns_what_it_needs(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        source = kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)

    rbac = "rbac.authorization.k8s.io/v1"
    for api_version, kind, name in (
        (API_VERSION, "VSphereBinding", "foo-vspherebinding"),
        ("v1", "ConfigMap", "foo-configmap"),
        (rbac, "Role", "foo-checkpoint"),
        (rbac, "RoleBinding", "foo-rolebinding"),
    ):
        child = kinds.get(api_version, kind, name, namespace)
        assert child is not None, name
        assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == [source["metadata"]["uid"]]
    role = kinds.get(rbac, "Role", "foo-checkpoint", namespace) or {}
    assert role["rules"][0]["resourceNames"] == ["foo-configmap"]


def test_settled_source_costs_no_request(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace) as work:
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        set_available(kinds, "foo-adapter", namespace, "True")
        wait_condition(kinds, SOURCE, "foo", namespace, "Ready", "True")
        before = kinds.get(API_VERSION, SOURCE, "foo", namespace)
        wait_until(lambda: not len(work.queue))
        work.queue.add(work.keys()[0])
        wait_until(lambda: not len(work.queue))

        assert kinds.get(API_VERSION, SOURCE, "foo", namespace) == before


def test_deleted_deployment_is_created_again(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        first = wait_deployment(kinds, "foo-adapter", namespace)
        kinds.delete("apps/v1", "Deployment", "foo-adapter", namespace)

        def second_uid() -> str:
            live = kinds.get("apps/v1", "Deployment", "foo-adapter", namespace)
            return live["metadata"]["uid"] if live else ""

        wait_until(lambda: second_uid() not in ("", first["metadata"]["uid"]))


def test_unwatched_child_is_created_again_on_request(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace) as work:
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        kinds.delete("v1", "ConfigMap", "foo-configmap", namespace)
        work.look_again()

        wait_until(lambda: kinds.get("v1", "ConfigMap", "foo-configmap", namespace))


def test_changed_source_changes_its_children(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        create_service_account(kinds, namespace, "own")
        change = {"spec": {"address": "https://other.example", "serviceAccountName": "own"}}
        kinds.patch(API_VERSION, SOURCE, "foo", namespace, change)

        def deployment() -> dict[str, Any]:
            return kinds.get("apps/v1", "Deployment", "foo-adapter", namespace) or {}

        wait_until(lambda: environment(deployment()).get("VC_URL") == "https://other.example")
        assert deployment()["spec"]["template"]["spec"]["serviceAccountName"] == "own"
        binding = kinds.get(API_VERSION, "VSphereBinding", "foo-vspherebinding", namespace) or {}
        assert binding["spec"]["address"] == "https://other.example"
        rights = kinds.get("rbac.authorization.k8s.io/v1", "RoleBinding", "foo-rolebinding", namespace) or {}
        assert rights["subjects"][0]["name"] == "own"


def test_quantity_in_another_spelling_is_not_written_again(kinds: ApiServer, namespace: str) -> None:
    resources = {"requests": {"cpu": "0.1", "memory": "134217728"}}
    with running_controller(kinds, namespace) as work:
        kinds.create(predecessor.vsphere_source("foo", resources=resources), namespace)
        before = wait_deployment(kinds, "foo-adapter", namespace)
        for _ in range(3):
            work.look_again()
            wait_until(lambda: not len(work.queue))

        after = kinds.get("apps/v1", "Deployment", "foo-adapter", namespace) or {}
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_child_of_somebody_else_is_left_alone_and_named(kinds: ApiServer, namespace: str) -> None:
    source = {**predecessor.vsphere_source("foo"), "metadata": {"name": "foo", "namespace": namespace}}
    foreign = predecessor.deployment(source)
    kinds.create(foreign, namespace)
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        failed = wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "False", "NotOwned")

    assert 'deployment "foo-adapter" is not owned by VSphereSource "foo"' in failed.message
    kept = kinds.get("apps/v1", "Deployment", "foo-adapter", namespace) or {}
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == predecessor.IMAGE


# ── conditions ──


def test_source_is_ready_with_its_binding_and_deployment(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        set_available(kinds, "foo-adapter", namespace, "True")
        bound = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        change = {"status": {"conditions": [bound]}}
        kinds.patch(API_VERSION, "VSphereBinding", "foo-vspherebinding", namespace, change, "status")

        wait_condition(kinds, SOURCE, "foo", namespace, "Ready", "True")
        status = (kinds.get(API_VERSION, SOURCE, "foo", namespace) or {})["status"]
    assert [entry["type"] for entry in status["conditions"]] == ["AdapterReady", "AuthReady", "Ready"]
    assert status["observedGeneration"] == 1
    assert status["sinkUri"] == "http://sink.example"


def test_unavailable_deployment_is_the_reason(kinds: ApiServer, namespace: str) -> None:
    reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        set_available(kinds, "foo-adapter", namespace, "False", reason, message)

        failed = wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "False")
    assert (failed.reason, failed.message) == (reason, message)


def test_missing_service_account_is_named_and_heals(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo", serviceAccountName="late"), namespace)
        failed = wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "False")
        assert failed.reason == "ServiceAccountNotFound"
        assert failed.message == 'failed to get serviceaccount "late": serviceaccounts "late" not found'
        wait_until(lambda: ("Warning", "InternalError", failed.message) in events(kinds, namespace))
        assert kinds.get("apps/v1", "Deployment", "foo-adapter", namespace) is None

        create_service_account(kinds, namespace, "late")

        wait_deployment(kinds, "foo-adapter", namespace, seconds=3)
        wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "Unknown")


def test_missing_sink_is_named_and_heals(kinds: ApiServer, namespace: str) -> None:
    source = predecessor.vsphere_source("foo")
    source["spec"]["sink"] = sink_of("late")
    with running_controller(kinds, namespace):
        kinds.create(source, namespace)
        failed = wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "False", "SinkNotFound")
        assert failed.message == f'failed to get object {namespace}/late: services "late" not found'

        kinds.create(service("late"), namespace)

        deployment = wait_deployment(kinds, "foo-adapter", namespace, seconds=3)
    assert environment(deployment)["K_SINK"] == f"http://late.{namespace}.svc.cluster.local"


def test_unknown_kind_of_sink_is_named(kinds: ApiServer, namespace: str) -> None:
    source = predecessor.vsphere_source("foo")
    source["spec"]["sink"] = sink_of("b", "Broker", "eventing.knative.dev/v1")
    with running_controller(kinds, namespace):
        kinds.create(source, namespace)
        failed = wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "False", "SinkNotFound")

    assert "failed to get lister for eventing.knative.dev/v1 Broker" in failed.message


def test_changed_address_of_the_sink_is_followed(kinds: ApiServer, namespace: str) -> None:
    sink = predecessor.vsphere_source("sink")  # any object with an address in its status
    address = {"status": {"address": {"url": "http://first.example"}}}
    source = predecessor.horizon_source("foo")
    source["spec"]["sink"] = sink_of("sink", SOURCE, API_VERSION)
    kinds.create(sink, namespace)
    with running_controller(kinds, namespace):
        kinds.create(source, namespace)
        empty = wait_condition(kinds, "HorizonSource", "foo", namespace, "SinkProvided", "Unknown", "SinkEmpty")
        assert empty.message.startswith("Sink has resolved to empty.")
        kinds.patch(API_VERSION, SOURCE, "sink", namespace, address, "status")
        wait_deployment(kinds, "foo-adapter", namespace)
        address["status"]["address"]["url"] = "http://second.example"
        kinds.patch(API_VERSION, SOURCE, "sink", namespace, address, "status")

        def sink_uri() -> str:
            return environment(wait_deployment(kinds, "foo-adapter", namespace))["K_SINK"]

        wait_until(lambda: sink_uri() == "http://second.example")
        kinds.delete(API_VERSION, SOURCE, "sink", namespace)

        wait_condition(kinds, "HorizonSource", "foo", namespace, "SinkProvided", "False", "NotFound")
        assert sink_uri() == "http://second.example"


def test_horizon_source_gets_a_service_account(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.horizon_source("foo", serviceAccountName="made"), namespace)
        deployment = wait_deployment(kinds, "foo-adapter", namespace)
        report = ("Normal", "ServiceAccountCreated", f'created service account: "{namespace}/made"')
        wait_until(lambda: report in events(kinds, namespace))

        assert kinds.get("v1", "ServiceAccount", "made", namespace) is not None
        assert deployment["spec"]["selector"]["matchLabels"] == {
            "knative-eventing-source": "horizon-source-controller",
            "knative-eventing-source-name": "foo",
        }
        failed = wait_condition(kinds, "HorizonSource", "foo", namespace, "Deployed", "False")
        assert failed.message == "The Deployment 'foo-adapter' is unavailable."
        set_available(kinds, "foo-adapter", namespace, "True")
        wait_condition(kinds, "HorizonSource", "foo", namespace, "Ready", "True")


def test_deleted_child_comes_back(kinds: ApiServer, namespace: str) -> None:
    children = [
        (RBAC, "Role", "foo-checkpoint"),
        (RBAC, "RoleBinding", "foo-rolebinding"),
        (RBAC, "Role", "bar-checkpoint"),
        ("v1", "ServiceAccount", "made"),
        (API_VERSION, "VSphereBinding", "foo-vspherebinding"),
        ("apps/v1", "Deployment", "foo-adapter"),
    ]
    with running_controller(kinds, namespace) as work:
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        kinds.create(predecessor.horizon_source("bar", serviceAccountName="made"), namespace)
        for name in ("foo", "bar"):
            wait_deployment(kinds, f"{name}-adapter", namespace)
        wait_until(lambda: not len(work.queue))
        for child in children:
            kinds.delete(*child, namespace)

        for child in children:
            wait_until(functools.partial(kinds.get, *child, namespace), 3, f"{child[2]} is back")


def test_changed_rights_are_corrected(kinds: ApiServer, namespace: str) -> None:
    role = (RBAC, "Role", "foo-checkpoint", namespace)
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        rules = (kinds.get(*role) or {})["rules"]

        kinds.patch(*role, {"rules": []})

        wait_until(lambda: (kinds.get(*role) or {})["rules"] == rules, 3)


def test_deleted_checkpoint_comes_back_for_an_adapter_without(kinds: ApiServer, namespace: str) -> None:
    config_map = ("v1", "ConfigMap", "foo-configmap", namespace)
    with running_controller(kinds, namespace) as work:
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        set_available(kinds, "foo-adapter", namespace, "True")
        wait_condition(kinds, SOURCE, "foo", namespace, "AdapterReady", "True")
        wait_until(lambda: not len(work.queue))
        kinds.delete(*config_map)

        set_available(kinds, "foo-adapter", namespace, "False", "MinimumReplicasUnavailable")

        wait_until(lambda: kinds.get(*config_map), 3, "the ConfigMap is back")


def test_log_level_of_the_predecessor_is_followed(kinds: ApiServer, namespace: str) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config-logging"}}
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)
        data = {"zap-logger-config": '{\n  "level": "debug",\n  "encoding": "json"\n}'}
        kinds.create({**config, "data": data}, namespace)

        wait_until(lambda: environment(wait_deployment(kinds, "foo-adapter", namespace))["LOG_LEVEL"] == "DEBUG")


# ── adoption ──


def test_predecessors_objects_are_adopted_in_place(kinds: ApiServer, namespace: str) -> None:
    source = kinds.create(predecessor.vsphere_source("foo"), namespace)
    before = {child["kind"]: kinds.create(child, namespace) for child in predecessor.children(source, CHECKPOINT)}
    with running_controller(kinds, namespace) as work:

        def deployment() -> dict[str, Any]:
            return wait_deployment(kinds, "foo-adapter", namespace)

        wait_until(lambda: deployment()["spec"]["template"]["spec"]["containers"][0]["image"] == ADAPTER_IMAGE)
        wait_until(lambda: not len(work.queue))

        after = deployment()
        assert after["metadata"]["uid"] == before["Deployment"]["metadata"]["uid"]
        assert "VSPHERE_CHECKPOINT_CONFIG" not in environment(after)
        assert environment(after)["CHECKPOINT"] == "configmap:foo-configmap"
        assert after["metadata"]["generation"] == 2, "the adapter rolls once"
        config_map = kinds.get("v1", "ConfigMap", "foo-configmap", namespace) or {}
        assert config_map["metadata"]["resourceVersion"] == before["ConfigMap"]["metadata"]["resourceVersion"]
        rights = kinds.get("rbac.authorization.k8s.io/v1", "RoleBinding", "foo-rolebinding", namespace) or {}
        assert rights["roleRef"]["name"] == "foo-checkpoint"
        binding = kinds.get(API_VERSION, "VSphereBinding", "foo-vspherebinding", namespace) or {}
        assert binding["metadata"]["uid"] == before["VSphereBinding"]["metadata"]["uid"]
        assert binding["spec"] == before["VSphereBinding"]["spec"]


def test_prepared_checkpoint_without_owner_is_kept(kinds: ApiServer, namespace: str) -> None:
    prepared = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "foo-configmap"},
        "data": {"checkpoint": '{"lastEventKeyTimestamp": "2026-01-01T00:00:00Z"}'},
    }
    before = kinds.create(prepared, namespace)
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)
        wait_deployment(kinds, "foo-adapter", namespace)

    assert kinds.get("v1", "ConfigMap", "foo-configmap", namespace) == before


def test_predecessors_webhooks_are_deleted_first(kinds: ApiServer, namespace: str) -> None:
    source = kinds.create(predecessor.vsphere_source("foo"), namespace)
    obsolete = predecessor.webhook_configurations()
    for configuration in obsolete:
        kinds.create(configuration)
    try:
        with running_controller(kinds, namespace, RETIRE_PREDECESSOR="true"):
            wait_deployment(kinds, "foo-adapter", namespace)
            for configuration in obsolete:
                name = configuration["metadata"]["name"]
                assert kinds.get(configuration["apiVersion"], configuration["kind"], name) is None
    finally:
        for configuration in obsolete:
            kinds.respond("DELETE", kinds.path(configuration))
    assert condition(kinds, SOURCE, source["metadata"]["name"], namespace, "Ready") is not None
