"""Templates are bound and unbound as the predecessor does, and each subject has one binding."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.binding import (
    MOUNT_PATH,
    VARIABLES,
    VOLUME,
    Binding,
    InvalidSubject,
    bind,
    is_bound,
    is_eligible,
    matches,
    select,
    unbind,
)

SPEC = {"address": "http://vmware.com", "skipTLSVerify": True, "secretRef": {"name": "ssssshhhh"}}
FOO, BAZ = {"name": "FOO", "value": "BAR"}, {"name": "BAZ", "value": "INGA"}
URL, INSECURE = {"name": "VC_URL", "value": "http://vmware.com"}, {"name": "VC_INSECURE", "value": "true"}


def credential(variable: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": "ssssshhhh", "key": key}}}


ENV = [URL, INSECURE, credential("VC_USERNAME", "username"), credential("VC_PASSWORD", "password")]
MOUNT = {"name": "vsphere-binding", "readOnly": True, "mountPath": "/var/bindings/vsphere"}
SECRET_VOLUME = {"name": "vsphere-binding", "secret": {"secretName": "ssssshhhh"}}


def template(
    containers: list[dict[str, Any]], volumes: list[Any] | None = None, init: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    pod: dict[str, Any] = {"containers": containers}
    if init:
        pod["initContainers"] = init
    if volumes:
        pod["volumes"] = volumes
    return {"spec": pod}


def container(name: str, env: list[Any] | None = None, mounts: list[Any] | None = None) -> dict[str, Any]:
    lists = {"env": env, "volumeMounts": mounts}
    return {"name": name, "image": "i"} | {key: value for key, value in lists.items() if value}


# ── the predecessor's cases: Undo and Do ──

B2_BOUND = template(
    [container("a", [FOO, *ENV, BAZ], [MOUNT]), container("b", [*ENV, FOO, BAZ], [MOUNT])],
    [SECRET_VOLUME],
    init=[container("init", [FOO, ENV[0], BAZ, *ENV[1:]], [MOUNT])],
)
B2_UNBOUND = template([container("a", [FOO, BAZ]), container("b", [FOO, BAZ])], init=[container("init", [FOO, BAZ])])
B4_WRONG = template(
    [container("a", [{"name": "VC_URL", "value": "the wrong one"}, {"name": "VC_INSECURE", "value": "also"}])]
)
B5_OWN = template([container("a", [FOO]), container("b", [BAZ])], init=[container("init", [FOO, BAZ])])
B5_BOUND = template(
    [container("a", [FOO, *ENV], [MOUNT]), container("b", [BAZ, *ENV], [MOUNT])],
    [SECRET_VOLUME],
    init=[container("init", [FOO, BAZ, *ENV], [MOUNT])],
)
ONE_BOUND = template([container("a", ENV, [MOUNT])], [SECRET_VOLUME])


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param(template([container("a", [FOO])]), template([container("a", [FOO])]), id="B1 nothing to remove"),
        pytest.param(B2_BOUND, B2_UNBOUND, id="B2 three containers, own variables between ours"),
        pytest.param({}, {"spec": {}}, id="no pod at all"),
    ],
)
def test_unbind(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    assert unbind(given_) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param(ONE_BOUND, ONE_BOUND, id="B3 already bound"),
        pytest.param(B4_WRONG, ONE_BOUND, id="B4 wrong values, no volume"),
        pytest.param(B5_OWN, B5_BOUND, id="B5 three containers with own variables"),
    ],
)
def test_bind(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    assert bind(given_, SPEC) == expected


def test_a_certificate_is_verified_by_default() -> None:
    bound = bind(template([container("a")]), {"address": "https://v", "secretRef": {"name": "s"}})

    assert {"name": "VC_INSECURE", "value": "false"} in bound["spec"]["containers"][0]["env"]


def test_another_secret_replaces_volume_and_references() -> None:
    bound = bind(ONE_BOUND, {**SPEC, "secretRef": {"name": "other"}})

    assert bound["spec"]["volumes"] == [{"name": VOLUME, "secret": {"secretName": "other"}}]
    assert "ssssshhhh" not in str(bound)


def test_a_default_of_the_api_server_does_not_matter() -> None:
    stored = bind(template([container("a")]), SPEC)
    stored["spec"]["volumes"][0]["secret"] = {"secretName": "ssssshhhh", "defaultMode": 420}

    assert is_bound(stored, SPEC)
    assert not is_bound(stored, {**SPEC, "secretRef": {"name": "other"}})


def test_a_volume_with_other_files_is_replaced() -> None:
    items = [{"key": "username", "path": "user"}]
    narrowed = {"name": VOLUME, "secret": {"secretName": "ssssshhhh", "items": items}}

    assert bind(template([container("a")], [narrowed]), SPEC)["spec"]["volumes"] == [SECRET_VOLUME]


def test_ephemeral_containers_stay_as_they_are() -> None:
    pod = {"containers": [container("a")], "ephemeralContainers": [container("debug")]}

    assert bind({"spec": pod}, SPEC)["spec"]["ephemeralContainers"] == [container("debug")]


# ── for any template ──

names = st.sampled_from(["a", "b", "FOO", "BAZ", "data"])
entries = st.lists(st.fixed_dictionaries({"name": names}, optional={"value": names}), min_size=1, max_size=4)
containers = st.lists(
    st.fixed_dictionaries({"name": names}, optional={"env": entries, "volumeMounts": entries, "image": names}),
    min_size=1,
    max_size=3,
)
pods = st.fixed_dictionaries(
    {"containers": containers}, optional={"initContainers": containers, "volumes": entries, "restartPolicy": names}
)
templates = st.fixed_dictionaries({"spec": pods}, optional={"metadata": st.just({"labels": {"a": "b"}})})
ours = st.lists(st.fixed_dictionaries({"name": st.sampled_from([*sorted(VARIABLES), VOLUME, "FOO"])}), max_size=8)
specs = st.fixed_dictionaries(
    {"address": st.sampled_from(["https://a", "https://b"]), "secretRef": st.fixed_dictionaries({"name": names})},
    optional={"skipTLSVerify": st.booleans()},
)


@given(templates, specs)
def test_unbind_after_bind_is_the_identity(pod_template: dict[str, Any], spec: Mapping[str, Any]) -> None:
    assert unbind(bind(pod_template, spec)) == pod_template


@given(templates, specs, ours)
def test_bind_twice_equals_bind_once(pod_template: dict[str, Any], spec: Mapping[str, Any], mixed: list[Any]) -> None:
    first = pod_template["spec"]["containers"][0]
    pod_template["spec"] |= {"volumes": mixed, "containers": [{**first, "env": mixed, "volumeMounts": mixed}]}
    bound = bind(pod_template, spec)

    assert bind(bound, spec) == bound
    assert is_bound(bound, spec)


@given(templates, specs, specs)
def test_the_last_binding_replaces_the_one_before(
    pod_template: dict[str, Any], earlier: Mapping[str, Any], later: Mapping[str, Any]
) -> None:
    assert bind(bind(pod_template, earlier), later) == bind(pod_template, later)


@given(templates, specs)
def test_every_container_is_bound_once(pod_template: dict[str, Any], spec: Mapping[str, Any]) -> None:
    pod = bind(pod_template, spec)["spec"]

    for entry in [*pod.get("initContainers", []), *pod["containers"]]:
        assert [variable["name"] for variable in entry["env"][-4:]] == [
            "VC_URL",
            "VC_INSECURE",
            "VC_USERNAME",
            "VC_PASSWORD",
        ]
        assert [mount["mountPath"] for mount in entry["volumeMounts"] if mount["name"] == VOLUME] == [MOUNT_PATH]


# ── subjects ──


def binding(
    name: str = "b",
    created: str = "2026-01-01T00:00:00Z",
    subject: Mapping[str, Any] | None = None,
    *,
    is_deleted: bool = False,
    owner: str = "",
) -> Binding:
    """Return a binding of Deployments: all, unless *subject* has other fields."""
    metadata: dict[str, Any] = {"name": name, "namespace": "ns", "creationTimestamp": created}
    if is_deleted:
        metadata["deletionTimestamp"] = created
    if owner:
        metadata["ownerReferences"] = [{"kind": "VSphereSource", "uid": owner, "controller": True}]
    fields = {"apiVersion": "apps/v1", "kind": "Deployment"} | dict({"selector": {}} if subject is None else subject)
    return Binding.read({"metadata": metadata, "spec": {**SPEC, "subject": fields}})


def deployment(name: str = "d", owner: str = "", namespace: str = "ns", **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    if owner:
        metadata["ownerReferences"] = [{"kind": "VSphereSource", "uid": owner, "controller": True}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


@pytest.mark.parametrize(
    ("subject", "fields", "selected"),
    [
        (deployment("d"), {"name": "d"}, True),
        (deployment("e"), {"name": "d"}, False),
        (deployment("d", namespace="other"), {"name": "d"}, False),
        (deployment("d") | {"kind": "StatefulSet"}, {"name": "d"}, False),
        (deployment("d") | {"apiVersion": "apps/v1beta1"}, {"name": "d"}, True),
        (deployment("d") | {"apiVersion": "other/v1"}, {"name": "d"}, False),
        (deployment("d", app="x"), {"selector": {"matchLabels": {"app": "x"}}}, True),
        (deployment("d", app="y"), {"selector": {"matchLabels": {"app": "x"}}}, False),
        (deployment("d"), {"selector": {}}, True),
        (deployment("d", namespace="other"), {"selector": {}}, False),
    ],
)
def test_subjects(subject: dict[str, Any], fields: dict[str, Any], selected: bool) -> None:
    assert (select([binding(subject=fields)], subject) is not None) is selected


@pytest.mark.parametrize(
    ("expression", "labels", "selected"),
    [
        ({"operator": "In", "values": ["x", "y"]}, {"k": "y"}, True),
        ({"operator": "In", "values": ["x"]}, {"k": "y"}, False),
        ({"operator": "In", "values": ["x"]}, {}, False),
        ({"operator": "NotIn", "values": ["x"]}, {"k": "y"}, True),
        ({"operator": "NotIn", "values": ["x"]}, {}, True),
        ({"operator": "NotIn", "values": ["x"]}, {"k": "x"}, False),
        ({"operator": "Exists"}, {"k": ""}, True),
        ({"operator": "Exists"}, {}, False),
        ({"operator": "DoesNotExist"}, {"k": ""}, False),
        ({"operator": "DoesNotExist"}, {}, True),
    ],
)
def test_label_expressions(expression: dict[str, Any], labels: dict[str, str], selected: bool) -> None:
    assert matches({"matchExpressions": [{"key": "k", **expression}]}, labels) is selected


def test_every_requirement_of_a_selector_counts() -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}

    assert matches(selector, {"a": "1", "b": ""})
    assert not matches(selector, {"a": "1"})
    assert not matches(selector, {"b": ""})


OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("bindings", "winner"),
    [
        ([], None),
        ([binding("a", NEW)], "a"),
        ([binding("a", NEW), binding("b", OLD)], "b"),
        ([binding("b", OLD), binding("a", OLD)], "a"),
        ([binding("b", OLD, is_deleted=True), binding("a", NEW)], "a"),
        ([binding("a", OLD, is_deleted=True)], None),
    ],
)
def test_the_older_binding_wins(bindings: list[Binding], winner: str | None) -> None:
    for order in (bindings, bindings[::-1]):
        selected = select(order, deployment())
        assert (selected.name if selected else None) == winner


def test_a_sources_deployment_belongs_to_its_own_binding() -> None:
    adapter = deployment("d", owner="uid-1")
    people = binding("a", OLD, {"name": "d"})
    everything = binding("all", OLD)
    child = binding("child", NEW, {"name": "d"}, owner="uid-1")

    assert select([people, everything, child], adapter) is child
    assert select([everything], adapter) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "d", "namespace": "other"}, "invalid value: different-namespace: spec.subject.namespace"),
        ({"name": "d", "selector": {}}, "expected exactly one, got both: spec.subject.name, spec.subject.selector"),
        ({}, "expected exactly one, got neither: spec.subject.name, spec.subject.selector"),
        ({"name": "d", "apiVersion": ""}, "missing field(s): spec.subject.apiVersion"),
        ({"name": "d", "kind": ""}, "missing field(s): spec.subject.kind"),
        (
            {"selector": {"matchExpressions": [{"key": "k", "operator": "Near"}]}},
            'invalid value: {"key": "k", "operator": "Near"}: spec.subject.selector',
        ),
    ],
)
def test_invalid_subjects(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSubject) as raised:
        binding(subject=fields)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("labels", "namespace_labels", "inclusion", "eligible"),
    [
        ({}, {}, False, True),
        ({"bindings.knative.dev/exclude": "true"}, {}, False, False),
        ({}, {"bindings.knative.dev/exclude": "true"}, False, False),
        ({"bindings.knative.dev/exclude": "false"}, {}, False, True),
        ({}, {}, True, False),
        ({"bindings.knative.dev/include": "true"}, {}, True, False),
        ({"bindings.knative.dev/include": "true"}, {"bindings.knative.dev/include": "true"}, True, True),
    ],
)
def test_labels_decide_what_may_be_bound(
    labels: dict[str, str], namespace_labels: dict[str, str], inclusion: bool, eligible: bool
) -> None:
    assert is_eligible(labels, namespace_labels, inclusion=inclusion) is eligible
