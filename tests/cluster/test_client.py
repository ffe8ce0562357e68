"""Tests of the client against a real API server: objects, errors, pages, watches, tokens."""

from pathlib import Path

import pytest

from cluster import client as cluster_client
from cluster.client import APPLY_PATCH, JSON_PATCH, ClusterClient
from cluster.connect import connect
from cluster.connection import Connection, TokenFile
from cluster.errors import ClusterError
from cluster.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, Object
from pipeline import bounds
from tests.support.api_server import ApiServer
from tests.support.drip import drip
from tests.support.hostile_server import HostileServer, response

pytestmark = pytest.mark.cluster


def config_map(namespace: str, name: str, **data: str) -> Object:
    """Return a ConfigMap to create."""
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


def test_object_is_created_read_replaced_patched_and_deleted(client: ClusterClient, namespace: str) -> None:
    created = client.create(CONFIG_MAPS, config_map(namespace, "a", key="1"))
    created["data"]["key"] = "2"
    client.replace(CONFIG_MAPS, created)
    client.patch(CONFIG_MAPS, namespace, "a", {"data": {"more": "3"}})
    client.patch(
        CONFIG_MAPS, namespace, "a", [{"op": "add", "path": "/data/last", "value": "4"}], content_type=JSON_PATCH
    )

    assert client.get(CONFIG_MAPS, namespace, "a")["data"] == {"key": "2", "more": "3", "last": "4"}
    assert client.delete(CONFIG_MAPS, namespace, "a") is True
    assert client.delete(CONFIG_MAPS, namespace, "a") is False
    assert client.find(CONFIG_MAPS, namespace, "a") is None


def test_server_side_apply_needs_no_object_before(client: ClusterClient, namespace: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", **config_map(namespace, "a", key="1")}

    client.patch(CONFIG_MAPS, namespace, "a", manifest, content_type=APPLY_PATCH, field_manager="tests")

    assert client.get(CONFIG_MAPS, namespace, "a")["data"] == {"key": "1"}


def test_errors_have_the_words_of_the_api_server(client: ClusterClient, namespace: str) -> None:
    stored = client.create(CONFIG_MAPS, config_map(namespace, "a"))
    client.patch(CONFIG_MAPS, namespace, "a", {"data": {"key": "1"}})

    with pytest.raises(ClusterError, match='configmaps "b" not found') as absent:
        client.get(CONFIG_MAPS, namespace, "b")
    with pytest.raises(ClusterError, match="already exists") as twice:
        client.create(CONFIG_MAPS, config_map(namespace, "a"))
    with pytest.raises(ClusterError, match="the object has been modified") as stale:
        client.replace(CONFIG_MAPS, stored)
    with pytest.raises(ClusterError) as invalid:
        client.create(CONFIG_MAPS, config_map(namespace, "No_Name"))

    assert (absent.value.status, absent.value.is_not_found) == (404, True)
    assert (twice.value.already_exists, twice.value.is_conflict) == (True, False)
    assert (stale.value.already_exists, stale.value.is_conflict) == (False, True)
    assert invalid.value.is_invalid


def test_server_without_a_response_is_unreachable() -> None:
    with ClusterClient(Connection("http://127.0.0.1:9")) as client, pytest.raises(ClusterError) as unreachable:
        client.get(NAMESPACES, "", "default")

    assert (unreachable.value.status, unreachable.value.reason) == (0, "Unreachable")


BEGUN = response(b"x", status=b"200 OK").replace(b"Content-Length: 1", b"Content-Length: 999999999")[:-1]
"""A response that is announced as larger than any, without its body."""
ENDLESS = [BEGUN, *[b" " * bounds.MIB] * (bounds.API_RESPONSE_BYTES // bounds.MIB + 1)]
NESTED = [response(b'{"a":' * 100_000)]


@pytest.mark.parametrize(
    ("parts", "reason"), [(ENDLESS, "more than 33554432 bytes"), (NESTED, "recursion")], ids=["endless", "nested"]
)
def test_unreadable_response_is_unreachable(parts: list[bytes], reason: str) -> None:
    with (
        HostileServer(lambda _head, _body: parts) as server,
        ClusterClient(Connection(server.url)) as client,
        pytest.raises(ClusterError, match=reason) as unreadable,
    ):
        client.list(NAMESPACES)

    assert unreadable.value.reason == "Unreachable"


def test_response_that_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_client, "BODY_SECONDS", 0.2)
    with (
        drip(BEGUN, 0.05) as url,
        ClusterClient(Connection(url.removesuffix("/hook"))) as client,
        pytest.raises(ClusterError, match="is not complete within"),
    ):
        client.list(NAMESPACES)


def test_change_without_end_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "API_OBJECT_BYTES", 100_000)
    parts = [BEGUN, *[b"x" * 50_000] * 3]
    with (
        HostileServer(lambda _head, _body: parts) as server,
        ClusterClient(Connection(server.url)) as client,
        pytest.raises(ClusterError, match="a change has more than 100000 bytes"),
    ):
        list(client.watch(NAMESPACES, "1"))


def test_connection_is_used_again() -> None:
    present, absent = response(b'{"metadata": {}}'), response(b"{}", status=b"404 Not Found")
    with (
        HostileServer(lambda head, _body: [absent if b"absent" in head else present]) as server,
        ClusterClient(Connection(server.url)) as client,
    ):
        for name in ("a", "absent", "b"):
            client.find(NAMESPACES, "", name)

    assert server.connection_count == 1


def test_other_authority_is_not_trusted(api_server: ApiServer) -> None:
    with ClusterClient(Connection(api_server.url)) as client, pytest.raises(ClusterError, match="certificate"):
        client.get(NAMESPACES, "", "default")


def test_list_reads_all_pages(client: ClusterClient, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_client, "PAGE_SIZE", 2)
    for number in range(5):
        client.create(CONFIG_MAPS, config_map(namespace, f"a{number}"))

    collection = client.list(CONFIG_MAPS, namespace)

    assert [item["metadata"]["name"] for item in collection.items] == ["a0", "a1", "a2", "a3", "a4"]
    assert {item["kind"] for item in collection.items} == {"ConfigMap"}


def test_metadata_only_leaves_out_the_rest(client: ClusterClient, namespace: str) -> None:
    client.create(CONFIG_MAPS, config_map(namespace, "a", key="1"))

    (item,) = client.list(CONFIG_MAPS, namespace, metadata_only=True).items

    assert item["kind"] == "ConfigMap"
    assert "data" not in item


def test_watch_yields_changes_until_it_is_closed(client: ClusterClient, namespace: str) -> None:
    version = client.list(CONFIG_MAPS, namespace).version
    client.create(CONFIG_MAPS, config_map(namespace, "a"))
    client.patch(CONFIG_MAPS, namespace, "a", {"data": {"key": "1"}})
    client.delete(CONFIG_MAPS, namespace, "a")
    watch = client.watch(CONFIG_MAPS, version, namespace)

    types = []
    for change in watch:
        types.append(change.type)
        if change.type == "DELETED":
            watch.close()

    assert types == ["ADDED", "MODIFIED", "DELETED"]


def test_watch_of_a_kind_that_does_not_exist_is_an_error(client: ClusterClient, namespace: str) -> None:
    unknown = type(DEPLOYMENTS)("none.example", "v1", "nothings", "Nothing")

    with pytest.raises(ClusterError) as absent:
        client.watch(unknown, "1", namespace)

    assert absent.value.is_not_found


def test_discovery_lists_kinds_without_subresources(client: ClusterClient) -> None:
    resources = client.discover("apps/v1")

    assert DEPLOYMENTS in resources
    assert all("/" not in resource.plural for resource in resources)


def test_pod_connects_with_its_service_account(api_server: ApiServer, namespace: str, tmp_path: Path) -> None:
    api_server.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "me"}}, namespace)
    (tmp_path / "ca.crt").write_bytes(api_server.ca_file.read_bytes())
    (tmp_path / "token").write_text(api_server.service_account_token(namespace, "me"))
    (tmp_path / "namespace").write_text(namespace)
    host, _, port = api_server.url.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}

    with ClusterClient(connect(environ, tmp_path)) as pod:
        assert pod.namespace == namespace
        with pytest.raises(ClusterError, match=f"system:serviceaccount:{namespace}:me") as forbidden:
            pod.list(CONFIG_MAPS, namespace)

    assert forbidden.value.status == 403


def test_renewed_token_is_read_again(tmp_path: Path) -> None:
    now = [0.0]
    (tmp_path / "token").write_text("first\n")
    token = TokenFile(tmp_path / "token", lambda: now[0])
    assert token() == "Bearer first"

    (tmp_path / "token").write_text("second\n")
    now[0] = 59
    assert token() == "Bearer first"
    now[0] = 60
    assert token() == "Bearer second"


def test_token_file_that_vanishes_leaves_the_last_token(tmp_path: Path) -> None:
    now = [0.0]
    (tmp_path / "token").write_text("first")
    token = TokenFile(tmp_path / "token", lambda: now[0])
    token()
    (tmp_path / "token").unlink()
    now[0] = 100

    assert token() == "Bearer first"
