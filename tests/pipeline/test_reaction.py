"""The part that all reactions share, with a reaction of the test's own."""

from collections.abc import Callable

import pytest

from pipeline.cloudevents import CloudEvent, create
from pipeline.errors import ObjectNotFound, PermanentError, TemporaryError
from pipeline.reaction import ReactionFunction, Skipped, object_of
from pipeline.reply import reply

VCENTER = "https://vcenter.example/sdk"


def event(number: str = "1", source: str = VCENTER, **data: object) -> CloudEvent:
    attributes = {"id": number, "source": source, "type": "com.vmware.vsphere.VmCreatedEvent.v0"}
    return create(attributes, data or {"FullFormattedMessage": "created"})


class Recorder:
    """A reaction that records its events, and then does what the test says."""

    def __init__(self, act: Callable[[CloudEvent], CloudEvent | None] = lambda _: None) -> None:
        self.events: list[CloudEvent] = []
        self.closed = 0
        self._act = act

    def react(self, event: CloudEvent) -> CloudEvent | None:
        self.events.append(event)
        return self._act(event)

    def close(self) -> None:
        self.closed += 1


def raising(*errors: Exception) -> Callable[[CloudEvent], CloudEvent | None]:
    remaining = list(errors)

    def act(event: CloudEvent) -> CloudEvent | None:
        if remaining:
            raise remaining.pop(0)
        return reply(event, "test.done", "Done", "info")

    return act


def test_reply_of_the_reaction_is_returned_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    answered = ReactionFunction(Recorder(raising())).handle(event())

    assert answered is not None
    assert (answered["type"], answered["id"]) == ("dev.vcenter-events.test.done.v0", "test.done-1")
    assert "reaction replied" in capsys.readouterr().out


def test_reply_names_its_cause_its_objects_and_its_reaction() -> None:
    vm = {"Name": "web-01", "Vm": {"Type": "VirtualMachine", "Value": "vm-12"}}

    replied = reply(event("7", Vm=vm, Host=None, UserName="anna"), "tag.attached", "Tag attached", "info", tag="new")

    assert replied["causationid"] == "7"
    assert replied["partitionkey"] == (replied.get("subject") or replied["source"])
    assert replied.payload == {
        "message": "Tag attached", "severity": "info", "UserName": "reaction tag", "Vm": vm, "tag": "new",
    }  # fmt: skip


def test_duplicate_gets_the_same_reply_and_is_not_handled_again() -> None:
    reaction = Recorder(raising())
    function = ReactionFunction(reaction)

    first, *others = [function.handle(event()) for _ in range(3)]

    assert others == [first, first]
    assert len(reaction.events) == 1


def test_only_the_last_events_are_remembered() -> None:
    reaction = Recorder()
    function = ReactionFunction(reaction, dedup_size=2)

    for number in ("1", "2", "3", "3", "1"):
        function.handle(event(number))

    assert [handled["id"] for handled in reaction.events] == ["1", "2", "3", "1"]


@pytest.mark.parametrize(
    "error", [TemporaryError("busy"), PermanentError("no privilege")], ids=["temporary", "permanent"]
)
def test_error_reaches_the_caller_and_a_redelivery_is_handled(error: Exception) -> None:
    function = ReactionFunction(Recorder(raising(error)))

    with pytest.raises(type(error)):
        function.handle(event())

    assert function.handle(event()) is not None


@pytest.mark.parametrize(
    ("error", "logged"),
    [(Skipped("not a datastore"), "not a datastore"), (ObjectNotFound("VirtualMachine vm-1"), "VirtualMachine vm-1")],
    ids=["skipped", "object not found"],
)
def test_skipped_event_is_logged_and_handled_once(
    error: Exception, logged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reaction = Recorder(raising(error))
    function = ReactionFunction(reaction)

    assert [function.handle(event()), function.handle(event())] == [None, None]

    assert len(reaction.events) == 1
    log = capsys.readouterr().out
    assert "event skipped" in log
    assert logged in log


def test_event_of_another_vcenter_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    reaction = Recorder()
    function = ReactionFunction(reaction, source=VCENTER)

    function.handle(event("1", "https://other.example/sdk"))
    function.handle(event("2"))

    assert [handled["id"] for handled in reaction.events] == ["2"]
    assert "event of another vCenter" in capsys.readouterr().out


@pytest.mark.parametrize("vm", [None, {"Name": "odd", "Vm": "vm-1"}, {"Vm": {"Type": "VirtualMachine"}}])
def test_event_without_the_object_is_skipped(vm: object) -> None:
    with pytest.raises(Skipped, match="event without the object vm"):
        object_of(event(Vm=vm), "vm")


def test_reaction_is_closed_if_it_can_be() -> None:
    class Stateless:
        def react(self, _event: CloudEvent) -> None:
            return None

    reaction = Recorder()

    ReactionFunction(reaction).close()
    ReactionFunction(Stateless()).close()

    assert reaction.closed == 1


def test_results_are_counted() -> None:
    function = ReactionFunction(Recorder(raising(Skipped("no VM"), TemporaryError("vCenter is unreachable"))))
    function.handle(event("1"))
    with pytest.raises(TemporaryError):
        function.handle(event("2"))
    for number in ("2", "2", "3"):
        function.handle(event(number))

    counts = {result: function.metrics.value(result) for result in ("replied", "done", "skipped", "duplicate")}
    assert counts == {"replied": 2, "done": 0, "skipped": 1, "duplicate": 1}
