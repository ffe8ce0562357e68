"""An AdmissionReview gets a patch for each object that a binding selects, and every request is allowed."""

import base64
import json
from typing import Any

import pytest

from sources.admission import InvalidReview, review
from sources.binding import Binding, bind

SPEC = {"address": "https://vcenter", "secretRef": {"name": "credentials"}}
POD = {"spec": {"containers": [{"name": "c", "image": "i"}]}}
BOUND = bind(POD, SPEC)
CHANGED = bind(POD, {**SPEC, "address": "https://other"})

KNATIVE = ("serving.knative.dev/v1", "Service")
KINDS = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    KNATIVE,
    ("serving.knative.dev/v1", "Configuration"),
]


def binding(api_version: str, kind: str, **subject: Any) -> Binding:
    fields = {"apiVersion": api_version, "kind": kind} | (subject or {"selector": {}})
    return Binding.read({"metadata": {"name": "b", "namespace": "ns"}, "spec": {**SPEC, "subject": fields}})


def subject(api_version: str, kind: str, template: Any, name: str = "x", **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {"template": template}}


def named_revision(template: dict[str, Any], name: str = "x-1") -> dict[str, Any]:
    return {**template, "metadata": {"name": name}}


def message(new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    request = {
        "uid": "u-1",
        "operation": "UPDATE" if old else "CREATE",
        "namespace": "ns",
        "object": new,
        "oldObject": old,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def template_after(request: dict[str, Any], *bindings: Binding) -> Any:
    """Return the object's pod template after *request* is reviewed."""
    reviewed = review(request, bindings)
    response = reviewed["response"]
    assert (reviewed["apiVersion"], reviewed["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert (response["uid"], response["allowed"]) == ("u-1", True)
    template = request["request"]["object"]["spec"].get("template")
    if "patch" not in response:
        return template
    assert response["patchType"] == "JSONPatch"
    [operation] = json.loads(base64.b64decode(response["patch"]))
    assert (operation["op"], operation["path"]) == ("replace", "/spec/template")
    assert operation["value"] != template, "a patch that changes nothing"
    return operation["value"]


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_a_new_object_is_bound(api_version: str, kind: str) -> None:
    new = subject(api_version, kind, POD, app="a")

    assert template_after(message(new), binding(api_version, kind)) == BOUND
    assert template_after(message(new), binding(api_version, kind, name="x")) == BOUND
    assert template_after(message(new), binding(api_version, kind, selector={"matchLabels": {"app": "a"}})) == BOUND


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_an_object_that_no_binding_selects_stays(api_version: str, kind: str) -> None:
    new = subject(api_version, kind, POD, app="a")

    assert template_after(message(new)) == POD
    assert template_after(message(new), binding(api_version, kind, name="y")) == POD
    assert template_after(message(new), binding(api_version, kind, selector={"matchLabels": {"app": "b"}})) == POD


@pytest.mark.parametrize(("api_version", "kind"), [entry for entry in KINDS if entry[1] != "Job"])
def test_an_update_that_drops_the_binding_keeps_it(api_version: str, kind: str) -> None:
    request = message(subject(api_version, kind, POD), subject(api_version, kind, BOUND))

    assert template_after(request, binding(api_version, kind)) == BOUND


@pytest.mark.parametrize("old", [POD, BOUND, CHANGED], ids=["older than the binding", "bound", "bound earlier"])
def test_an_update_of_a_job_keeps_its_template(old: dict[str, Any]) -> None:
    request = message(subject("batch/v1", "Job", POD), subject("batch/v1", "Job", old))

    assert template_after(request, binding("batch/v1", "Job")) == old


def test_an_object_named_by_the_server_is_bound() -> None:
    new = subject("batch/v1", "Job", POD)
    new["metadata"] = {"generateName": "x-"}

    assert template_after(message(new), binding("batch/v1", "Job")) == BOUND


@pytest.mark.parametrize("spec", [{}, {"template": {}}, {"template": None}, {"template": "text"}])
def test_an_object_without_pod_template_stays(spec: dict[str, Any]) -> None:
    new = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}

    assert template_after(message(new), binding("apps/v1", "Deployment")) == spec.get("template")


def test_a_deletion_is_allowed() -> None:
    request = message(subject("apps/v1", "Deployment", POD))
    request["request"] |= {"operation": "DELETE", "oldObject": request["request"]["object"], "object": None}

    assert review(request, [binding("apps/v1", "Deployment")])["response"] == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        pytest.param(named_revision(POD), None, named_revision(BOUND), id="created"),
        pytest.param(named_revision(POD), named_revision(BOUND), named_revision(BOUND), id="applied again"),
        pytest.param(named_revision(POD), named_revision(POD), named_revision(POD), id="made before the binding"),
        pytest.param(named_revision(POD), named_revision(CHANGED), named_revision(CHANGED), id="binding changed since"),
        pytest.param(named_revision(POD, "x-2"), named_revision(POD), named_revision(BOUND, "x-2"), id="renamed"),
        pytest.param(POD, named_revision(BOUND), BOUND, id="name removed"),
    ],
)
def test_named_revisions(new: Any, old: Any, expected: Any) -> None:
    request = message(subject(*KNATIVE, new), subject(*KNATIVE, old) if old else None)

    assert template_after(request, binding(*KNATIVE)) == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], "not an AdmissionReview"),
        ({"kind": "Pod"}, "not an AdmissionReview"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}, "not of version"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}, "no request"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {}}, "no request"),
    ],
)
def test_other_bodies_are_errors(body: Any, error: str) -> None:
    with pytest.raises(InvalidReview, match=error):
        review(body, [])
