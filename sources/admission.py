"""The webhook's decision: an AdmissionReview with a request becomes one with a response. Pure.

The API server asks about objects of the kinds that bindings name, in the namespaces that have such bindings. An object
that no binding selects is allowed as it is. No request is rejected.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

from pipeline.errors import PermanentError
from sources.binding import Binding, Object, bind, select, unbind

API_VERSION = "admission.k8s.io/v1"

PROBE_LABEL = "sources.tanzu.vmware.com/webhook-probe"
"""Label of a ConfigMap that is created to see whether the webhook is called. The annotation of that name says yes."""


class InvalidReview(PermanentError):
    """A request's body is not an AdmissionReview of version v1."""


def review(message: object, bindings: Iterable[Binding]) -> dict[str, Any]:
    """Return the AdmissionReview that answers *message*, with a JSON patch if one of *bindings* selects its object.

    Raises `InvalidReview`.
    """
    request = _request(message)
    subject = request.get("object") or {}
    response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    bound = _bound(request, subject, bindings)
    patch = []
    if is_probe(subject):
        patch = [{"op": "add", "path": "/metadata/annotations", "value": {PROBE_LABEL: "called"}}]
    elif bound is not None and bound != subject["spec"]["template"]:
        patch = [{"op": "replace", "path": "/spec/template", "value": bound}]
    if patch:
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
    return {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}


def is_probe(subject: Object) -> bool:
    """Return whether *subject* was created to see whether the webhook is called."""
    return PROBE_LABEL in ((subject.get("metadata") or {}).get("labels") or {}) and subject.get("kind") == "ConfigMap"


def is_probed(subject: Object) -> bool:
    """Return whether the webhook was called for *subject*, a probe."""
    return PROBE_LABEL in (subject["metadata"].get("annotations") or {})


def _request(message: object) -> dict[str, Any]:
    if not isinstance(message, dict) or message.get("kind") != "AdmissionReview":
        raise InvalidReview("the body is not an AdmissionReview; only an API server should call this address")
    if message.get("apiVersion") != API_VERSION:
        raise InvalidReview(f"the AdmissionReview is not of version {API_VERSION}")
    request = message.get("request")
    if not isinstance(request, dict) or not request.get("uid"):
        raise InvalidReview("the AdmissionReview has no request")
    return request


def _bound(request: Object, subject: Object, bindings: Iterable[Binding]) -> Object | None:
    """Return the pod template that the requested object should have. None to leave it as it is."""
    if request.get("operation") not in ("CREATE", "UPDATE") or not pod_template(subject):
        return None
    winner = select(bindings, _named(request, subject))
    if winner is None:
        return None
    if request["operation"] == "UPDATE":
        previous = request.get("oldObject") or {}
        if subject["kind"] == "Job":  # an update must not fail because of a binding
            return _kept(subject, previous)
        if names_revision(subject) and revision_name(subject) == revision_name(previous):
            return _kept(subject, previous)
    return bind(pod_template(subject), winner.spec)


def _named(request: Object, subject: Object) -> Object:
    """Return *subject* with the namespace of the request, which a new object may lack."""
    metadata = {**subject.get("metadata", {}), "namespace": request.get("namespace", "")}
    return {**subject, "metadata": metadata}


def _kept(subject: Object, previous: Object) -> Object | None:
    """Return the template of *previous* if *subject* has the same apart from the binding.

    Kubernetes allows no change of a Job's template, and Knative none of a template whose revision keeps its name. A
    bound one stays bound, and an unbound one stays unbound.
    """
    template = pod_template(previous)
    return template if template and unbind(template) == unbind(pod_template(subject)) else None


def pod_template(subject: Object) -> Object:
    """Return the pod template of *subject*. Empty if it has none."""
    template = (subject.get("spec") or {}).get("template") or {}
    return template if isinstance(template, dict) and template.get("spec") else {}


def revision_name(subject: Object) -> str:
    """Return the name that *subject*, a Knative Service or Configuration, gives to its revision, or nothing."""
    return str((pod_template(subject).get("metadata") or {}).get("name") or "")


def names_revision(subject: Object) -> bool:
    """Return whether *subject* is a Knative Service or Configuration that names its revision."""
    return str(subject.get("apiVersion", "")).startswith("serving.knative.dev/") and bool(revision_name(subject))
