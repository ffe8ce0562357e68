"""Tests of the adapter's environment and pod: what a VSphereSource says reaches the poller's settings."""

import copy
from typing import Any

import pytest

from functions.poller.settings import PollerSettings
from pipeline import settings
from sources import adapter, vspheresource

SINK = "http://broker-ingress.knative-eventing.svc.cluster.local/default/inmem-broker"
SOURCE: dict[str, Any] = {
    "metadata": {"name": "vcsa-source", "namespace": "default"},
    "spec": {
        "address": "https://vcenter.corp.local",
        "skipTLSVerify": True,
        "secretRef": {"name": "vsphere-credentials"},
        "sink": {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "inmem-broker"}},
    },
}


def source(**fields: Any) -> dict[str, Any]:
    """Return the source with *fields* in its spec."""
    return {**SOURCE, "spec": {**SOURCE["spec"], **fields}}


def poller_settings(content: dict[str, Any]) -> PollerSettings:
    """Return the settings of the poller that the controller starts for *content*."""
    login = {"VC_URL": content["spec"]["address"], "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
    return settings.read(PollerSettings, {**vspheresource.environment(content, SINK), **login})


def test_poller_of_a_minimal_source_has_the_defaults() -> None:
    values = poller_settings(SOURCE)

    assert values.sink.url == SINK
    assert values.encoding == "application/xml"
    assert values.checkpoint.address == "configmap:vcsa-source-configmap"
    assert values.replay_window_seconds == 300
    assert values.checkpoint.period_seconds == 10
    assert values.sink.resend_seconds == 5
    assert values.follow_seconds == float("inf")
    assert values.vcenter.event_types == ()
    assert values.vcenter.entity is None


@pytest.mark.parametrize(
    ("fields", "variable", "value"),
    [
        ({"payloadEncoding": "Application/JSON"}, "PAYLOAD_ENCODING", "application/json"),
        ({"payloadEncoding": ""}, "PAYLOAD_ENCODING", "application/xml"),
        ({"checkpointConfig": {"maxAgeSeconds": 3600, "periodSeconds": 60}}, "CHECKPOINT_MAX_AGE", "3600s"),
        ({"checkpointConfig": {"maxAgeSeconds": 3600, "periodSeconds": 60}}, "CHECKPOINT_PERIOD", "60s"),
        ({"checkpointConfig": {"maxAgeSeconds": 0, "periodSeconds": 0}}, "CHECKPOINT_MAX_AGE", "0s"),
        ({"checkpointConfig": {"maxAgeSeconds": 0, "periodSeconds": 0}}, "CHECKPOINT_PERIOD", "10s"),
        ({"checkpointConfig": {"maxAgeSeconds": 0}}, "SINK_RESEND", "0"),
        ({"ceOverrides": {"extensions": {"site": "berlin"}}}, "K_CE_OVERRIDES", '{"extensions": {"site": "berlin"}}'),
        (
            {"eventTypes": ["VmPoweredOnEvent", "VmPoweredOffEvent"]},
            "EVENT_TYPES",
            "VmPoweredOnEvent,VmPoweredOffEvent",
        ),
        ({"entity": "Folder/group-d1"}, "ENTITY", "Folder/group-d1"),
        ({"caBundle": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}}, "VC_CA_BUNDLE", "/etc/ca-bundle/ca.pem"),
    ],
)
def test_field_becomes_a_variable(fields: dict[str, Any], variable: str, value: str) -> None:
    assert vspheresource.environment(source(**fields), SINK)[variable] == value


def test_source_that_never_replays_sends_an_event_once_at_most() -> None:
    values = poller_settings(source(checkpointConfig={"maxAgeSeconds": 0, "periodSeconds": 10}))

    assert values.replay_window_seconds == 0
    assert values.sink.resend_seconds == 0


def test_pod_carries_the_fields_of_a_pod() -> None:
    resources = {"limits": {"memory": "1Gi"}}
    tolerations = [{"key": "edge", "operator": "Exists"}]

    template = vspheresource.pod_template(
        source(resources=resources, nodeSelector={"zone": "a"}, tolerations=tolerations, serviceAccountName="own"),
        SINK,
        "image:1",
    )

    assert template["metadata"]["labels"] == {"vspheresources.sources.tanzu.vmware.com/name": "vcsa-source"}
    assert template["spec"]["nodeSelector"] == {"zone": "a"}
    assert template["spec"]["tolerations"] == tolerations
    assert template["spec"]["serviceAccountName"] == "own"
    assert template["spec"]["containers"][0]["resources"] == resources


def test_pod_without_these_fields_has_defaults() -> None:
    pod = vspheresource.pod_template(SOURCE, SINK, "image:1")["spec"]

    assert not pod.keys() & {"nodeSelector", "tolerations"}
    assert pod["serviceAccountName"] == "default"
    assert pod["containers"][0]["resources"] == adapter.RESOURCES
    assert pod["containers"][0]["image"] == "image:1"


@pytest.mark.parametrize(
    ("ca_bundle", "volume"),
    [
        ({"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}, {"configMap": {"name": "ca"}}),
        ({"secretKeyRef": {"name": "ca", "key": "ca.crt"}}, {"secret": {"secretName": "ca"}}),
    ],
)
def test_ca_bundle_is_mounted_as_one_file(ca_bundle: dict[str, Any], volume: dict[str, Any]) -> None:
    pod = vspheresource.pod_template(source(caBundle=ca_bundle), SINK, "image:1")["spec"]

    (kind, expected) = copy.deepcopy(list(volume.items()))[0]
    expected["items"] = [{"key": "ca.crt", "path": "ca.pem"}]
    assert pod["volumes"][0] == {"name": "ca-bundle", kind: expected}
    assert pod["containers"][0]["volumeMounts"][0] == {
        "name": "ca-bundle", "mountPath": "/etc/ca-bundle", "readOnly": True,
    }  # fmt: skip
