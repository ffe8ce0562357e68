"""Manifests: what is read, and what is rejected by file, object and field."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local.config import ConfigMap, Secret
from local.engine import ROOT
from local.environment import Service
from local.kinds.broker import Trigger
from local.manifests import ManifestError, load
from local.objects import Name, Object
from tests.support.flood import memory_peak

Write = Callable[..., Path]

SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: display}
spec: {template: {spec: {containers: [{image: "registry.example:5000/team/vcenter-events:1.2"%s}]%s}}}
"""
BROKER = """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec: {%s}
"""
TRIGGER = """
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: display}
spec:
  broker: default
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: display}%s}
  %s
"""
PING = """
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: tick}
spec: {sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: display}}, %s}
"""
BINDING = """
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: display}
spec: {subject: {%s}, sink: {uri: "http://sink.example/"}}
"""
DISPLAY = SERVICE % ("", "")
DEFAULT = BROKER % ""


def container(fields: str, pod: str = "") -> str:
    return SERVICE % (f", {fields}", f", {pod}" if pod else "")


def errors(path: Path) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as rejection:
        load([path])
    return rejection.value.errors


def test_the_projects_own_manifests_are_read() -> None:
    objects = load([ROOT / "config", ROOT / "triggers"])

    assert {name.name for name in objects.of(Trigger)} <= {name.name for name in objects.of(Service)}


def test_later_object_replaces_an_earlier_one(manifest: Write, tmp_path: Path) -> None:
    config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: vcenter, namespace: x}, data: {VC_URL: '%s'}}"
    manifest(config % "second", "020.yaml")
    manifest(config % "first", "010.yaml")
    manifest("{kind: Kustomization, apiVersion: kustomize.config.k8s.io/v1beta1, resources: [a]}", "kustomization.yaml")
    manifest("not yaml: [", "notes.txt")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "030.yaml").write_text("not yaml: [")

    assert load([tmp_path]).of(ConfigMap)[Name("x", "vcenter")].data == {"VC_URL": b"second"}
    assert load([tmp_path, tmp_path / "010.yaml"]).of(ConfigMap)[Name("x", "vcenter")].data == {"VC_URL": b"first"}


def test_secret_is_decoded_and_plain_text_wins(manifest: Write) -> None:
    path = manifest(
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {user: Ym9i, pass: eA==}, stringData: {pass: y}}"
    )

    assert load([path]).of(Secret)[Name("default", "a")].data == {"user": b"bob", "pass": b"y"}


def test_secret_does_not_print_its_values(manifest: Write) -> None:
    path = manifest("{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {password: hunter2}}")

    assert "hunter2" not in repr(load([path]).of(Secret))


def test_objects_without_local_meaning_are_accepted(manifest: Write) -> None:
    manifest_text = "\n---\n".join(
        f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}, rules: []}}"
        for version, kind in (
            ("v1", "Namespace"),
            ("v1", "ServiceAccount"),
            ("rbac.authorization.k8s.io/v1", "Role"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        )
    )

    assert load([manifest(manifest_text)]).of(Object) == {}


REJECTED: list[tuple[str, str, str]] = [
    (
        "an unknown kind",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}",
        "Deployment a: kind: local does",
    ),
    (
        "a channel",
        "{apiVersion: messaging.knative.dev/v1, kind: Channel, metadata: {name: a}}",
        "Channel a: kind: local",
    ),
    ("another version", DISPLAY.replace("/v1", "/v1beta1"), "Service display: kind: local does not run Service of"),
    ("no name", "{apiVersion: v1, kind: Secret, metadata: {}}", "Secret: metadata.name: is missing"),
    ("a name with a path", "{apiVersion: v1, kind: Secret, metadata: {name: ../a}}", "metadata.name: is '../a'"),
    (
        "a key with a path",
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {../b: c}}",
        "stringData.../b",
    ),
    ("not base64", "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {b: '%'}}", "data.b: is not base64"),
    ("a number as a text", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {b: 1}}", "data.b: is 1, not"),
    ("no YAML", "a: [", "cannot be read as YAML"),
    ("a list as a key", "{[a]: b}", "a key is not text"),
    ("a key twice", "{apiVersion: v1, apiVersion: v2}", "the key 'apiVersion' is given twice"),
    ("no object", "- a", "holds something that is not an object"),
    (
        "another image",
        DISPLAY.replace("vcenter-events", "nginx"),
        "containers[0].image: is 'registry.example:5000/team/ng",
    ),
    (
        "a command",
        container("command: [sh]"),
        "spec.template.spec.containers[0].command: local runs only the project's",
    ),
    ("arguments", container("args: [-v]"), "containers[0].args: local runs only the project's"),
    ("a working folder", container("workingDir: /x"), "containers[0].workingDir: local does not support"),
    ("two containers", container("env: []}, {image: vcenter-events"), "containers: has 2 containers"),
    ("a pod field", container("env: []", "initContainers: []"), "template.spec.initContainers: local does not support"),
    ("traffic", DISPLAY.replace("spec: {template", "spec: {traffic: [], template"), "spec.traffic: local does not"),
    ("a value that expands", container("env: [{name: A, value: $(B)}]"), "env[0].value: local does not expand"),
    (
        "a resource field",
        container("env: [{name: A, valueFrom: {resourceFieldRef: {}}}]"),
        "valueFrom.resourceFieldRef",
    ),
    (
        "a missing secret",
        container("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]"),
        "no Secret default/s",
    ),
    ("a missing import", container("envFrom: [{configMapRef: {name: c}}]"), "no ConfigMap default/c"),
    (
        "a checkpoint that is a path",
        container("env: [{name: CHECKPOINT, value: 'configmap:../x'}]"),
        "does not name a ConfigMap",
    ),
    ("no such volume", container("volumeMounts: [{name: v, mountPath: /v}]"), "there is no volume 'v'"),
    (
        "a mount that no variable names",
        container("volumeMounts: [{name: v, mountPath: /v}]", "volumes: [{name: v, emptyDir: {}}]"),
        "nothing is mounted at /v here",
    ),
    (
        "a part of a volume",
        container("volumeMounts: [{name: v, mountPath: /v, subPath: x}]", "volumes: [{name: v, emptyDir: {}}]"),
        "volumeMounts[0].subPath: local does not support",
    ),
    (
        "another kind of volume",
        container("volumeMounts: [{name: v, mountPath: /v}]", "volumes: [{name: v, hostPath: {path: /}}]"),
        "volumes[0].hostPath: local does not support",
    ),
    (
        "another class of broker",
        DEFAULT.replace("{name: default}", "{name: default, annotations: {eventing.knative.dev/broker.class: Kafka}}"),
        "metadata.annotations.eventing.knative.dev/broker.class: is 'Kafka'",
    ),
    (
        "another channel",
        BROKER % "config: {apiVersion: v1, kind: ConfigMap, name: kafka}",
        "spec.config: is not ConfigMap",
    ),
    ("a delivery spec", BROKER % "delivery: {retry: -1}", "Broker default: spec.delivery.retry: is -1"),
    ("a sink of nothing", BROKER % "delivery: {deadLetterSink: {}}", "spec.delivery.deadLetterSink: has neither"),
    ("no such broker", DISPLAY + "---" + TRIGGER % ("", ""), "Trigger display: spec.broker: there is no Broker"),
    (
        "no such subscriber",
        DEFAULT + "---" + TRIGGER % ("", ""),
        "spec.subscriber: there is no Service default/display",
    ),
    (
        "cesql",
        TRIGGER % ("", "filters: [{cesql: 'TRUE'}]"),
        "spec.filters[0].cesql: the dialect cesql is not supported",
    ),
    ("a misspelt filter", TRIGGER % ("", "filtres: []"), "spec.filtres: local does not support"),
    ("a subscriber elsewhere", TRIGGER % (", caCerts: x", ""), "spec.subscriber.caCerts: local does not support"),
    ("a bare core service", TRIGGER.replace("serving.knative.dev/v1", "v1") % ("", ""), "no address for Service of v1"),
    ("a schedule", PING % "schedule: '@every 10s'", "PingSource tick: spec.schedule: is '@every 10s'"),
    ("a time zone", PING % "timezone: Mars", "names the time zone 'Mars'"),
    ("data that is not JSON", PING % "contentType: application/json, data: '[1]'", "spec.data: is not a JSON object"),
    ("data twice", PING % "data: a, dataBase64: Yg==", "spec.data: is set, and dataBase64 too"),
    (
        "a binding of a Deployment",
        BINDING % "apiVersion: apps/v1, kind: Deployment, name: a",
        "spec.subject: local binds",
    ),
    (
        "a binding of nothing",
        BINDING % "apiVersion: serving.knative.dev/v1, kind: Service, name: a",
        "no Service default/a",
    ),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED])
def test_what_local_cannot_run_is_rejected(manifest: Write, text: str, message: str) -> None:
    result = errors(manifest(text, "100-some.yaml"))

    assert len(result) == 1
    assert "100-some.yaml: " in result[0]
    assert message in result[0]


def test_all_errors_of_all_files_are_reported_at_once(manifest: Write, tmp_path: Path) -> None:
    manifest(container("command: [sh], args: [-v]"), "1.yaml")
    manifest(PING % "schedule: never", "2.yaml")
    manifest("a: [", "3.yaml")

    assert len(errors(tmp_path)) == 4


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    assert errors(tmp_path / "none") == (f"{tmp_path / 'none'}: there is no such file or folder",)


def test_same_service_in_two_namespaces_is_rejected(manifest: Write) -> None:
    other = DISPLAY.replace("{name: display}", "{name: display, namespace: other}")

    assert "another namespace also has a Service of this name" in errors(manifest(DISPLAY + "---" + other))[0]


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x]"] + [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 8)}]" for n in range(8)]
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{BOMB}\ndata: {{x: *a8}}", id="aliases"),
        pytest.param(TRIGGER.replace("%s", "", 1) % "filters: &f [{all: *f}]", id="a filter in itself"),
        pytest.param(
            TRIGGER.replace("%s", "", 1) % f"filters: [{'{not: ' * 200}{{exact: {{type: a}}}}{'}' * 200}]", id="deep"
        ),
        pytest.param("[" * 5_000, id="deep text"),
    ],
)
def test_document_without_bounds_is_rejected_quickly(manifest: Write, text: str) -> None:
    path = manifest(text)
    with memory_peak() as peak:
        [error] = errors(path)
    assert "cannot be read as YAML" in error
    assert "levels" in error
    assert len(error) < 500
    assert peak[0] < 30_000_000


def test_aliases_of_a_usual_number_are_read(manifest: Write) -> None:
    path = manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: &x one, y: *x}}")
    assert load([path]).of(ConfigMap)[Name("default", "a")].data == {"x": b"one", "y": b"one"}
