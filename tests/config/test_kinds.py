"""The rules of the three kinds on a real API server: defaults (D), rejections (V) with the predecessor's words."""

import subprocess
from typing import Any

import pytest

from sources import names, vspheresource
from tests.support.api_server import ApiServer, Object, Rejected
from tests.support.documentation import command_with
from tests.support.kinds import (
    API_VERSION,
    BROKER,
    SUBJECT,
    horizon_source,
    install,
    manifest,
    vsphere_binding,
    vsphere_source,
)
from tests.support.manifests import ROOT
from tests.support.requirements import require_built
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

URI = {"uri": "https://sink.example"}
NO_SINK = "expected at least one, got none: spec.sink.ref, spec.sink.uri"
LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
IDENTIFIER = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric"
NOT_HTTP = "not an http or https URL without credentials"
POLICY = "vspherebindings.sources.tanzu.vmware.com"
IMMUTABLE = "Immutable fields changed (-old +new): spec"


@pytest.fixture(scope="module")
def namespace(kinds: ApiServer) -> str:
    """A namespace of these tests."""
    return kinds.create_namespace("kinds")


def stored(kinds: ApiServer, content: Object, namespace: str) -> dict[str, Any]:
    """Return the spec that *content* would be stored with."""
    spec: dict[str, Any] = kinds.create(content, namespace, "dryRun=All&fieldValidation=Strict")["spec"]
    return spec


def rejection(kinds: ApiServer, content: Object, namespace: str) -> str:
    """Return the message with which the API server rejects *content*."""
    with pytest.raises(Rejected) as caught:
        stored(kinds, content, namespace)
    return caught.value.message


# ── D: defaults ──


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"checkpointConfig": {"maxAgeSeconds": 300, "periodSeconds": 10}}, id="D1 checkpoint"),
        pytest.param({}, {"payloadEncoding": "application/xml"}, id="D1 encoding"),
        pytest.param(
            {"payloadEncoding": "application/json"},
            {"payloadEncoding": "application/json", "checkpointConfig": {"maxAgeSeconds": 300, "periodSeconds": 10}},
            id="D2",
        ),
        pytest.param({"sink": {"ref": BROKER}}, {"sink": {"ref": BROKER}}, id="D3"),
        pytest.param(
            {"checkpointConfig": {"maxAgeSeconds": 3600, "periodSeconds": 60}},
            {"checkpointConfig": {"maxAgeSeconds": 3600, "periodSeconds": 60}},
            id="D4",
        ),
        pytest.param({"serviceAccountName": "test-svc-acc"}, {"serviceAccountName": "test-svc-acc"}, id="D5"),
        pytest.param(
            {"checkpointConfig": {"maxAgeSeconds": 0}},
            {"checkpointConfig": {"maxAgeSeconds": 0, "periodSeconds": 10}},
            id="an explicit 0 stays",
        ),
    ],
)
def test_vspheresource_gets_defaults(
    kinds: ApiServer, namespace: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert expected.items() <= stored(kinds, vsphere_source(**fields), namespace).items()


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(lambda namespace: {**SUBJECT, "namespace": namespace}, id="D6"),
        pytest.param(lambda _: SUBJECT, id="D7 resolved when used"),
    ],
)
def test_subject_of_a_vspherebinding_stays_as_it_is(kinds: ApiServer, namespace: str, subject: Any) -> None:
    content = vsphere_binding(subject=subject(namespace))

    assert stored(kinds, content, namespace)["subject"] == subject(namespace)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"serviceAccountName": "default"}, id="D8"),
        pytest.param({"sink": {"ref": BROKER}}, {"sink": {"ref": BROKER}}, id="D9 resolved when used"),
    ],
)
def test_horizonsource_gets_defaults(
    kinds: ApiServer, namespace: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert expected.items() <= stored(kinds, horizon_source(**fields), namespace).items()


# ── V: what is accepted ──


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(vsphere_source(sink=URI, payloadEncoding="application/xml"), id="V1"),
        pytest.param(vsphere_source(sink=URI, serviceAccountName="test-svc-acc"), id="V2"),
        pytest.param(vsphere_source(sink=URI, payloadEncoding="application/json"), id="V3"),
        pytest.param(vsphere_binding(), id="V8"),
        pytest.param(
            horizon_source(sink={"ref": {"apiVersion": "v1", "kind": "Deployment", "name": "any-kind"}}), id="V15"
        ),
        pytest.param(vsphere_source(payloadEncoding="Application/JSON"), id="encoding in any case"),
        pytest.param(vsphere_source(payloadEncoding=""), id="empty encoding"),
        pytest.param(vsphere_source(checkpointConfig={"maxAgeSeconds": 0, "periodSeconds": 0}), id="zeros"),
        pytest.param(vsphere_source(serviceAccountName=""), id="empty ServiceAccount"),
        pytest.param(vsphere_source(address="https://vcenter.example:8443/sdk"), id="address with port and path"),
        pytest.param(vsphere_source(address="https://[fd00::1]/sdk"), id="address in IPv6"),
        pytest.param(vsphere_source(sink={"ref": BROKER, "uri": "/hello?filter=test"}), id="ref and path"),
        pytest.param(vsphere_source(sink={"ref": {}, "uri": "/path"}), id="ref is not checked with a relative uri"),
        pytest.param(vsphere_source(sink={"ref": {**BROKER, "namespace": "elsewhere"}}), id="sink elsewhere"),
        pytest.param(vsphere_source(sink={**URI, "audience": "sink"}), id="audience"),
        pytest.param(vsphere_source(ceOverrides={"extensions": {"site": "berlin"}}), id="ceOverrides"),
        pytest.param(vsphere_source(ceOverrides={}), id="empty ceOverrides"),
        pytest.param(vsphere_binding(subject={**SUBJECT, "name": None, "selector": {}} | {"name": ""}), id="selector"),
        pytest.param(
            vsphere_binding(
                subject={
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "selector": {
                        "matchLabels": {"app.kubernetes.io/name": "govc"},
                        "matchExpressions": [
                            {"key": "job-name", "operator": "In", "values": ["a", "b"]},
                            {"key": "manual", "operator": "DoesNotExist"},
                        ],
                    },
                }
            ),
            id="selector with expressions",
        ),
        pytest.param(vsphere_source(eventTypes=["VmPoweredOnEvent"], entity="Folder/group-d1"), id="filters"),
        pytest.param(vsphere_source(caBundle={"secretKeyRef": {"name": "ca", "key": "tls.crt"}}), id="caBundle"),
        pytest.param(
            vsphere_source(
                resources={"limits": {"cpu": 1, "memory": "256Mi"}, "requests": {"cpu": "100m"}},
                nodeSelector={"zone": "a"},
                tolerations=[{"key": "edge", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
            ),
            id="pod",
        ),
    ],
)
def test_valid_object_is_accepted(kinds: ApiServer, namespace: str, content: Object) -> None:
    kinds.create(content, namespace, "dryRun=All&fieldValidation=Strict")


# ── V: what is rejected, with the predecessor's message ──


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"payloadEncoding": "application/TEXT"}, "invalid value: application/text: spec.payloadEncoding", id="V4"
        ),
        pytest.param(
            {"address": None, "secretRef": None}, "missing field(s): spec.address.host, spec.secretRef.name", id="V5"
        ),
        pytest.param({"sink": None}, NO_SINK, id="V6"),
        pytest.param({"sink": {}}, NO_SINK, id="V6 empty"),
        pytest.param(
            {"checkpointConfig": {"maxAgeSeconds": -10}},
            "invalid value: -10: spec.checkpointConfig.maxAgeSeconds",
            id="V7 age",
        ),
        pytest.param(
            {"checkpointConfig": {"maxAgeSeconds": -10, "periodSeconds": -5}},
            "invalid value: -5: spec.checkpointConfig.periodSeconds",
            id="V7 period",
        ),
        pytest.param({"address": "vcenter.corp.local"}, "missing field(s): spec.address.host", id="no scheme"),
        pytest.param({"address": "/sdk"}, "missing field(s): spec.address.host", id="a path"),
        pytest.param({"address": ""}, "missing field(s): spec.address.host", id="empty address"),
        pytest.param({"secretRef": {}}, "missing field(s): spec.secretRef.name", id="no name"),
        pytest.param({"secretRef": {"name": ""}}, "missing field(s): spec.secretRef.name", id="empty name"),
        pytest.param(
            {"address": "more cow\x07"},
            'cannot decode incoming new object: parse "more cow\\a": net/url: invalid control character in URL',
            id="control character",
        ),
        pytest.param({"address": "https://host:port"}, "cannot decode incoming new object: parse", id="no port"),
        pytest.param({"address": "ftp://vcenter.example"}, f"{NOT_HTTP}: spec.address", id="scheme"),
        pytest.param({"address": "https://user:pass@vcenter.example"}, f"{NOT_HTTP}: spec.address", id="user"),
        pytest.param(
            {"ceOverrides": {"extensions": {"Site-Name": "x"}}}, "lower-case letters and digits only", id="attribute"
        ),
        pytest.param({"entity": "group-d1"}, "spec.entity", id="entity"),
        pytest.param({"eventTypes": ["Vm Powered"]}, "spec.eventTypes[0]", id="event type"),
        pytest.param({"caBundle": {}}, "expected exactly one: spec.caBundle.configMapKeyRef", id="caBundle"),
        pytest.param({"foo": 1}, 'unknown field "spec.foo"', id="unknown field"),
    ],
)
def test_invalid_vspheresource_is_rejected(
    kinds: ApiServer, namespace: str, fields: dict[str, Any], message: str
) -> None:
    assert message in rejection(kinds, vsphere_source(**fields), namespace)


@pytest.mark.parametrize(("name", "accepted"), [("with-dash", True), ("with.dot", False), ("l" * 120, True)])
def test_name_of_a_vspheresource_suits_its_binding(kinds: ApiServer, namespace: str, name: str, accepted: bool) -> None:
    """A source with a dot in its name could be created, but its binding was rejected forever."""
    subject = {"apiVersion": "apps/v1", "kind": "Deployment", "name": names.adapter_name(name)}

    assert _is_accepted(kinds, vsphere_source(name), namespace) == accepted
    assert _is_accepted(kinds, vsphere_binding(subject=subject), namespace) == accepted


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
SINKS = [
    pytest.param({"ref": None, "uri": None}, NO_SINK, id="neither"),
    pytest.param(
        {"ref": BROKER, "uri": "https://sink.example"},
        "Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present: spec.sink.ref, spec.sink.uri, "
        "spec.sink[apiVersion, kind, name]",
        id="ref and absolute uri",
    ),
    *(
        pytest.param(
            {"uri": uri},
            "invalid value: Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent: spec.sink.uri",
            id=f"uri {uri!r}",
        )
        for uri in ("/path", "path", "", "http:///path", "sink.example")
    ),
    pytest.param(
        {"ref": {}},
        "missing field(s): spec.sink.ref.apiVersion, spec.sink.ref.kind, spec.sink.ref.name",
        id="empty ref",
    ),
    pytest.param({"ref": {**BROKER, "name": ""}}, "missing field(s): spec.sink.ref.name", id="ref without name"),
    pytest.param(
        {"ref": {"kind": "Broker", "name": "x"}}, "missing field(s): spec.sink.ref.apiVersion", id="ref without version"
    ),
    pytest.param(
        {"ref": {"apiVersion": "v1"}}, "missing field(s): spec.sink.ref.kind, spec.sink.ref.name", id="ref version only"
    ),
    pytest.param(
        {"ref": {**BROKER, "group": "eventing.knative.dev"}},
        "must not set the field(s): spec.sink.ref.group",
        id="group",
    ),
    pytest.param({**URI, "CACerts": "x"}, "invalid value: CA Cert provided is invalid: spec.sink.caCert", id="no PEM"),
    pytest.param(
        {**URI, "CACerts": KEY}, "invalid value: CA Cert provided is not a certificate: spec.sink.caCert", id="a key"
    ),
    pytest.param({"uri": "ftp://sink.example"}, f"{NOT_HTTP}: spec.sink.uri", id="scheme of the sink"),
]


@pytest.mark.parametrize("create", [vsphere_source, horizon_source])
@pytest.mark.parametrize(("sink", "message"), SINKS)
def test_invalid_sink_is_rejected(kinds: ApiServer, namespace: str, create: Any, sink: Any, message: str) -> None:
    present = {field: value for field, value in sink.items() if value is not None}

    assert message in rejection(kinds, create(sink=present), namespace)


def test_sink_with_a_certificate_is_accepted(kinds: ApiServer, namespace: str) -> None:
    stored(kinds, vsphere_source(sink={**URI, "CACerts": CERTIFICATE}), namespace)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"subject": {**SUBJECT, "namespace": "different-namespace"}},
            "invalid value: different-namespace: spec.subject.namespace",
            id="V9",
        ),
        pytest.param({"secretRef": None}, "missing field(s): spec.secretRef.name", id="V10"),
        pytest.param({"address": "http:///sdk"}, "missing field(s): spec.address.host", id="V11"),
        pytest.param(
            {"subject": None, "address": None, "secretRef": None},
            "missing field(s): spec.address.host, spec.secretRef.name, spec.subject.apiVersion, spec.subject.kind",
            id="everything",
        ),
        pytest.param(
            {"subject": {**SUBJECT, "apiVersion": ""}}, "missing field(s): spec.subject.apiVersion", id="no apiVersion"
        ),
        pytest.param(
            {"subject": {**SUBJECT, "kind": None}, "address": None},
            "missing field(s): spec.address.host, spec.subject.kind",
            id="no kind, no address",
        ),
        pytest.param(
            {"subject": {**SUBJECT, "apiVersion": "a b"}},
            "invalid value: name part must consist of alphanumeric characters",
            id="apiVersion",
        ),
        pytest.param(
            {"subject": {**SUBJECT, "apiVersion": "Apps/v1"}},
            "invalid value: prefix part a lowercase RFC 1123 subdomain must consist of",
            id="group",
        ),
        pytest.param(
            {"subject": {**SUBJECT, "apiVersion": "a/b/c"}},
            "invalid value: a qualified name must consist of alphanumeric characters",
            id="two slashes",
        ),
        pytest.param({"subject": {**SUBJECT, "kind": "Kn Service"}}, f"invalid value: {IDENTIFIER}", id="kind"),
        pytest.param({"subject": {**SUBJECT, "name": "a.b"}}, f"invalid value: {LABEL}", id="name with a dot"),
        pytest.param({"subject": {**SUBJECT, "name": "Upper"}}, f"invalid value: {LABEL}", id="name in upper case"),
        pytest.param({"subject": {**SUBJECT, "namespace": "a_b"}}, f"invalid value: {LABEL}", id="namespace"),
        pytest.param(
            {"subject": {**SUBJECT, "selector": {}}},
            "expected exactly one, got both: spec.subject.name, spec.subject.selector",
            id="both",
        ),
        pytest.param(
            {"subject": {"apiVersion": "batch/v1", "kind": "Job"}},
            "expected exactly one, got neither: spec.subject.name, spec.subject.selector",
            id="neither",
        ),
        *(
            pytest.param(
                {"subject": {"apiVersion": "batch/v1", "kind": "Job", "selector": {"matchExpressions": [expression]}}},
                f"{message}: spec.subject.selector",
                id=name,
            )
            for name, expression, message in [
                ("operator", {"key": "a", "operator": "Foo"}, '"Foo" is not a valid label selector operator'),
                ("In", {"key": "a", "operator": "In"}, "for 'in', 'notin' operators, values set can't be empty"),
                (
                    "Exists",
                    {"key": "a", "operator": "Exists", "values": ["b"]},
                    "empty for exists and does not exist",
                ),
                ("key", {"key": "a b", "operator": "Exists"}, "invalid value: a key is not the name of a label"),
                ("value", {"key": "a", "operator": "In", "values": ["b c"]}, "a value is not the value of a label"),
            ]
        ),
        pytest.param(
            {"subject": {"apiVersion": "batch/v1", "kind": "Job", "selector": {"matchLabels": {"a": "b c"}}}},
            "invalid value: a value is not the value of a label: spec.subject.selector",
            id="label",
        ),
    ],
)
def test_invalid_vspherebinding_is_rejected(
    kinds: ApiServer, namespace: str, fields: dict[str, Any], message: str
) -> None:
    assert message in rejection(kinds, vsphere_binding(**fields), namespace)


def test_stored_binding_of_another_namespace_can_be_deleted(kinds: ApiServer, namespace: str) -> None:
    """The policy may have been absent when the binding was created. Removing its finalizer is an update."""
    stray = vsphere_binding("stray", subject={**SUBJECT, "namespace": "elsewhere"})
    stray["metadata"]["finalizers"] = ["vspherebindings.sources.tanzu.vmware.com"]
    kinds.delete("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", POLICY)
    try:
        wait_until(lambda: _is_accepted(kinds, stray, namespace), message="the policy is not enforced")
        kinds.create(stray, namespace)
    finally:
        install(kinds)

    kinds.delete(API_VERSION, "VSphereBinding", "stray", namespace)
    kinds.patch(API_VERSION, "VSphereBinding", "stray", namespace, {"metadata": {"finalizers": []}})

    assert kinds.get(API_VERSION, "VSphereBinding", "stray", namespace) is None


def _is_accepted(kinds: ApiServer, content: Object, namespace: str) -> bool:
    return kinds.respond("POST", f"{kinds.path(content, namespace, named=False)}?dryRun=All", content)[0] < 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"sink": None, "address": None, "secretRef": None}, NO_SINK, id="V12 sink"),
        pytest.param(
            {"sink": None, "address": None, "secretRef": None},
            "missing field(s): spec.address.host, spec.secretRef.name",
            id="V12 fields",
        ),
        pytest.param({"secretRef": None}, "missing field(s): spec.secretRef.name", id="V13"),
        pytest.param({"address": None}, "missing field(s): spec.address.host", id="V14"),
    ],
)
def test_invalid_horizonsource_is_rejected(
    kinds: ApiServer, namespace: str, fields: dict[str, Any], message: str
) -> None:
    assert message in rejection(kinds, horizon_source(**fields), namespace)


@pytest.mark.parametrize("kind", ["VSphereSource", "VSphereBinding", "HorizonSource"])
def test_object_without_spec_is_rejected(kinds: ApiServer, namespace: str, kind: str) -> None:
    content = manifest(kind, {})
    del content["spec"]

    assert "missing field(s): spec.address.host, spec.secretRef.name" in rejection(kinds, content, namespace)


# ── V16 to V23: updates ──


@pytest.fixture(scope="module")
def horizon(kinds: ApiServer, namespace: str) -> Object:
    """A stored HorizonSource (V16: created, with nothing before it)."""
    ref = {**BROKER, "namespace": "ns1"}
    fields = {"sink": {"ref": ref}, "serviceAccountName": "sa", "skipTLSVerify": True}
    return kinds.create(horizon_source("immutable", **fields), namespace)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sink": {"ref": {"namespace": "ns2"}}}, id="V17"),
        pytest.param({"sink": {"ref": {"name": "other"}}}, id="V18"),
        pytest.param({"sink": {"ref": {"apiVersion": "eventing.knative.dev/v1beta1"}}}, id="V19"),
        pytest.param({"serviceAccountName": "other"}, id="V20"),
        pytest.param({"address": "https://other.example"}, id="V21"),
        pytest.param({"skipTLSVerify": False}, id="V22"),
        pytest.param({"secretRef": {"name": "other"}}, id="V23"),
        pytest.param({"sink": {"ref": {"kind": "Channel"}}}, id="kind of the sink"),
        pytest.param({"sink": {"ref": None, "uri": "https://sink.example"}}, id="uri for ref"),
        pytest.param({"sink": {"uri": "/path"}}, id="uri added"),
        pytest.param({"ceOverrides": {"extensions": {"site": "berlin"}}}, id="attributes added"),
        pytest.param({"skipTLSVerify": None}, id="skipTLSVerify removed"),
    ],
)
def test_horizonsource_cannot_change(kinds: ApiServer, namespace: str, horizon: Object, change: Object) -> None:
    with pytest.raises(Rejected, match="Immutable fields changed") as caught:
        kinds.patch(horizon["apiVersion"], "HorizonSource", "immutable", namespace, {"spec": change})

    assert IMMUTABLE in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"sink": {"ref": {"namespace": None}}}}, id="namespace of the sink left out"),
        pytest.param({"spec": {"nodeSelector": {"zone": "a"}}}, id="a field of a pod"),
        pytest.param({"metadata": {"labels": {"a": "b"}}}, id="a label"),
    ],
)
def test_what_the_predecessor_did_not_have_may_change(
    kinds: ApiServer, namespace: str, horizon: Object, change: Object
) -> None:
    path = f"{kinds.path(horizon, namespace)}?dryRun=All"

    kinds.request("PATCH", path, change, "application/merge-patch+json")


def test_every_field_of_a_vspheresource_may_change(kinds: ApiServer, namespace: str) -> None:
    created = kinds.create(vsphere_source("changing"), namespace)
    sink = {**URI, "ref": None}
    change = {
        **vsphere_source(address="https://other.example", payloadEncoding="application/json")["spec"],
        "sink": sink,
    }

    changed = kinds.patch(created["apiVersion"], "VSphereSource", "changing", namespace, {"spec": change})

    assert changed["spec"]["address"] == "https://other.example"
    assert changed["metadata"]["generation"] == 2


# ── the rest of the contract ──


def test_defaults_of_the_schema_are_those_of_the_adapter(kinds: ApiServer, namespace: str) -> None:
    with_defaults = {"metadata": {"name": "x"}, "spec": stored(kinds, vsphere_source(), namespace)}

    assert vspheresource.environment(with_defaults, "http://sink") == vspheresource.environment(
        {"metadata": {"name": "x"}, "spec": vsphere_source()["spec"]}, "http://sink"
    )


@pytest.mark.parametrize(
    ("short", "columns"),
    [("vss", "NAME SOURCE SINK READY REASON"), ("hs", "NAME SOURCE SINK READY REASON"), ("vsb", "NAME READY REASON")],
)
def test_kubectl_shows_the_predecessors_columns(kinds: ApiServer, namespace: str, short: str, columns: str) -> None:
    kinds.create({"vss": vsphere_source, "hs": horizon_source, "vsb": vsphere_binding}[short]("columns"), namespace)

    done = kinds.kubectl("get", short, "columns", "-n", namespace)

    assert done.stdout.splitlines()[0].split() == columns.split()
    assert ("https://vcenter.example" in done.stdout) == ("SOURCE" in columns)


@pytest.mark.parametrize(
    ("create", "listed"), [(vsphere_source, True), (horizon_source, True), (vsphere_binding, False)]
)
def test_kn_lists_the_sources(kinds: ApiServer, create: Any, listed: bool) -> None:
    namespace = kinds.create_namespace("kn")
    content = kinds.create(create("shown"), namespace)
    plural = f"{content['kind'].lower()}s.sources.tanzu.vmware.com"
    command = [str(require_built(ROOT / "tests/e2e/kn")), "source", "list", "-n", namespace]

    done = subprocess.run(
        [*command, "--kubeconfig", str(kinds.kubeconfig)], capture_output=True, text=True, check=False, timeout=30
    )

    assert (f"shown {content['kind']} {plural}" in " ".join(done.stdout.split())) == listed, done.stderr


def test_commands_of_the_documentation_create_a_source(kinds: ApiServer) -> None:
    output = kinds.shell(command_with("docs/how-to/sources.md", "create secret"))

    assert "vcsa-source https://vcenter.example" in " ".join(output.split())
    assert kinds.get("v1", "Secret", "vsphere-credentials", "default") is not None
    kinds.delete(API_VERSION, "VSphereSource", "vcsa-source", "default")


def test_category_lists_sources(kinds: ApiServer, namespace: str) -> None:
    kinds.create(vsphere_source("in-category"), namespace)

    done = kinds.kubectl("get", "sources", "-n", namespace, "-o", "name")

    assert "vspheresource.sources.tanzu.vmware.com/in-category" in done.stdout.splitlines()
