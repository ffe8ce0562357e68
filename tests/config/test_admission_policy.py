"""overlays/admission-policy on a real API server: it binds as `bind` does, without a webhook."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from sources.binding import bind
from tests.support import api_server as kubernetes_api
from tests.support.api_server import ApiServer, Object
from tests.support.kinds import install, vsphere_binding
from tests.support.manifests import ROOT, rendered
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

POLICY_KINDS = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
BETA = "admissionregistration.k8s.io/v1beta1"
"""The version of the policies below Kubernetes 1.36."""
SECONDS = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApiServer]:
    """An API server of its own with the feature, config/sources and the policy."""
    gates = ("--feature-gates=MutatingAdmissionPolicy=true", f"--runtime-config={BETA}=true")
    with kubernetes_api.running(*gates) as server:
        install(server)
        for content in rendered(ROOT / "overlays/admission-policy"):
            if content["kind"] in POLICY_KINDS:
                server.create({**content, "apiVersion": BETA})
        yield server


@pytest.fixture(scope="module")
def namespace(cluster: ApiServer) -> str:
    """A namespace with bindings of Jobs by label and of the Deployment `bound` by name, which are enforced."""
    name = cluster.create_namespace("policy")
    jobs = {
        "matchLabels": {"role": "vsphere-jobs"},
        "matchExpressions": [
            {"key": "stage", "operator": "NotIn", "values": ["test"]},
            {"key": "manual", "operator": "DoesNotExist"},
        ],
    }
    for binding in (
        vsphere_binding("jobs", subject={"apiVersion": "batch/v1", "kind": "Job", "selector": jobs}),
        vsphere_binding(
            "deployment",
            skipTLSVerify=True,
            subject={"apiVersion": "apps/v1", "kind": "Deployment", "name": "bound"},
        ),
    ):
        cluster.create(binding, name)
    wait_until(lambda: is_bound(dry_run(cluster, job(), name)), SECONDS, "the policy is enforced")
    return name


TEMPLATE: Object = {
    "spec": {
        "restartPolicy": "Never",
        "initContainers": [{"name": "first", "image": "image"}],
        "containers": [
            {"name": "one", "image": "image", "env": [{"name": "OWN", "value": "1"}]},
            {"name": "two", "image": "image", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
}


def job(**labels: str) -> Object:
    """Return a Job that the binding of Jobs selects unless *labels* prevent it."""
    metadata = {"name": "job", "labels": {"role": "vsphere-jobs", **labels}}
    spec = {"template": copy.deepcopy(TEMPLATE)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def deployment(name: str, **labels: str) -> Object:
    """Return a Deployment."""
    template: dict[str, Any] = copy.deepcopy(TEMPLATE)
    template["metadata"] = {"labels": {"app": name}}
    del template["spec"]["restartPolicy"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def dry_run(cluster: ApiServer, content: Object, namespace: str) -> Object:
    """Return *content* as it would be stored."""
    return cluster.create(content, namespace, "dryRun=All")


def is_bound(content: Object) -> bool:
    """Return whether the first container has a login."""
    env = content["spec"]["template"]["spec"]["containers"][0].get("env", [])
    return "VC_URL" in [entry["name"] for entry in env]


def parts(template: Object) -> Any:
    """Return what a binding changes: variables and mounts of each container, and the volumes."""
    spec = template["spec"]
    containers = [*spec["initContainers"], *spec["containers"]]
    volumes = copy.deepcopy(spec["volumes"])
    for volume in volumes:
        volume.get("secret", {}).pop("defaultMode", None)
    return [(entry["name"], entry.get("env"), entry.get("volumeMounts")) for entry in containers], volumes


def test_job_is_bound_as_the_webhook_binds_it(cluster: ApiServer, namespace: str) -> None:
    stored = dry_run(cluster, job(), namespace)

    assert parts(stored["spec"]["template"]) == parts(bind(TEMPLATE, vsphere_binding()["spec"]))


def test_deployment_is_bound_by_name(cluster: ApiServer, namespace: str) -> None:
    bound = dry_run(cluster, deployment("bound"), namespace)
    other = dry_run(cluster, deployment("other"), namespace)

    spec = vsphere_binding(skipTLSVerify=True)["spec"]
    assert parts(bound["spec"]["template"]) == parts(bind(TEMPLATE, spec))
    assert parts(other["spec"]["template"]) == parts(TEMPLATE)


def test_binding_twice_changes_nothing(cluster: ApiServer, namespace: str) -> None:
    content = deployment("bound")
    content["spec"]["template"] = bind(content["spec"]["template"], vsphere_binding(skipTLSVerify=True)["spec"])

    stored = dry_run(cluster, content, namespace)

    assert parts(stored["spec"]["template"]) == parts(content["spec"]["template"])


@pytest.mark.parametrize("labels", [{"stage": "test"}, {"manual": "yes"}, {"role": "other"}])
def test_job_that_no_binding_selects_stays_as_it_is(cluster: ApiServer, namespace: str, labels: dict[str, str]) -> None:
    assert not is_bound(dry_run(cluster, job(**labels), namespace))


def test_excluded_object_stays_as_it_is(cluster: ApiServer, namespace: str) -> None:
    content = deployment("bound", **{"bindings.knative.dev/exclude": "true"})

    assert not is_bound(dry_run(cluster, content, namespace))


def test_binding_binds_in_its_own_namespace_only(cluster: ApiServer, namespace: str) -> None:
    elsewhere = cluster.create_namespace("elsewhere")

    assert not is_bound(dry_run(cluster, job(), elsewhere))


def test_many_containers_are_bound(cluster: ApiServer, namespace: str) -> None:
    content = job()
    containers = [{"name": f"c{number}", "image": "image"} for number in range(16)]
    content["spec"]["template"]["spec"]["containers"] = containers

    stored = dry_run(cluster, content, namespace)

    assert [len(entry["env"]) for entry in stored["spec"]["template"]["spec"]["containers"]] == [4] * 16
