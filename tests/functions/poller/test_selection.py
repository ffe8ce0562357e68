"""The selection of events at vCenter: what is selected comes, and an invalid selection never selects more."""

import contextlib
from collections.abc import Iterator

import pytest

from functions.poller import Poller, create
from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, VCenterEventsError
from tests.support.administrator import Administrator
from tests.support.recorder import Recorder

TICK = CloudEvent({"id": "tick", "type": "dev.knative.sources.ping", "source": "/test"})


@contextlib.contextmanager
def poller(environ: dict[str, str], **more: str) -> Iterator[Poller]:
    with contextlib.closing(create({**environ, **more})) as created:
        yield created


def types(sink: Recorder) -> list[str]:
    return [request.headers["ce-type"] for request in sink.accepted]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("EVENT_TYPES", ",", "names no event type"),
        ("EVENT_TYPES", "VmPoweredOnEvnet", "not an event class"),
        ("EVENT_TYPES", "VirtualMachine", "not an event class"),
        ("EVENT_TYPES", "VmPoweredOnEvent,nonsense", "not an event class"),
        ("ENTITY", "vm-12", "not of the form Type/id"),
        ("ENTITY", "Machine/vm-12", "not a managed entity"),
        ("ENTITY", "HostSystem/a b", "not of the form Type/id"),
    ],
)
def test_invalid_selection_is_an_error(environ: dict[str, str], variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        create({**environ, variable: value})


@pytest.mark.parametrize("event_type", ["com.vmware.vc.never", "vim.event.Never"])
def test_type_that_never_happens_selects_nothing(environ: dict[str, str], sink: Recorder, event_type: str) -> None:
    with poller(environ, EVENT_TYPES=event_type) as selecting:
        selecting.handle(TICK)
    assert sink.requests == []


def test_entity_that_does_not_exist_selects_nothing(environ: dict[str, str], sink: Recorder) -> None:
    with poller(environ, ENTITY="VirtualMachine/vm-99999") as selecting, contextlib.suppress(VCenterEventsError):
        selecting.handle(TICK)  # vcsim returns nothing, vCenter a fault
    assert [event_type for event_type in types(sink) if event_type.startswith("com.vmware.vsphere.")] == []


def test_changed_selection_continues_without_a_gap(
    environ: dict[str, str], sink: Recorder, administrator: Administrator
) -> None:
    vm = administrator.vms[0]
    administrator.power_off(vm)
    with poller(environ, EVENT_TYPES="VmPoweredOffEvent") as selecting:
        selecting.handle(TICK)
    assert set(types(sink)) == {"com.vmware.vsphere.VmPoweredOffEvent.v0"}
    for text in ("one", "two"):
        administrator.power_on(vm)
        administrator.power_off(vm)
        administrator.post(text)
    before = len(sink.accepted)
    with poller(environ, EVENT_TYPES="GeneralUserEvent") as selecting:
        selecting.handle(TICK)
    assert types(sink)[before:] == ["com.vmware.vsphere.GeneralUserEvent.v0"] * 2
    assert status_events.GAP not in types(sink)
