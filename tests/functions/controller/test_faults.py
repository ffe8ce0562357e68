"""Tests of the controller with faults: a silent or restarted API server, a compacted history, a second controller."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import predecessor
from tests.support.api_server import ApiServer
from tests.support.controller import environment, running_controller, wait_deployment
from tests.support.faulty_proxy import HALF_OPEN, NONE, FaultyProxy
from tests.support.waiting import is_true_within, wait_until

pytestmark = pytest.mark.cluster

SOURCE = ("sources.tanzu.vmware.com/v1alpha1", "VSphereSource")


@pytest.fixture
def proxy(kinds: ApiServer) -> Iterator[FaultyProxy]:
    """A proxy in front of the API server."""
    with FaultyProxy(int(kinds.url.rpartition(":")[2])) as running:
        yield running


def url(proxy: FaultyProxy) -> str:
    """Return the API server's address behind *proxy*."""
    return f"https://127.0.0.1:{proxy.port}"


def test_source_created_while_watches_are_silent_is_noticed(
    kinds: ApiServer, namespace: str, proxy: FaultyProxy
) -> None:
    with running_controller(kinds, namespace, url=url(proxy), silence_seconds=1.0) as work:
        kinds.create(predecessor.vsphere_source("first"), namespace)
        wait_deployment(kinds, "first-adapter", namespace)
        proxy.fault = HALF_OPEN
        kinds.create(predecessor.vsphere_source("second"), namespace)
        wait_until(lambda: not work.election.is_leader, 20, "it stops to lead without renewals")

        proxy.fault = NONE

        wait_deployment(kinds, "second-adapter", namespace, 40)


def test_api_server_that_restarts_is_followed(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("first"), namespace)
        wait_deployment(kinds, "first-adapter", namespace)
        kinds.stop()
        kinds.start()
        kinds.create(predecessor.vsphere_source("second"), namespace)
        change = {"spec": {"sink": {"uri": "http://other.example"}}}
        kinds.patch(*SOURCE, "first", namespace, change)

        wait_deployment(kinds, "second-adapter", namespace, 40)
        wait_until(lambda: sink(kinds, "first-adapter", namespace) == "http://other.example", 40)


def test_frozen_api_server_is_followed_when_it_moves_on(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace, silence_seconds=2.0) as work:
        kinds.create(predecessor.vsphere_source("first"), namespace)
        wait_deployment(kinds, "first-adapter", namespace)
        with kinds.frozen():
            wait_until(lambda: not work.election.is_leader, 20)
        kinds.create(predecessor.vsphere_source("second"), namespace)

        wait_deployment(kinds, "second-adapter", namespace, 40)


def test_second_controller_waits_and_takes_over(kinds: ApiServer, namespace: str) -> None:
    with running_controller(kinds, namespace, "second") as second:
        wait_until(lambda: second.election.is_leader)
        with running_controller(kinds, namespace, "first") as first:
            kinds.create(predecessor.vsphere_source("foo"), namespace)
            wait_deployment(kinds, "foo-adapter", namespace)
            assert (first.election.is_leader, second.election.is_leader) == (False, True)
            assert first.counts.passes.value("succeeded") == 0

            second.close()
            kinds.create(predecessor.vsphere_source("bar"), namespace)
            started = time.monotonic()
            wait_deployment(kinds, "bar-adapter", namespace)

            assert time.monotonic() - started < 5
            assert first.election.is_leader


def test_controller_without_its_lease_writes_nothing(kinds: ApiServer, namespace: str) -> None:
    holder: dict[str, Any] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "vsphere-source-controller"},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    kinds.create(holder, namespace)
    with running_controller(kinds, namespace):
        kinds.create(predecessor.vsphere_source("foo"), namespace)

        assert not is_true_within(3, lambda: kinds.get("apps/v1", "Deployment", "foo-adapter", namespace))


def sink(server: ApiServer, name: str, namespace: str) -> str:
    """Return the sink of an adapter."""
    return environment(wait_deployment(server, name, namespace))["K_SINK"]
