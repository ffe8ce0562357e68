"""Rights on a real API server: of the controller, of an adapter, of users, and of Knative Eventing."""

from collections.abc import Iterator

import pytest

from functions.controller import children
from tests.support import api_server as kubernetes_api
from tests.support.api_server import ApiServer, Object
from tests.support.kinds import horizon_source, install, vsphere_binding, vsphere_source
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

CONTROLLER = "system:serviceaccount:vmware-sources:vsphere-controller"
OWN = "vmware-sources"
WEBHOOK = "mutatingwebhookconfigurations/vspherebindings.webhook.vsphere.sources.tanzu.vmware.com"
ADDRESSABLES = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "addressable-resolver"},
    "rules": [{"apiGroups": ["eventing.knative.dev"], "resources": ["brokers"], "verbs": ["get", "list", "watch"]}],
}
"""Knative Eventing's, as far as it matters here."""
PODSPECABLES = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "knative-serving-podspecable-binding", "labels": {"duck.knative.dev/podspecable": "true"}},
    "rules": [
        {
            "apiGroups": ["serving.knative.dev"],
            "resources": ["configurations", "services"],
            "verbs": ["get", "list", "watch", "patch"],
        }
    ],
}
"""Knative Serving's."""
SOURCE_OBSERVER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "source-observer"},
    "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"duck.knative.dev/source": "true"}}]},
    "rules": [],
}
"""Knative Eventing's, with which its controller watches all sources."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApiServer]:
    """An API server of its own with config/sources, Knative's ClusterRoles and the aggregation of ClusterRoles."""
    with kubernetes_api.running() as server:
        install(server)
        for role in (ADDRESSABLES, PODSPECABLES, SOURCE_OBSERVER):
            server.create(role)
        server.create(bound_role("Cluster", "source-observer", "system:serviceaccount:knative-eventing:controller"))
        server.run_controllers("clusterrole-aggregation-controller")
        wait_until(lambda: can(server, CONTROLLER, "patch", "services.serving.knative.dev", "team"), 30)
        wait_until(lambda: _is_filled(server, "edit") and _is_filled(server, "source-observer"), 30)
        yield server


def _is_filled(server: ApiServer, role: str) -> bool:
    content = server.get("rbac.authorization.k8s.io/v1", "ClusterRole", role)
    groups = [group for rule in (content or {}).get("rules") or [] for group in rule.get("apiGroups", [])]
    return "sources.tanzu.vmware.com" in groups


def bound_role(scope: str, role: str, user: str) -> Object:
    """Return a ClusterRoleBinding (*scope* `Cluster`) or RoleBinding (`""`) of a ClusterRole to *user*."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{scope}RoleBinding",
        "metadata": {"name": f"{role}-of-test"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def can(server: ApiServer, user: str, verb: str, what: str, namespace: str = "") -> bool:
    """Return whether *user* may do it, as `kubectl auth can-i VERB WHAT -n NAMESPACE --as USER` does.

    *what* is `resource.group`, `resource/name` or `resource.group/subresource`, as in an RBAC rule.
    """
    resource, _, name = what.partition("/")
    resource, _, group = resource.partition(".")
    attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
    if resource.endswith("webhookconfigurations"):
        attributes["group"] = "admissionregistration.k8s.io"
    attributes["subresource" if name in ("status", "finalizers", "exec", "log") else "name"] = name
    groups = ["system:serviceaccounts", "system:authenticated"] if user.startswith("system:") else []
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(server.request("POST", path, review)["status"]["allowed"])


# ── the controller ──


@pytest.mark.parametrize(
    ("verbs", "what", "namespace"),
    [
        ("get list watch", "vspheresources.sources.tanzu.vmware.com", ""),
        ("get list watch", "horizonsources.sources.tanzu.vmware.com", ""),
        ("get list watch create update patch delete", "vspherebindings.sources.tanzu.vmware.com", ""),
        ("update", "vspheresources.sources.tanzu.vmware.com/status", "team"),
        ("update", "vspheresources.sources.tanzu.vmware.com/finalizers", "team"),
        ("get list watch create update patch delete", "deployments.apps", "team"),
        ("get create update patch", "configmaps", "team"),
        ("get list watch create update delete", "roles.rbac.authorization.k8s.io", "team"),
        ("get list watch create update delete", "rolebindings.rbac.authorization.k8s.io", "team"),
        ("get list watch create", "serviceaccounts", "team"),
        ("list", "pods", "team"),
        ("list create patch", "events", "team"),
        ("get list watch patch", "namespaces", ""),
        ("get list watch", "services", "team"),
        ("get list watch", "brokers.eventing.knative.dev", "team"),
        ("get list watch patch", "services.serving.knative.dev", "team"),
        ("get list watch patch", "statefulsets.apps", "team"),
        ("get list watch", "jobs.batch", "team"),
        ("get update patch", WEBHOOK, ""),
        ("delete", "validatingwebhookconfigurations/config.webhook.horizon.sources.tanzu.vmware.com", ""),
        ("delete", "mutatingwebhookconfigurations/defaulting.webhook.vsphere.sources.tanzu.vmware.com", ""),
        ("delete", "deployments.apps/horizon-source-controller", OWN),
        ("create", "leases.coordination.k8s.io", OWN),
        ("get update patch", "leases.coordination.k8s.io/vsphere-source-controller", OWN),
        ("get update patch", "secrets/vsphere-webhook-certs", OWN),
        ("get", "configmaps/config-logging", OWN),
    ],
)
def test_controller_may(cluster: ApiServer, verbs: str, what: str, namespace: str) -> None:
    assert [verb for verb in verbs.split() if not can(cluster, CONTROLLER, verb, what, namespace)] == []


@pytest.mark.parametrize(
    ("verbs", "what", "namespace"),
    [
        ("get list watch create update patch delete", "secrets", ""),
        ("get list watch create update patch delete", "secrets", "team"),
        ("get list watch create update patch delete", "secrets/vsphere-credentials", OWN),
        ("list watch delete", "configmaps", "team"),
        ("list watch delete", "configmaps", OWN),
        ("create delete deletecollection", "namespaces", ""),
        ("create update delete", "vspheresources.sources.tanzu.vmware.com", "team"),
        ("create update delete", "horizonsources.sources.tanzu.vmware.com", "team"),
        ("create update patch delete", "jobs.batch", "team"),
        ("create delete", "statefulsets.apps", "team"),
        ("create delete", "services.serving.knative.dev", "team"),
        ("create update patch delete", "pods", "team"),
        ("create get", "pods/exec", "team"),
        ("get", "pods/log", "team"),
        ("update delete impersonate", "serviceaccounts", "team"),
        ("bind escalate", "roles.rbac.authorization.k8s.io", "team"),
        ("get create update delete bind", "clusterroles.rbac.authorization.k8s.io", ""),
        ("create update delete", "clusterrolebindings.rbac.authorization.k8s.io", ""),
        ("create delete", WEBHOOK, ""),
        ("get update", "mutatingwebhookconfigurations/of-somebody-else", ""),
        ("update delete", "validatingwebhookconfigurations/of-somebody-else", ""),
        ("get update delete", "customresourcedefinitions.apiextensions.k8s.io", ""),
        ("get update", "leases.coordination.k8s.io/of-somebody-else", OWN),
        ("get", "leases.coordination.k8s.io", "kube-system"),
        ("get", "nodes", ""),
    ],
)
def test_controller_may_not(cluster: ApiServer, verbs: str, what: str, namespace: str) -> None:
    assert [verb for verb in verbs.split() if can(cluster, CONTROLLER, verb, what, namespace)] == []


def test_kubectl_agrees_about_secrets(cluster: ApiServer) -> None:
    command = ("auth", "can-i", "get", "secrets", "--all-namespaces", "--as", CONTROLLER)

    done = cluster.kubectl(*command, check=False)

    assert done.stdout == "no\n"


# ── an adapter ──


@pytest.fixture(scope="module")
def adapter(cluster: ApiServer) -> tuple[str, str]:
    """A VSphereSource `mine` whose rights the controller has granted: namespace and the adapter's user."""
    namespace = cluster.create_namespace("adapter")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    cluster.create(account, namespace)
    parent = cluster.create(vsphere_source("mine", serviceAccountName="reader"), namespace)
    token = cluster.service_account_token(OWN, "vsphere-controller")
    for child in children.rights(parent, {}):
        content = {"apiVersion": child.resource.api_version, "kind": child.resource.kind, **child.object}
        path = child.resource.path(namespace)
        status, result = cluster.respond("POST", path, content, token=token)
        assert status == 201, result
    return namespace, f"system:serviceaccount:{namespace}:reader"


def test_adapter_may_keep_its_checkpoint(cluster: ApiServer, adapter: tuple[str, str]) -> None:
    namespace, user = adapter

    allowed = [
        verb for verb in ("get", "update", "patch") if can(cluster, user, verb, "configmaps/mine-configmap", namespace)
    ]

    assert allowed == ["get", "update", "patch"]


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "configmaps/other-configmap"),
        ("list", "configmaps"),
        ("create", "configmaps"),
        ("delete", "configmaps/mine-configmap"),
        ("get", "secrets"),
        ("get", "pods"),
    ],
)
def test_adapter_may_nothing_else(cluster: ApiServer, adapter: tuple[str, str], verb: str, what: str) -> None:
    namespace, user = adapter

    assert not can(cluster, user, verb, what, namespace)


def test_controller_cannot_grant_what_it_lacks(cluster: ApiServer) -> None:
    namespace = cluster.create_namespace("escalation")
    token = cluster.service_account_token(OWN, "vsphere-controller")
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "secrets"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }

    status, result = cluster.respond("POST", cluster.path(role, namespace, named=False), role, token=token)

    assert status == 403
    assert "attempting to grant RBAC permissions not currently held" in result["message"]


# ── users and Knative ──


@pytest.mark.parametrize(
    ("role", "verb", "allowed"), [("edit", "create", True), ("view", "list", True), ("view", "create", False)]
)
def test_user_of_a_namespace_has_its_sources(cluster: ApiServer, role: str, verb: str, allowed: bool) -> None:
    namespace = cluster.create_namespace("users")
    cluster.create(bound_role("", role, "somebody"), namespace)
    plurals = ("vspheresources", "vspherebindings", "horizonsources")

    def rights() -> set[bool]:
        return {can(cluster, "somebody", verb, f"{plural}.sources.tanzu.vmware.com", namespace) for plural in plurals}

    wait_until(lambda: rights() == {allowed}, 5, f"{role} may {verb}: {allowed}")
    assert not can(cluster, "somebody", verb, "vspheresources.sources.tanzu.vmware.com", "default")


@pytest.mark.parametrize("plural", ["vspheresources", "horizonsources"])
def test_knative_eventing_may_watch_sources(cluster: ApiServer, plural: str) -> None:
    user = "system:serviceaccount:knative-eventing:controller"

    assert can(cluster, user, "watch", f"{plural}.sources.tanzu.vmware.com")
    assert not can(cluster, user, "update", f"{plural}.sources.tanzu.vmware.com")


@pytest.mark.parametrize("content", [vsphere_source(), vsphere_binding(), horizon_source()], ids=lambda c: c["kind"])
def test_stranger_may_not_create(cluster: ApiServer, content: Object) -> None:
    namespace = cluster.create_namespace("stranger")
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}, namespace)
    token = cluster.service_account_token(namespace, "stranger")

    status, _ = cluster.respond("POST", cluster.path(content, namespace, named=False), content, token=token)

    assert status == 403
