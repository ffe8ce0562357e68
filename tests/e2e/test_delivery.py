"""Events from vCenter to a subscriber through the real Broker: all of them, whatever is restarted in the middle."""

import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from pyVmomi import vim

from tests.e2e.cluster import TRIGGER, Cluster
from tests.e2e.installation import ClusterRecorder, rows
from tests.support.administrator import Administrator
from tests.support.delivery_check import check_delivery
from tests.support.recorder import Request

pytestmark = pytest.mark.cluster

EVENTS = 1000
PACE_SECONDS = 0.02
"""Between two events that are measured, so that the latency is that of one event and not of a queue."""
VMS = 100
"""The entities of a burst. Events of one entity are sent one after the other, those of several at the same time."""


@pytest.fixture(scope="module")
def box(cluster: Cluster, installed: str, recorder: ClusterRecorder) -> Callable[[], list[Request]]:
    """The requests of a Trigger without a filter, except those to the display."""
    cluster.apply(
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": "everything", "namespace": installed},
            "spec": {"broker": "default", "subscriber": {"uri": f"{recorder.address}/everything"}},
        }
    )
    cluster.wait_ready(TRIGGER, "everything", installed)
    cluster.wait_subscribed(installed)
    return lambda: recorder.box("everything")


def vms(number: int) -> list[Any]:
    """Virtual machines to post events about."""
    return [vim.VirtualMachine(f"vm-{9000 + vm}", None) for vm in range(number)]


def posted(
    administrator: Administrator, count: int, pause_seconds: float = 0.0, about: Sequence[Any] = (None,)
) -> Iterator[int]:
    """Post events, numbered from 0, *about* one VM after the other. Report the number after each."""
    for number in range(count):
        administrator.post(f"number {number}", about[number % len(about)])
        yield number + 1
        time.sleep(pause_seconds)


def arrived(
    cluster: Cluster, box: Callable[[], list[Request]], first: int, last: int, seconds: float = 180
) -> list[Request]:
    """Every arrival of the events with keys from *first* to *last*, once each has come. Fails with those missing."""
    expected = set(range(first, last + 1))

    def missing() -> set[int]:
        return expected - {int(request.id) for request in box() if request.id.isdecimal()}

    try:
        cluster.until(lambda: not missing(), "all events", seconds)
    except AssertionError:
        assert sorted(missing()) == []
    return [request for request in box() if request.id.isdecimal() and int(request.id) in expected]


def latencies(received: list[Request]) -> list[float]:
    """Seconds from vCenter's time stamp to the subscriber, sorted."""
    return sorted(request.at - datetime.fromisoformat(request.attributes["time"]).timestamp() for request in received)


def test_a_thousand_events_arrive_with_their_latency(
    cluster: Cluster,
    installed: str,
    administrator: Administrator,
    box: Callable[[], list[Request]],
    report_figure: Callable[[str], None],
) -> None:
    administrator.post("before the thousand")
    before = administrator.newest_key

    assert list(posted(administrator, EVENTS, PACE_SECONDS))[-1] == EVENTS

    received = arrived(cluster, box, before + 1, before + EVENTS)
    cuts = statistics.quantiles(latencies(received), n=100)
    report_figure(
        f"{EVENTS} events, {len(received) - EVENTS} twice: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
    )

    def all_shown(rows: list[dict[str, str]]) -> bool:
        return {f"number {number}" for number in range(EVENTS)} <= {row["message"].split(": ")[-1] for row in rows}

    cluster.until(lambda: all_shown(rows(cluster, installed, all_shown)), "all events on the display", 60)


@pytest.mark.parametrize("number", [1, VMS])
def test_a_burst_arrives(
    cluster: Cluster,
    administrator: Administrator,
    box: Callable[[], list[Request]],
    report_figure: Callable[[str], None],
    number: int,
) -> None:
    administrator.post("before the burst")
    before = administrator.newest_key
    start = time.monotonic()

    assert list(posted(administrator, EVENTS, about=vms(number)))[-1] == EVENTS
    pace = EVENTS / (time.monotonic() - start)

    received = arrived(cluster, box, before + 1, before + EVENTS)
    rate = len(received) / (received[-1].at - received[0].at)
    keys = [int(request.id) for request in received]
    overtaken = sum(key < newest for key, newest in zip(keys, itertools.accumulate(keys, max), strict=True))
    report_figure(
        f"burst of {EVENTS} about {number} VMs, posted at {pace:.0f} events/s, which is the pace of this test "
        f"(`make bench NAMES=knative` measures Knative's): arrived at {rate:.0f} events/s, "
        f"{overtaken} overtaken by a later one"
    )


def test_a_subscriber_that_is_down_holds_up_nobody(
    cluster: Cluster,
    installed: str,
    administrator: Administrator,
    box: Callable[[], list[Request]],
    report_figure: Callable[[str], None],
) -> None:
    events = 20
    cluster.apply(
        {
            "apiVersion": TRIGGER[0],
            "kind": TRIGGER[1],
            "metadata": {"name": "down", "namespace": installed},
            "spec": {
                "broker": "default",
                "subscriber": {"uri": f"http://nobody.{installed}.svc.cluster.local/"},
                "delivery": {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"},  # 3.4 minutes
            },
        }
    )
    try:
        cluster.wait_ready(TRIGGER, "down", installed)
        cluster.wait_subscribed(installed)
        administrator.post("before a subscriber is down")
        before = administrator.newest_key

        assert list(posted(administrator, events, PACE_SECONDS))[-1] == events

        received = arrived(cluster, box, before + 1, before + events, 30)
        cluster.until(lambda: saved_key(cluster, installed) >= before + events, "the checkpoint behind them", 30)
        assert len(received) == events
        report_figure(
            f"one of two subscribers down: {events} events after at most {latencies(received)[-1] * 1000:.0f} ms"
        )
    finally:
        cluster.delete(TRIGGER, "down", installed)


def saved_key(cluster: Cluster, namespace: str) -> int:
    """The key of the last event that the poller knows to be acknowledged."""
    config_map = cluster.get(("v1", "ConfigMap"), "vcenter-poller-configmap", namespace) or {}
    return int(json.loads(config_map["data"]["checkpoint"])["lastEventKey"])


INGRESS = ("knative-eventing", "eventing.knative.dev/brokerRole=ingress")
DISPATCHER = ("knative-eventing", "messaging.knative.dev/role=dispatcher")
"""The InMemoryChannel's: it holds what the Broker acknowledged and has not delivered, in memory."""
RESTARTS = {
    "poller": (("{namespace}", "serving.knative.dev/service=vcenter-poller"), 300, PACE_SECONDS),
    "broker ingress": (INGRESS, 300, PACE_SECONDS),
    "channel dispatcher": (DISPATCHER, 300, PACE_SECONDS),
    "channel dispatcher, in a burst,": (DISPATCHER, EVENTS, 0.0),  # long enough to be still on when the pod ends
}


@pytest.mark.parametrize("what", RESTARTS)
def test_no_event_is_lost_when_a_pod_is_killed(
    cluster: Cluster,
    installed: str,
    administrator: Administrator,
    box: Callable[[], list[Request]],
    report_figure: Callable[[str], None],
    what: str,
) -> None:
    (namespace, selector), events, pause_seconds = RESTARTS[what]
    administrator.post(f"before {what} is killed")
    before = administrator.newest_key

    killed: list[str] = []
    for count in posted(administrator, events, pause_seconds, vms(VMS)):
        if count == events // 3:
            killed = cluster.delete_pods(namespace.format(namespace=installed), selector)

    received = arrived(cluster, box, before + 1, before + events)
    assert killed
    check = check_delivery(range(before + 1, before + events + 1), [int(request.id) for request in received])
    report_figure(f"{what} killed after {events // 3} of {events} events: {check}")
