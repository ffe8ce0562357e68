"""notify, with apprise posting to a local receiver."""

import threading
from typing import Any

import pytest
from cloudevents.http import CloudEvent

from functions import notify
from pipeline.errors import SettingsError, TemporaryError
from tests.serving import Receiver

# apprise's own import, of a module that it falls back from.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def event(data: Any = None, **attributes: str) -> CloudEvent:
    attributes = {
        "id": "4711",
        "source": "https://vcenter.example/sdk",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "time": "2026-11-20T15:45:13Z",
        "datacontenttype": "application/json",
        **attributes,
    }
    return CloudEvent(attributes, data)


POWERED_OFF = {
    "UserName": "VSPHERE.LOCAL\\Administrator",
    "Vm": {"Name": "DC0_H0_VM0", "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
    "FullFormattedMessage": "DC0_H0_VM0 on DC0_H0 in DC0 is powered off",
}


def test_vm_event_is_told_by_the_default_templates() -> None:
    with Receiver() as receiver:
        notify.create({"NOTIFY_URLS": receiver.url}).handle(event(POWERED_OFF))
    assert [body["title"] for body in receiver.bodies] == ["VM powered off: DC0_H0_VM0"]
    assert receiver.bodies[0]["message"] == (
        "DC0_H0_VM0 on DC0_H0 in DC0 is powered off\n\n"
        "User: VSPHERE.LOCAL\\Administrator\n"
        "Time: 2026-11-20T15:45:13Z\n"
        "Source: https://vcenter.example/sdk\n"
        "Event: 4711 (com.vmware.vsphere.VmPoweredOffEvent.v0)"
    )


def test_own_templates_see_attributes_and_payload() -> None:
    with Receiver() as receiver:
        environ = {
            "NOTIFY_URLS": receiver.url,
            "NOTIFY_TITLE": "{{ subject }}\n{{ data.Vm.Name | lower }}",
            "NOTIFY_BODY": "{{ data.Host.Name }}by {{ user }}",  # the event has no host
        }
        notify.create(environ).handle(event(POWERED_OFF, subject="VirtualMachine/vm-60"))
    assert receiver.bodies[0]["title"] == "VirtualMachine/vm-60 dc0_h0_vm0"
    assert receiver.bodies[0]["message"] == "by VSPHERE.LOCAL\\Administrator"


@pytest.mark.parametrize(
    "template",
    ["{{ 1 / 0 }}", "{{ message.nonesuch() }}", "{{ ''.__class__.mro() }}"],
    ids=["raises", "undefined", "leaves the sandbox"],
)
def test_template_that_fails_at_run_time_gives_way_to_the_default(
    template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver() as receiver:
        notify.create({"NOTIFY_URLS": receiver.url, "NOTIFY_TITLE": template}).handle(event(POWERED_OFF))
    assert receiver.bodies[0]["title"] == "VM powered off: DC0_H0_VM0"
    assert "NOTIFY_TITLE" in capsys.readouterr().out


# ── once, whatever Knative does ──


def test_event_delivered_again_is_not_notified_again() -> None:
    with Receiver() as receiver:
        function = notify.create({"NOTIFY_URLS": receiver.url})
        for _ in range(3):
            function.handle(event(POWERED_OFF))
        function.handle(event(POWERED_OFF, source="https://other.example/sdk"))
    assert len(receiver.bodies) == 2


def test_duplicates_at_the_same_time_notify_once() -> None:
    with Receiver() as receiver:
        receiver.gate.clear()
        function = notify.create({"NOTIFY_URLS": receiver.url})
        posts = [threading.Thread(target=function.handle, args=(event(POWERED_OFF),)) for _ in range(4)]
        for post in posts:
            post.start()
        assert receiver.arrived.wait(10)
        receiver.gate.set()
        for post in posts:
            post.join(10)
    assert len(receiver.bodies) == 1


def test_only_the_service_that_failed_is_notified_when_the_event_comes_again() -> None:
    with Receiver() as well, Receiver() as ailing:
        ailing.statuses = [500]
        function = notify.create({"NOTIFY_URLS": f"{well.url} {ailing.url}"})
        with pytest.raises(TemporaryError, match=r"event 4711: 1 of 2 services .*number 2 \(JSON\)"):
            function.handle(event(POWERED_OFF))
        function.handle(event(POWERED_OFF))
    assert (len(well.bodies), len(ailing.bodies)) == (1, 1)


def test_no_more_events_are_remembered_than_the_setting_says() -> None:
    with Receiver() as receiver:
        function = notify.create({"NOTIFY_URLS": receiver.url, "NOTIFY_REMEMBERED": "2"})
        for number in ("1", "2", "3", "3", "1"):
            function.handle(event(POWERED_OFF, id=number))
    assert len(receiver.bodies) == 4


# ── odd events and settings ──


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (None, "application/json"),
        ([1, {"Vm": 2}], "application/json"),
        ({"Vm": "a string", "UserName": {"a": 1}, "FullFormattedMessage": None}, "application/json"),
        ("<broken", "application/xml"),
        (b"\xff\x00", "application/octet-stream"),
        ({"FullFormattedMessage": "{{ 1 / 0 }} <script>\x00"}, "application/json"),
    ],
)
def test_event_of_unexpected_shape_is_told_all_the_same(data: Any, content_type: str) -> None:
    with Receiver() as receiver:
        notify.create({"NOTIFY_URLS": receiver.url}).handle(event(data, datacontenttype=content_type, type="odd"))
    assert len(receiver.bodies) == 1
    assert "4711" in receiver.bodies[0]["message"]


def test_address_that_apprise_does_not_know_is_named_by_its_position_only(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SettingsError) as refused:
        notify.create({"NOTIFY_URLS": "json://ok.example slak://tokentoken/secret nonsense"})
    assert "3 URLs, of which apprise does not understand number 2, 3" in str(refused.value)
    assert "token" not in str(refused.value) + caplog.text


def test_template_with_a_syntax_fault_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="NOTIFY_BODY is not a template: line 2"):
        notify.create({"NOTIFY_URLS": "json://ok.example", "NOTIFY_BODY": "fine\n{% if %}"})


def test_address_is_never_logged(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        receiver.statuses = [500]
        function = notify.create({"NOTIFY_URLS": f"{receiver.url}?+token=hunter2"})
        with pytest.raises(TemporaryError) as failed:
            function.handle(event(POWERED_OFF))
    assert "hunter2" not in caplog.text + "".join(capsys.readouterr()) + str(failed.value)
