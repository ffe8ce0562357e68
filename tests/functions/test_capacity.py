"""capacity, with the datastore of a simulated vCenter."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyVmomi import vim

from demo.vcsim import VCSim
from functions import capacity
from pipeline.cloudevents import CloudEvent
from pipeline.errors import TemporaryError
from pipeline.reaction import ReactionFunction
from tests.support.administrator import Administrator
from tests.support.events import newest

Turned = Callable[[Any, str], CloudEvent]

ALARM = "Datastore usage on disk"


@pytest.fixture
def vcsim(vcsim_with_alarms: VCSim) -> VCSim:
    return vcsim_with_alarms


@pytest.fixture
def function(vcsim: VCSim) -> Iterator[ReactionFunction]:
    with contextlib.closing(capacity.create(vcsim.environ)) as function:
        yield function


@pytest.fixture
def datastore(administrator: Administrator) -> Any:
    return administrator.objects(vim.Datastore)[0]


@pytest.fixture
def turned(vcsim: VCSim, administrator: Administrator) -> Turned:
    """Turns an object's alarm to a colour. Returns vCenter's event."""

    def turn(managed: Any, colour: str) -> CloudEvent:
        administrator.turn(managed, colour, ALARM)
        return newest(vcsim, "AlarmStatusChangedEvent")

    return turn


def another(event: CloudEvent) -> CloudEvent:
    """The same in an event of another id."""
    return event.with_attributes(id=f"{event['id']}-again")


def data(reply: CloudEvent | None) -> dict[str, Any]:
    assert reply is not None
    return dict(reply.payload or {})


def test_each_state_is_reported_once_with_vcenters_figures(
    function: ReactionFunction, datastore: Any, turned: Turned
) -> None:
    replies: list[CloudEvent | None] = []
    for colour in ("yellow", "red", "green"):
        event = turned(datastore, colour)
        replies += [function.handle(event), function.handle(another(event))]

    assert [reply and reply["type"] for reply in replies] == [
        "dev.vcenter-events.capacity.yellow.v0",
        None,
        "dev.vcenter-events.capacity.red.v0",
        None,
        "dev.vcenter-events.capacity.green.v0",
        None,
    ]
    assert [data(reply)["severity"] for reply in replies[::2]] == ["warning", "error", "info"]
    first, room = data(replies[0]), datastore.summary
    assert (first["datastore"], first["capacity"], first["free"]) == ("LocalDS_0", room.capacity, room.freeSpace)
    assert first["message"].startswith("Datastore LocalDS_0 is yellow: ")
    assert first["message"].endswith("(Datastore usage on disk)")


def test_older_state_than_the_last_is_not_reported(function: ReactionFunction, datastore: Any, turned: Turned) -> None:
    older, newer = turned(datastore, "red"), turned(datastore, "green")
    assert function.handle(newer) is not None

    assert function.handle(older) is None


def test_usage_of_vms_is_read_from_vcenter(function: ReactionFunction, datastore: Any, turned: Turned) -> None:
    largest = data(function.handle(turned(datastore, "yellow")))["largest"]

    assert set(largest) <= {vm.name for vm in datastore.vm}
    assert "grown" in data(function.handle(turned(datastore, "red")))


def test_growth_is_positive_and_only_the_largest_is_listed() -> None:
    before = {"a": 10, "b": 10, "c": 10}
    now = {"a": 30, "b": 5, "c": 10, "new": 7}

    assert capacity.growth(before, now) == {"a": 20, "new": 7}
    assert list(capacity.largest({name: number for number, name in enumerate("abcdefg")})) == list("gfedc")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0.0 B"), (1536, "1.5 KiB"), (10 * 2**30, "10 GiB"), (5000 * 2**40, "5000 TiB")]
)
def test_size_is_formatted_for_people(count: int, words: str) -> None:
    assert capacity.size(count) == words


def test_alarms_of_other_objects_and_other_colors_are_skipped(
    administrator: Administrator,
    function: ReactionFunction,
    datastore: Any,
    turned: Turned,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert function.handle(turned(administrator.objects(vim.HostSystem)[0], "red")) is None
    assert function.handle(turned(datastore, "gray")) is None

    assert capsys.readouterr().out.count("not an alarm of a datastore") == 2


def test_redelivery_after_an_outage_of_vcenter_is_reported(
    vcsim: VCSim, function: ReactionFunction, datastore: Any, turned: Turned
) -> None:
    event = turned(datastore, "red")
    vcsim.stop()
    with pytest.raises(TemporaryError):
        function.handle(event)

    vcsim.start()
    assert function.handle(event) is not None
