"""Tests of the election against a real API server: one leader, a fast handover, no two clocks compared."""

import pytest

from cluster.client import ClusterClient
from cluster.lease import LEASE_SECONDS, RENEW_SECONDS, LeaderElection
from cluster.resources import LEASES
from tests.support.api_server import ApiServer
from tests.support.controller import connection
from tests.support.faulty_proxy import HALF_OPEN, FaultyProxy

pytestmark = pytest.mark.cluster


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def election(client: ClusterClient, holder: str, clock: Clock, changes: list[bool] | None = None) -> LeaderElection:
    """Return a replica's part in the election."""
    report = (lambda _: None) if changes is None else changes.append
    return LeaderElection(client, client.namespace, "lease", holder, report, clock)


def test_first_replica_leads_and_the_second_waits(client: ClusterClient, clock: Clock) -> None:
    first, second = election(client, "a", clock), election(client, "b", clock)
    first.step()
    second.step()

    assert (first.is_leader, second.is_leader) == (True, False)
    spec = client.get(LEASES, client.namespace, "lease")["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", LEASE_SECONDS, 0)


def test_lease_that_nobody_renews_is_taken(client: ClusterClient, clock: Clock) -> None:
    first, second = election(client, "a", clock), election(client, "b", clock)
    first.step()
    second.step()
    clock.now += LEASE_SECONDS - 1
    second.step()
    assert not second.is_leader

    clock.now += 1
    second.step()

    assert (first.is_leader, second.is_leader) == (False, True)
    assert client.get(LEASES, client.namespace, "lease")["spec"]["leaseTransitions"] == 1


def test_renewed_lease_is_not_taken(client: ClusterClient, clock: Clock) -> None:
    first, second = election(client, "a", clock), election(client, "b", clock)
    for _ in range(20):
        first.step()
        second.step()
        clock.now += 2

    assert (first.is_leader, second.is_leader) == (True, False)


def test_age_counts_from_when_a_change_was_seen(client: ClusterClient, clock: Clock) -> None:
    """A renewTime of another host's clock, years ago, does not matter."""
    first = election(client, "a", clock)
    first.step()
    lease = client.get(LEASES, client.namespace, "lease")
    lease["spec"]["renewTime"] = "2001-01-01T00:00:00.000000Z"
    client.replace(LEASES, lease)

    second = election(client, "b", clock)
    second.step()

    assert not second.is_leader


def test_leader_without_renewal_stops_before_another_begins(
    api_server: ApiServer, namespace: str, clock: Clock, client: ClusterClient
) -> None:
    changes: list[bool] = []
    with (
        FaultyProxy(int(api_server.url.rpartition(":")[2])) as proxy,
        ClusterClient(connection(api_server, namespace, f"https://127.0.0.1:{proxy.port}")) as cut_off,
    ):
        first, second = election(cut_off, "a", clock, changes), election(client, "b", clock)
        first.step()
        second.step()
        proxy.fault = HALF_OPEN
        clock.now += RENEW_SECONDS

        assert not first.is_leader
        second.step()
        assert not second.is_leader
        first.step()

    assert changes == [True, False]


def test_released_lease_is_taken_at_once(client: ClusterClient, clock: Clock) -> None:
    first, second = election(client, "a", clock), election(client, "b", clock)
    first.step()
    second.step()

    first.close()
    second.step()

    assert (first.is_leader, second.is_leader) == (False, True)


def test_replica_with_the_same_name_goes_on_at_once(client: ClusterClient, clock: Clock) -> None:
    election(client, "a", clock).step()

    restarted = election(client, "a", clock)
    restarted.step()

    assert restarted.is_leader
