"""The rights that config/sources gives the controller are enough for bindings, and no more than that."""

import pytest

from cluster.connection import Connection
from tests.support.api_server import ApiServer, running
from tests.support.bindings import (
    CONFIGURATION,
    DEPLOYMENT,
    JOB,
    binding,
    is_bound,
    is_unbound,
    running_webhook,
    subject,
    webhook_entries,
)
from tests.support.controller import API_VERSION, wait_condition
from tests.support.kinds import install
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

SYSTEM = "vmware-sources"
ACCOUNT = "vsphere-controller"


def account(server: ApiServer) -> Connection:
    """Return the connection of the controller's ServiceAccount."""
    token = server.service_account_token(SYSTEM, ACCOUNT)
    return Connection(server.url, str(server.ca_file), lambda: f"Bearer {token}", namespace=SYSTEM)


def test_bindings_need_no_other_rights(kinds: ApiServer) -> None:
    namespace = kinds.create_namespace()
    kinds.create(subject(DEPLOYMENT, "older"), namespace)
    with running_webhook(kinds, own=account(kinds)):
        kinds.create(binding(DEPLOYMENT, "deployments"), namespace)
        kinds.create(binding(JOB, "jobs"), namespace)
        for name in ("deployments", "jobs"):
            assert wait_condition(kinds, "VSphereBinding", name, namespace, "Ready", "True").message == ""
        wait_until(lambda: is_bound(kinds.get(*DEPLOYMENT, "older", namespace)), 10, "the older one is bound")
        assert is_bound(kinds.create(subject(JOB), namespace))
        for name in ("deployments", "jobs"):
            kinds.delete(API_VERSION, "VSphereBinding", name, namespace)
        wait_until(lambda: namespace not in str(webhook_entries(kinds)), 10, "the entries are gone")
        wait_until(lambda: is_unbound(kinds.get(*DEPLOYMENT, "older", namespace)), 10, "it is released")


def test_a_kind_without_rights_is_reported(kinds: ApiServer) -> None:
    namespace = kinds.create_namespace()
    with running_webhook(kinds, own=account(kinds)):
        kinds.create(binding(("batch/v1", "CronJob")), namespace)
        condition = wait_condition(kinds, "VSphereBinding", "b", namespace, "Ready", "False", "SubjectUnavailable")
        kinds.delete(API_VERSION, "VSphereBinding", "b", namespace)
        wait_until(lambda: kinds.get(API_VERSION, "VSphereBinding", "b", namespace) is None, 10, "it is gone")

    assert "cannot list resource" in condition.message


def test_what_may_not_be_released_holds_no_binding(kinds: ApiServer) -> None:
    namespace = kinds.create_namespace()
    role = ("rbac.authorization.k8s.io/v1", "ClusterRole", "vcenter-events-subjects", "")
    with running_webhook(kinds, own=account(kinds)):
        kinds.create(binding(("apps/v1", "StatefulSet")), namespace)
        wait_condition(kinds, "VSphereBinding", "b", namespace, "Ready", "True")
        kinds.create(subject(("apps/v1", "StatefulSet")), namespace)
        rules = (kinds.get(*role) or {})["rules"]
        kinds.patch(*role, {"rules": [{**rule, "verbs": ["get", "list", "watch"]} for rule in rules]})
        try:
            kinds.delete(API_VERSION, "VSphereBinding", "b", namespace)
            wait_until(lambda: kinds.get(API_VERSION, "VSphereBinding", "b", namespace) is None, 10, "it is gone")
        finally:
            kinds.patch(*role, {"rules": rules})

    assert is_bound(kinds.get("apps/v1", "StatefulSet", "x", namespace))


def test_entries_end_with_the_controllers_namespace() -> None:
    """The predecessor's entries stayed, and rejected writes in every namespace from then on."""
    with running() as server:
        install(server)
        server.run_controllers("garbage-collector-controller", "namespace-controller")
        namespace = server.create_namespace()
        with running_webhook(server, own=account(server)):
            server.create(binding(JOB), namespace)
            wait_condition(server, "VSphereBinding", "b", namespace, "Ready", "True")
        server.delete("v1", "Namespace", SYSTEM)
        wait_until(lambda: server.get(*CONFIGURATION) is None, 40, "the configuration is collected as garbage")

        assert is_unbound(server.create(subject(JOB), namespace))
