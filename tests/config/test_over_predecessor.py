"""Applying config/sources over the predecessor's release: its objects stay valid, and nothing of its pod is left."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import api_server as kubernetes_api
from tests.support import predecessor_release as predecessor
from tests.support.api_server import ApiServer, Object, Rejected
from tests.support.corpus import MANIFESTS, STORED, placed
from tests.support.documentation import command_with
from tests.support.kinds import install, vsphere_source
from tests.support.manifests import ROOT, container, environment

pytestmark = pytest.mark.cluster

PAGE = "docs/how-to/move-from-vspheresource.md"
REJECTED_TODAY = {
    **vsphere_source(
        "rejected.today", address="https://user:pass@vcenter.example", ceOverrides={"extensions": {"Site-Name": "x"}}
    ),
    "status": {"observedGeneration": 1},
}
DEPLOYMENT = ("apps/v1", "Deployment", "vsphere-source-webhook", predecessor.NAMESPACE)


@pytest.fixture(scope="module")
def migrated() -> Iterator[tuple[ApiServer, str]]:
    """An API server with the predecessor's release and objects, and config/sources over them. Its namespace `users`."""
    with kubernetes_api.running() as server:
        server.kubectl("apply", "-f", "-", manifests=predecessor.release())
        server.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", "--all")
        users = server.create_namespace("users")
        for content in (*STORED.values(), REJECTED_TODAY):
            store(server, placed(content, users))
        install(server)
        yield server, users


def store(server: ApiServer, content: Object) -> None:
    """Create *content* with its status, as the predecessor's controller left it."""
    created = server.create(content, query="fieldValidation=Ignore")
    server.request("PUT", f"{server.path(content)}/status", {**created, "status": content["status"]})


@pytest.fixture(scope="module")
def fresh() -> Iterator[ApiServer]:
    """An API server with config/sources and no past."""
    with kubernetes_api.running() as server:
        install(server)
        yield server


@pytest.mark.parametrize("source", STORED)
def test_stored_object_is_unchanged(migrated: tuple[ApiServer, str], source: str) -> None:
    server, users = migrated
    content = placed(STORED[source], users)

    live = server.get(content["apiVersion"], content["kind"], content["metadata"]["name"], users)

    assert live is not None
    assert live["spec"] == content["spec"]
    assert live["status"] == content["status"]


@pytest.mark.parametrize("source", STORED)
def test_stored_object_can_be_updated(migrated: tuple[ApiServer, str], source: str) -> None:
    server, users = migrated
    content = placed(STORED[source], users)
    reference = (content["apiVersion"], content["kind"], content["metadata"]["name"], users)

    server.patch(*reference, {"metadata": {"labels": {"seen": "true"}}})
    server.patch(*reference, {"status": {"observedGeneration": 2}}, "status")

    live = server.get(*reference)
    assert live is not None
    assert live["spec"] == content["spec"]


def test_stored_object_that_is_rejected_today_stays_editable(migrated: tuple[ApiServer, str]) -> None:
    """The predecessor accepted its name and both fields, and such a source never worked."""
    server, users = migrated
    reference = (REJECTED_TODAY["apiVersion"], REJECTED_TODAY["kind"], REJECTED_TODAY["metadata"]["name"], users)

    server.patch(*reference, {"metadata": {"finalizers": ["example.com/kept"]}})
    server.patch(*reference, {"status": {"observedGeneration": 2}}, "status")
    server.patch(*reference, {"spec": {"payloadEncoding": "application/json"}})

    with pytest.raises(Rejected, match="without credentials"):
        server.patch(*reference, {"spec": {"address": "https://other:pass@vcenter.example"}})


def test_horizonsource_is_applied_again_from_git(migrated: tuple[ApiServer, str]) -> None:
    """All of its spec is immutable, and the predecessor wrote defaults into it."""
    server, users = migrated
    from_git = placed(MANIFESTS["sample horizon"], users)
    from_git["metadata"]["name"] = "stored"
    del from_git["spec"]["skipTLSVerify"]  # false is the default

    server.kubectl("apply", "-f", "-", manifests=[from_git])
    server.kubectl("replace", "-f", "-", manifests=[from_git])


@pytest.mark.parametrize("source", MANIFESTS)
def test_manifest_of_the_predecessors_users_is_accepted(migrated: tuple[ApiServer, str], source: str) -> None:
    server, users = migrated
    content = placed(MANIFESTS[source], users)

    server.kubectl("apply", "-f", "-", manifests=[content])
    done = server.kubectl("apply", "-f", "-", manifests=[content])

    assert "unchanged" in done.stdout


def test_nothing_of_the_predecessors_pod_is_left(migrated: tuple[ApiServer, str], fresh: ApiServer) -> None:
    server, _ = migrated

    assert pod_and_strategy(server.get(*DEPLOYMENT)) == pod_and_strategy(fresh.get(*DEPLOYMENT))


def pod_and_strategy(deployment: Object | None) -> Any:
    """Return pod template and strategy of a Deployment, without what an extra probe header or period changes."""
    assert deployment is not None
    return deployment["spec"]["template"], deployment["spec"]["strategy"], deployment["spec"]["selector"]


@pytest.mark.parametrize("before", [("apply", "--server-side"), ("create",)], ids=" ".join)
def test_server_side_apply_replaces_the_predecessors_pod(before: tuple[str, ...]) -> None:
    """As tools for GitOps apply, over a release that some other tool installed."""
    with kubernetes_api.running() as server:
        server.kubectl(*before, "-f", "-", manifests=predecessor.release())

        server.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "config/sources"))

        deployment = server.get(*DEPLOYMENT)
    its = container(deployment or {})
    assert its["name"] == "vsphere-source-webhook"
    assert its["readinessProbe"]["httpGet"].items() >= {"path": "/health/readiness", "scheme": "HTTP"}.items()
    assert environment(its["env"])["FUNCTION"] == "controller"


def test_webhook_has_no_entry_of_the_predecessor(migrated: tuple[ApiServer, str]) -> None:
    server, _ = migrated

    webhook = server.get("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", predecessor.WEBHOOK)

    assert webhook is not None
    assert not webhook.get("webhooks")


@pytest.mark.parametrize("kind", ["vspheresources", "vspherebindings", "horizonsources"])
def test_definition_is_that_of_a_fresh_installation(
    migrated: tuple[ApiServer, str], fresh: ApiServer, kind: str
) -> None:
    reference = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{kind}.sources.tanzu.vmware.com")

    ours, new = (server.get(*reference) for server in (migrated[0], fresh))

    assert ours is not None
    assert new is not None
    assert ours["spec"] == new["spec"]


def test_applying_again_changes_nothing(migrated: tuple[ApiServer, str]) -> None:
    done = migrated[0].kubectl("apply", "-k", str(ROOT / "config/sources"))

    assert [line for line in done.stdout.splitlines() if not line.endswith("unchanged")] == []


def test_entries_of_the_controller_outlive_applying_again(migrated: tuple[ApiServer, str]) -> None:
    server, _ = migrated
    reference = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", predecessor.WEBHOOK)
    entry = {
        "name": f"jobs.{predecessor.WEBHOOK}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "vsphere-source-webhook", "namespace": predecessor.NAMESPACE}},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
    }
    server.patch(*reference, "", {"webhooks": [entry]})

    server.kubectl("apply", "-k", str(ROOT / "config/sources"))

    live = server.get(*reference)
    assert live is not None
    assert [webhook["name"] for webhook in live["webhooks"]] == [entry["name"]]


def test_commands_of_the_documentation_remove_only_leftovers(migrated: tuple[ApiServer, str]) -> None:
    server, _ = migrated
    server.shell(command_with(PAGE, "vmware-sources-controller-admin"))

    left = {
        kind: [
            content["metadata"]["name"]
            for content in server.request("GET", f"/apis/rbac.authorization.k8s.io/v1/{kind}")["items"]
        ]
        for kind in ("clusterroles", "clusterrolebindings")
    }
    assert not set(left["clusterroles"]) & set(predecessor.ROLES)
    assert not set(left["clusterrolebindings"]) & set(predecessor.ROLE_BINDINGS)
    assert set(predecessor.KNATIVE_ROLES) <= set(left["clusterroles"])
    assert "vcenter-events-sources" in left["clusterroles"]
