import gc
import random
from collections import Counter
from typing import Any

import pytest
from pyVmomi import vim

from demo.data_center import FAILURES, HOSTS, VCENTER, DataCenter
from demo.life import Life
from demo.vcsim import VCSim
from pipeline.cloudevents import CloudEvent
from tests.support.waiting import wait_until
from vsphere import severity

STORY_SECONDS = 600


def events_of(center: DataCenter) -> list[Any]:
    """Return all events of vCenter, oldest first."""
    collector = center.content(VCENTER).eventManager.CreateCollectorForEvents(vim.event.EventFilterSpec())
    events: list[Any] = []
    while page := collector.ReadNextEvents(1000):
        events += page
    return events


def type_of(event: Any) -> str:
    return getattr(event, "eventTypeId", None) or type(event).__name__.rpartition(".")[2]


@pytest.fixture(scope="module")
def story(vcsim_program: object) -> list[Any]:
    """The events of all chapters, which pass without waiting."""
    now = [0.0]
    with VCSim(empty=True) as vcsim, DataCenter(vcsim) as center:
        center.build()
        before = len(events_of(center))
        life = Life(center, random.Random(4711), clock=lambda: now[0])
        while now[0] < STORY_SECONDS:
            now[0] = life.step()
        return events_of(center)[before:]


def test_all_chapters_have_the_whole_story(story: list[Any]) -> None:
    types = [type_of(event) for event in story]
    plot = [
        "VmFailedMigrateEvent", "VmMigratedEvent", "HostConnectionLostEvent", "com.vmware.vc.HA.DasHostFailedEvent",
        "com.vmware.vc.ha.VmRestartedByHAEvent", "com.vmware.vc.HA.ClusterFailoverActionCompletedEvent",
        "HostConnectedEvent", "VmRemovedEvent",
    ]  # fmt: skip
    assert [types.index(step) for step in plot] == sorted(types.index(step) for step in plot)
    lifetime = [type_of(event) for event in story if event.vm and event.vm.name == "erp-test"]
    assert lifetime.index("VmRemovedEvent") < lifetime.index("VmCreatedEvent")  # restored
    counts = Counter(types)
    assert counts["HostConnectionLostEvent"] >= 3
    assert counts["VmDisconnectedEvent"] >= counts["com.vmware.vc.ha.VmRestartedByHAEvent"] >= 12
    colours = [event.to for event in story if type_of(event) == "AlarmStatusChangedEvent"]
    assert colours[:7] == ["yellow", *["red", "green"] * 3]


def test_no_severity_is_inferred_from_a_name(story: list[Any]) -> None:
    events = [CloudEvent({"type": type_of(event)}, b"") for event in story]
    assert [event["type"] for event in events if severity.of(event, {}).endswith(severity.INFERRED)] == []


def test_every_event_names_its_user_and_its_place(story: list[Any]) -> None:
    events = [event for event in story if "Session" not in type_of(event)]
    assert [type_of(event) for event in events if not event.userName] == []
    places = {event.host.name for event in events if event.host}
    assert places <= set(HOSTS)
    words = [event.fullFormattedMessage or getattr(event, "message", "") or "" for event in events]
    assert [text for text in words if not text or "<" in text or text.rstrip().endswith(" in")] == []


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # pyVmomi's, of a request cut off
def test_story_begins_again_after_a_restart_of_vcenter(vcsim_program: object) -> None:
    with VCSim(empty=True) as vcsim, DataCenter(vcsim) as center, DataCenter(vcsim) as observer:
        life = Life(center)
        life.start()
        try:
            vcsim.restart()
            wait_until(lambda: has_begun(observer), pause_seconds=0.2)
        finally:
            life.stop()
            gc.collect()  # here, where the warning about such a connection is ignored


def has_begun(observer: DataCenter) -> bool:
    try:
        return any(type_of(event) == "VmReconfiguredEvent" for event in events_of(observer))
    except FAILURES:
        observer.forget_sessions()
        return False
