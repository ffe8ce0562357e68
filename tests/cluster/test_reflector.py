"""Tests of the reflector against a real API server and a bad network: it misses nothing, whatever ends its watch."""

from collections.abc import Iterator

import pytest
import urllib3

from cluster.cache import Cache
from cluster.client import ClusterClient
from cluster.connection import Connection
from cluster.errors import ClusterError
from cluster.reflector import Pause, Reflector, Selection
from cluster.resources import CONFIG_MAPS, Object, Resource
from tests.support import predecessor
from tests.support.api_server import ApiServer
from tests.support.controller import connection
from tests.support.faulty_proxy import GARBAGE, HALF_OPEN, NONE, RESET, SLICES, Fault, FaultyProxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

SILENCE_SECONDS = 1.0


def manifest(name: str, value: str = "") -> Object:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}}


@pytest.fixture
def proxy(api_server: ApiServer) -> Iterator[FaultyProxy]:
    """A proxy in front of the API server."""
    with FaultyProxy(int(api_server.url.rpartition(":")[2])) as running:
        yield running


@pytest.fixture
def reflector(api_server: ApiServer, namespace: str, proxy: FaultyProxy) -> Iterator[Reflector]:
    """A reflector of the ConfigMaps of *namespace*, through *proxy*."""
    url = f"https://127.0.0.1:{proxy.port}"
    with ClusterClient(connection(api_server, namespace, url), SILENCE_SECONDS) as client:
        following = Reflector(client, Selection(CONFIG_MAPS, namespace), Cache(lambda _before, _after: None))
        following.start()
        assert following.wait_synced(10)
        yield following
        following.close()


def value(reflector: Reflector, name: str, namespace: str) -> str | None:
    """Return the value of a ConfigMap in the reflector's cache, or None."""
    obj = reflector.cache.get(namespace, name)
    return None if obj is None else obj["data"]["key"]


def test_pause_grows_while_the_reason_is_the_same() -> None:
    pause = Pause()
    unreachable, expired, denied = (ClusterError(status, "", "") for status in (0, 410, 403))

    away = [pause.after(unreachable) for _ in range(8)]

    assert away == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert [pause.after(expired), pause.after(expired)] == [0.2, 0.4], "an API server that is back is asked at once"
    assert [pause.after(denied) for _ in range(12)][-1] == 60.0
    pause.after_success()
    assert pause.after(denied) == 0.2


def test_changes_arrive(api_server: ApiServer, namespace: str, reflector: Reflector) -> None:
    api_server.create(manifest("a", "1"), namespace)
    wait_until(lambda: value(reflector, "a", namespace) == "1")
    api_server.patch("v1", "ConfigMap", "a", namespace, {"data": {"key": "2"}})
    wait_until(lambda: value(reflector, "a", namespace) == "2")
    api_server.delete("v1", "ConfigMap", "a", namespace)
    wait_until(lambda: value(reflector, "a", namespace) is None)

    assert reflector.lists == 1


def test_silent_connection_is_replaced(
    api_server: ApiServer, namespace: str, reflector: Reflector, proxy: FaultyProxy
) -> None:
    wait_until(lambda: reflector.is_current)
    proxy.fault = HALF_OPEN
    api_server.create(manifest("a", "1"), namespace)  # its event is swallowed
    wait_until(lambda: not reflector.is_current, SILENCE_SECONDS + 5)

    proxy.fault = NONE

    wait_until(lambda: value(reflector, "a", namespace) == "1", 30)
    assert reflector.lists == 1, "it goes on from the version that it saw"


@pytest.mark.parametrize("fault", [RESET, SLICES, GARBAGE], ids=["reset", "slices", "garbage"])
def test_change_arrives_after_a_bad_network(
    api_server: ApiServer, namespace: str, reflector: Reflector, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.fault = fault
    for number in range(5):
        api_server.create(manifest(f"a{number}", "1"), namespace)
    proxy.fault = NONE

    wait_until(lambda: len(reflector.cache.all(namespace)) == 5, 30)


def test_restart_of_the_api_server_loses_nothing(api_server: ApiServer, namespace: str, reflector: Reflector) -> None:
    api_server.create(manifest("before"), namespace)
    api_server.restart()
    api_server.create(manifest("after"), namespace)
    api_server.delete("v1", "ConfigMap", "before", namespace)

    wait_until(lambda: value(reflector, "after", namespace) is not None, 40)
    wait_until(lambda: value(reflector, "before", namespace) is None)


def test_version_that_was_compacted_away_leads_to_a_new_list(
    api_server: ApiServer, namespace: str, reflector: Reflector, proxy: FaultyProxy
) -> None:
    """The API server answers 410, since it was restarted (its own cache of changes is empty) and etcd compacted."""
    api_server.create(manifest("vanishes"), namespace)
    wait_until(lambda: value(reflector, "vanishes", namespace) is not None)
    proxy.fault = HALF_OPEN
    api_server.delete("v1", "ConfigMap", "vanishes", namespace)
    last = ""
    for number in range(20):
        last = api_server.create(manifest(f"a{number}"), namespace)["metadata"]["resourceVersion"]
    compact(api_server, int(last))
    api_server.restart()

    proxy.fault = NONE

    wait_until(lambda: value(reflector, "a19", namespace) is not None, 40)
    assert value(reflector, "vanishes", namespace) is None
    assert reflector.lists == 2


def test_kind_that_is_installed_later_is_followed(api_server: ApiServer, namespace: str, client: ClusterClient) -> None:
    definition = predecessor.definition("LateSource", "late")
    resource = Resource(predecessor.GROUP, "v1alpha1", "latesources", "LateSource")
    reflector = Reflector(client, Selection(resource, namespace), Cache(lambda _before, _after: None))
    reflector.start()
    try:
        assert reflector.wait_synced(10), "a kind that does not exist has no objects"
        api_server.create(definition)
        wait_until(lambda: is_served(api_server), 20)
        late = {"apiVersion": predecessor.API_VERSION, "kind": "LateSource", "metadata": {"name": "a"}}
        api_server.create(late, namespace)

        wait_until(lambda: reflector.cache.get(namespace, "a"), 40)

        api_server.request("DELETE", api_server.path(definition))
        wait_until(lambda: reflector.cache.get(namespace, "a") is None, 40)
    finally:
        reflector.close()


def is_served(server: ApiServer) -> bool:
    """Return whether the API server lists the kind that was installed late."""
    status, document = server.respond("GET", f"/apis/{predecessor.API_VERSION}")
    return status == 200 and any(item["kind"] == "LateSource" for item in document["resources"])


def test_right_that_is_granted_later_is_used(api_server: ApiServer, namespace: str) -> None:
    api_server.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "me"}}, namespace)
    token = api_server.service_account_token(namespace, "me")
    limited = Connection(api_server.url, str(api_server.ca_file), lambda: f"Bearer {token}")
    with ClusterClient(limited) as client:
        reflector = Reflector(client, Selection(CONFIG_MAPS, namespace), Cache(lambda _before, _after: None))
        reflector.start()
        try:
            assert reflector.wait_synced(10)
            api_server.create(manifest("a", "1"), namespace)
            for granted in rights(namespace):
                api_server.create(granted, namespace)

            wait_until(lambda: value(reflector, "a", namespace) == "1", 40)
        finally:
            reflector.close()


def rights(namespace: str) -> list[Object]:
    """Return a Role to follow ConfigMaps, and what gives it to the ServiceAccount `me`."""
    rbac = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    return [
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "me"}, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "me"},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "me"},
            "subjects": [{"kind": "ServiceAccount", "name": "me", "namespace": namespace}],
        },
    ]


def compact(server: ApiServer, revision: int) -> None:
    """Have etcd forget all revisions before *revision*."""
    request = {"revision": str(revision), "physical": True}
    response = urllib3.request("POST", f"{server.etcd_url}/v3/kv/compaction", json=request, timeout=20)
    assert response.status == 200, response.data
