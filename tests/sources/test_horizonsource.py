"""Tests of the adapter's environment and pod of a HorizonSource."""

from typing import Any

import pytest

from sources import horizonsource

SINK = "http://broker-ingress.knative-eventing.svc.cluster.local/default/default"
SOURCE: dict[str, Any] = {
    "metadata": {"name": "horizon-01", "namespace": "default"},
    "spec": {
        "address": "https://horizon.example",
        "secretRef": {"name": "horizon.credentials"},
        "sink": {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "default"}},
        "serviceAccountName": "horizon-source-sa",
    },
}


def source(**fields: Any) -> dict[str, Any]:
    """Return the source with *fields* in its spec."""
    return {**SOURCE, "spec": {**SOURCE["spec"], **fields}}


@pytest.mark.parametrize(
    ("fields", "variable", "value"),
    [
        ({}, "HORIZON_URL", "https://horizon.example"),
        ({}, "HORIZON_INSECURE", "false"),
        ({"skipTLSVerify": True}, "HORIZON_INSECURE", "true"),
        ({}, "CHECKPOINT", "configmap:horizon-01-configmap"),
        ({}, "K_SINK", SINK),
        ({}, "SINK_RESEND", "5s"),
        ({"ceOverrides": {"extensions": {"site": "b"}}}, "K_CE_OVERRIDES", '{"extensions": {"site": "b"}}'),
        (
            {"caBundle": {"secretKeyRef": {"name": "ca", "key": "tls.crt"}}},
            "HORIZON_CA_BUNDLE",
            "/etc/ca-bundle/ca.pem",
        ),
    ],
)
def test_field_becomes_a_variable(fields: dict[str, Any], variable: str, value: str) -> None:
    assert horizonsource.environment(source(**fields), SINK)[variable] == value


def test_login_is_mounted_where_the_predecessor_had_it() -> None:
    pod = horizonsource.pod_template(SOURCE, SINK, "image:1")["spec"]

    mount = pod["containers"][0]["volumeMounts"][0]
    assert (mount["mountPath"], mount["readOnly"]) == ("/var/bindings/horizon", True)
    assert pod["volumes"][0] == {"name": mount["name"], "secret": {"secretName": "horizon.credentials"}}


def test_name_of_the_volume_is_valid_for_every_secret() -> None:
    """The predecessor's had the name of the Secret, which may have dots. Volumes may not."""
    assert "." not in horizonsource.pod_template(SOURCE, SINK, "image:1")["spec"]["volumes"][0]["name"]


def test_labels_are_the_predecessors() -> None:
    assert horizonsource.labels(SOURCE) == {
        "knative-eventing-source": "horizon-source-controller",
        "knative-eventing-source-name": "horizon-01",
    }


def test_pod_has_the_service_account_and_both_volumes() -> None:
    content = source(caBundle={"configMapKeyRef": {"name": "ca", "key": "ca.crt"}})

    pod = horizonsource.pod_template(content, SINK, "image:1")["spec"]

    assert pod["serviceAccountName"] == "horizon-source-sa"
    assert [volume["name"] for volume in pod["volumes"]] == ["horizon-credentials", "ca-bundle", "tmp"]
