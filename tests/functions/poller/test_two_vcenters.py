"""Two vCenters side by side: two pollers in one namespace of a real API server, with a checkpoint and lease each."""

import json
from collections.abc import Iterator

import pytest

from demo.vcsim import VCSim
from tests.support import api_server as kubernetes_api
from tests.support.administrator import Administrator
from tests.support.api_server import ApiServer
from tests.support.recorder import Recorder
from tests.support.serving import Served
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

NAMES = ("a-configmap", "b-configmap")


@pytest.fixture
def second_vcsim(vcsim_program: object) -> Iterator[VCSim]:
    with VCSim() as running:
        yield running


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with kubernetes_api.running() as server:
        yield server


def poller(api: ApiServer, vcsim: VCSim, sink: Recorder, config_map: str) -> Served:
    """A poller as a process, whose checkpoint is in *config_map*."""
    return Served(
        "poller",
        **vcsim.environ,
        K_SINK=sink.url,
        KUBECONFIG=str(api.kubeconfig),
        CHECKPOINT=f"configmap:{config_map}",
        FOLLOW_SECONDS="always",
    )


def saved(api: ApiServer, config_map: str) -> dict[str, str]:
    live = api.get("v1", "ConfigMap", config_map, "default")
    assert live is not None
    return dict(live.get("data") or {})


def saved_key(api: ApiServer, config_map: str) -> int:
    return int(json.loads(saved(api, config_map)["checkpoint"])["lastEventKey"])


def ids(sink: Recorder, vcsim: VCSim) -> list[int]:
    return [int(request.id) for request in sink.accepted if request.headers["ce-source"] == vcsim.environ["VC_URL"]]


def test_two_vcenters_have_their_own_checkpoint_and_lease(
    api: ApiServer, vcsim: VCSim, second_vcsim: VCSim, sink: Recorder
) -> None:
    for name in NAMES:
        api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
    with (
        Administrator(vcsim.port) as first_admin,
        Administrator(second_vcsim.port) as second_admin,
        poller(api, vcsim, sink, "a-configmap") as first,
    ):
        with poller(api, second_vcsim, sink, "b-configmap"):
            second_admin.post("at the second")
            wait_until(lambda: first_admin.newest_key in ids(sink, vcsim), 20)
            wait_until(lambda: second_admin.newest_key in ids(sink, second_vcsim), 20)
            wait_until(lambda: all("checkpoint" in saved(api, name) for name in NAMES), 20)
        second_admin.post("while the second is down")
        first_admin.post("at the first")
        wait_until(lambda: first_admin.newest_key in ids(sink, vcsim), 20)
        with poller(api, second_vcsim, sink, "b-configmap"):
            wait_until(lambda: second_admin.newest_key in ids(sink, second_vcsim), 20)
            wait_until(lambda: saved_key(api, "b-configmap") == second_admin.newest_key, 20)
        wait_until(lambda: saved_key(api, "a-configmap") == first_admin.newest_key, 20)
        assert all("lease" in saved(api, name) for name in NAMES)
        assert not any("lease" in line["message"].lower() for line in first.lines)
