"""capacity, with the datastore of a simulated vCenter."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import capacity
from pipeline.errors import TemporaryError
from tests.administrator import Administrator
from tests.functions.events import about, vcenter_event

ALARM = {"Name": "Datastore usage on disk", "Alarm": {"Type": "Alarm", "Value": "alarm-8"}}


@pytest.fixture
def function(vcsim: VCSim) -> Iterator[capacity.Capacity]:
    account = {"VC_USERNAME": "user", "VC_PASSWORD": "pass", "VC_INSECURE": "true"}
    with contextlib.closing(capacity.create({"VC_URL": vcsim.url, **account})) as function:
        yield function


def datastore(administrator: Administrator) -> Any:
    view = administrator.content.viewManager.CreateContainerView(
        administrator.content.rootFolder, [vim.Datastore], True
    )
    return view.view[0]


def changed(vcsim: VCSim, entity: Any, state: str, number: str, minute: int = 0) -> CloudEvent:
    event = vcenter_event(
        vcsim.url,
        "AlarmStatusChangedEvent",
        number,
        Entity=about(entity, "Entity"),
        Alarm=ALARM,
        From="green",
        To=state,
    )
    event["time"] = f"2026-11-20T15:{minute:02}:00Z"
    return event


def data(reply: CloudEvent | None) -> dict[str, Any]:
    assert reply is not None
    return dict(reply.get_data() or {})


def test_each_state_is_told_once_with_the_room_that_vcenter_knows(vcsim: VCSim, function: capacity.Capacity) -> None:
    with Administrator(vcsim.port) as administrator:
        store = datastore(administrator)
        replies = [
            function.handle(changed(vcsim, store, state, str(number), number))
            for number, state in enumerate(("yellow", "yellow", "red", "red", "green"))
        ]
        summary = store.summary

    assert [reply and reply["type"] for reply in replies] == [
        "dev.vcenter-events.capacity.yellow.v0",
        None,
        "dev.vcenter-events.capacity.red.v0",
        None,
        "dev.vcenter-events.capacity.green.v0",
    ]
    assert [data(replies[number])["severity"] for number in (0, 2, 4)] == ["warning", "error", "info"]
    first = data(replies[0])
    assert (first["datastore"], first["capacity"], first["free"]) == ("LocalDS_0", summary.capacity, summary.freeSpace)
    assert first["message"].startswith("Datastore LocalDS_0 is yellow: ")
    assert first["message"].endswith("(Datastore usage on disk)")


def test_same_event_three_times_is_the_same_report(vcsim: VCSim, function: capacity.Capacity) -> None:
    with Administrator(vcsim.port) as administrator:
        event = changed(vcsim, datastore(administrator), "red", "1")
        first, *others = [function.handle(event) for _ in range(3)]

    assert first is not None
    assert others == [first, first]


def test_state_that_is_older_than_the_last_is_not_told(vcsim: VCSim, function: capacity.Capacity) -> None:
    with Administrator(vcsim.port) as administrator:
        store = datastore(administrator)
        assert function.handle(changed(vcsim, store, "green", "2", minute=5)) is not None

        assert function.handle(changed(vcsim, store, "red", "1", minute=1)) is None


def test_what_machines_take_is_read_from_vcenter(vcsim: VCSim, function: capacity.Capacity) -> None:
    with Administrator(vcsim.port) as administrator:
        store = datastore(administrator)
        largest = data(function.handle(changed(vcsim, store, "yellow", "1", 1)))["largest"]

        assert set(largest) <= {machine.name for machine in store.vm}
        assert "grown" in data(function.handle(changed(vcsim, store, "red", "2", 2)))


def test_growth_is_what_was_added_and_only_the_most_is_named() -> None:
    before = {"a": 10, "b": 10, "c": 10}
    now = {"a": 30, "b": 5, "c": 10, "new": 7}

    assert capacity.grown(before, now) == {"a": 20, "new": 7}
    assert list(capacity.largest({name: number for number, name in enumerate("abcdefg")})) == list("gfedc")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0.0 B"), (1536, "1.5 KiB"), (10 * 2**30, "10 GiB"), (5000 * 2**40, "5000 TiB")]
)
def test_sizes_are_told_as_people_read_them(count: int, words: str) -> None:
    assert capacity.size(count) == words


def test_other_objects_colours_and_events_are_logged_and_answered(
    vcsim: VCSim, function: capacity.Capacity, capsys: pytest.CaptureFixture[str]
) -> None:
    with Administrator(vcsim.port) as administrator:
        assert function.handle(changed(vcsim, administrator.machines[0], "red", "1")) is None
        assert function.handle(changed(vcsim, datastore(administrator), "gray", "2")) is None
    gone = {"Name": "gone", "Entity": {"Type": "Datastore", "Value": "datastore-9999"}}
    assert function.handle(vcenter_event(vcsim.url, "AlarmStatusChangedEvent", "3", Entity=gone, To="red")) is None
    assert function.handle(vcenter_event(vcsim.url, "VmPoweredOnEvent", "4")) is None

    log = capsys.readouterr().out
    assert log.count("no alarm of a datastore") == 2
    assert "datastore is gone" in log
    assert "event without the object" in log


def test_unreachable_vcenter_is_temporary_and_the_report_comes_with_the_event_again(
    vcsim: VCSim, function: capacity.Capacity
) -> None:
    with Administrator(vcsim.port) as administrator:
        event = changed(vcsim, datastore(administrator), "red", "1")
    vcsim.stop()
    with pytest.raises(TemporaryError):
        function.handle(event)

    vcsim.start()
    assert function.handle(event) is not None
