"""Tests of the API server that tests use: it serves, restarts with its data, and enforces RBAC."""

import pytest

from tests.support.api_server import ApiServer, Rejected

pytestmark = pytest.mark.cluster

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"key": "value"}}


def test_objects_outlive_a_restart(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    api_server.create(CONFIG_MAP, namespace)

    api_server.restart()

    kept = api_server.get("v1", "ConfigMap", "kept", namespace)
    assert kept is not None
    assert kept["data"] == {"key": "value"}


def test_kubectl_reads_what_a_request_created(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    api_server.kubectl("apply", "-n", namespace, "-f", "-", manifests=[CONFIG_MAP])

    done = api_server.kubectl("get", "configmap", "-n", namespace, "-o", "name")

    assert done.stdout == "configmap/kept\n"


def test_unknown_field_is_rejected(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()

    with pytest.raises(Rejected, match='unknown field "dta"') as rejection:
        api_server.create({**CONFIG_MAP, "dta": {}}, namespace)

    assert rejection.value.status == 400


def test_token_of_a_service_account_has_its_rights_only(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    api_server.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}}, namespace)
    token = api_server.service_account_token(namespace, "nobody")

    status, result = api_server.respond("GET", f"/api/v1/namespaces/{namespace}/secrets", token=token)

    assert status == 403
    assert f"system:serviceaccount:{namespace}:nobody" in result["message"]
