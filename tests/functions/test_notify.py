"""notify, with apprise posting to a local receiver."""

import queue
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message as Mail
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from functions import notify
from functions.notify.digest import Digest
from functions.notify.message import Message
from functions.notify.service import Service
from functions.notify.settings import Settings, quiet_hours
from local.services import free_port
from pipeline import cloudevents
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError, TemporaryError
from pipeline.reaction import ReactionFunction
from pipeline.settings import read
from tests.support.recorder import Recorder, Response
from tests.support.waiting import wait_until

# apprise's own import, of a module that it falls back from.


_created: list[ReactionFunction] = []


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    """Ends the threads of the functions that `create` returned."""
    yield
    while _created:
        _created.pop().close()


def create(environ: Mapping[str, str]) -> ReactionFunction:
    """Return notify with these settings. It is closed after the test."""
    _created.append(notify.create(environ))
    return _created[-1]


def event(data: Any = None, **attributes: str) -> CloudEvent:
    attributes = {
        "id": "4711",
        "source": "https://vcenter.example/sdk",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "time": "2026-11-20T15:45:13Z",
        "datacontenttype": "application/json",
        **attributes,
    }
    return cloudevents.create(attributes, data)


POWERED_OFF = {
    "UserName": "VSPHERE.LOCAL\\Administrator",
    "Vm": {"Name": "DC0_H0_VM0", "Vm": {"Type": "VirtualMachine", "Value": "vm-60"}},
    "FullFormattedMessage": "DC0_H0_VM0 on DC0_H0 in DC0 is powered off",
}


def test_event_is_rendered_by_the_default_templates() -> None:
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url}).handle(event(POWERED_OFF))
    assert [body["title"] for body in receiver.bodies] == ["VM powered off: DC0_H0_VM0"]
    assert receiver.bodies[0]["message"] == (
        "DC0_H0_VM0 on DC0_H0 in DC0 is powered off\n\n"
        "User: VSPHERE.LOCAL\\Administrator\n"
        "Time: 2026-11-20T15:45:13Z\n"
        "Source: https://vcenter.example/sdk\n"
        "Event: 4711 (com.vmware.vsphere.VmPoweredOffEvent.v0)"
    )


def test_own_templates_see_attributes_and_payload() -> None:
    with Recorder() as receiver:
        environ = {
            "NOTIFY_URLS": receiver.json_url,
            "NOTIFY_TITLE": "{{ subject }}\n{{ data.Vm.Name | lower }}",
            "NOTIFY_BODY": "{{ data.Host.Name }}by {{ user }}",  # the event has no host
        }
        create(environ).handle(event(POWERED_OFF, subject="VirtualMachine/vm-60"))
    assert receiver.bodies[0]["title"] == "VirtualMachine/vm-60 dc0_h0_vm0"
    assert receiver.bodies[0]["message"] == "by VSPHERE.LOCAL\\Administrator"


@pytest.mark.parametrize(
    "template",
    ["{{ 1 / 0 }}", "{{ message.nonesuch() }}", "{{ ''.__class__.mro() }}"],
    ids=["raises", "undefined", "leaves the sandbox"],
)
def test_failing_template_is_named_and_the_default_used(template: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_TITLE": template}).handle(event(POWERED_OFF))
    assert receiver.bodies[0]["title"] == "VM powered off: DC0_H0_VM0"
    assert "NOTIFY_TITLE" in capsys.readouterr().out


# ── once, whatever Knative does ──


def test_retry_notifies_only_the_service_that_failed() -> None:
    with Recorder() as healthy, Recorder() as failing:
        failing.statuses = [500]
        function = create({"NOTIFY_URLS": f"{healthy.json_url} {failing.json_url}"})
        with pytest.raises(TemporaryError, match=r"event 4711: 1 of 2 services .*number 2 \(JSON\)"):
            function.handle(event(POWERED_OFF))
        function.handle(event(POWERED_OFF))
    assert (len(healthy.bodies), len(failing.bodies)) == (1, 1)


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
def test_event_of_unexpected_shape_is_notified(data: Any, content_type: str) -> None:
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url}).handle(event(data, datacontenttype=content_type, type="odd"))
    assert len(receiver.bodies) == 1
    assert "4711" in receiver.bodies[0]["message"]


def test_unsupported_url_is_named_only_by_its_position(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SettingsError) as rejected:
        notify.create({"NOTIFY_URLS": "json://ok.example slak://tokentoken/secret nonsense"})
    assert "3 URLs, of which apprise does not support number 2, 3" in str(rejected.value)
    assert "token" not in str(rejected.value) + caplog.text


def test_template_with_a_syntax_error_is_rejected_at_start() -> None:
    with pytest.raises(SettingsError, match="NOTIFY_BODY is not a template: line 2"):
        notify.create({"NOTIFY_URLS": "json://ok.example", "NOTIFY_BODY": "fine\n{% if %}"})


def test_url_is_never_logged(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with Recorder() as receiver:
        receiver.statuses = [500]
        function = create({"NOTIFY_URLS": f"{receiver.json_url}?+token=hunter2"})
        with pytest.raises(TemporaryError) as failed:
            function.handle(event(POWERED_OFF))
    assert "hunter2" not in caplog.text + "".join(capsys.readouterr()) + str(failed.value)


# ── severity, templates by type, link ──


def test_severity_is_sent_and_must_reach_the_minimum() -> None:
    with Recorder() as receiver:
        function = create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_SEVERITY": "warning"})
        function.handle(event(POWERED_OFF, id="1"))
        function.handle(event({"Severity": "warning"}, id="2", type="com.vmware.vsphere.EventEx.v0"))
        function.handle(event({"Alarm": {"Name": "Host CPU"}, "To": "red"}, id="3", type="t"))
    assert [body["type"] for body in receiver.bodies] == ["warning", "failure"]


@pytest.mark.parametrize(
    ("condition", "is_notified"),
    [
        ("data.Vm.Name.startswith('DC0_H0')", True),
        ("data.Vm.Name == 'web-01'", False),
        ("data.Nonesuch.Name == 'web-01'", False),
        ("1 / 0", True),
    ],
)
def test_only_events_that_meet_the_condition_are_notified(condition: str, is_notified: bool) -> None:
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_IF": condition}).handle(event(POWERED_OFF))
    assert len(receiver.bodies) == is_notified


def test_condition_with_a_syntax_error_is_rejected_at_start() -> None:
    with pytest.raises(SettingsError, match="NOTIFY_IF is not an expression"):
        notify.create({"NOTIFY_URLS": "json://ok.example", "NOTIFY_IF": "data.Vm.Name =="})


def test_templates_of_an_event_type_are_used(tmp_path: Path) -> None:
    (tmp_path / "VmPoweredOffEvent.title").write_text("{{ target }} is off ({{ severity }})\n")
    (tmp_path / "..data").mkdir()
    with Recorder() as receiver:
        environ = {"NOTIFY_URLS": receiver.json_url, "NOTIFY_TEMPLATES": str(tmp_path), "NOTIFY_BODY": "{{ message }}"}
        function = create(environ)
        function.handle(event(POWERED_OFF, id="1"))
        function.handle(event(POWERED_OFF, id="2", type="com.vmware.vsphere.VmPoweredOnEvent.v0"))
    assert [body["title"] for body in receiver.bodies] == ["DC0_H0_VM0 is off (info)", "VM powered on: DC0_H0_VM0"]
    assert receiver.bodies[0]["message"] == POWERED_OFF["FullFormattedMessage"]


def test_failing_template_of_a_type_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "VmPoweredOffEvent.body").write_text("{{ 1 / 0 }}")
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_TEMPLATES": str(tmp_path)}).handle(event(POWERED_OFF))
    assert "is powered off" in receiver.bodies[0]["message"]
    assert "NOTIFY_TEMPLATES VmPoweredOffEvent.body" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "text"), [("VmPoweredOffEvent.text", "x"), ("VmPoweredOffEvent.body", "{% if %}")])
def test_invalid_template_file_is_named_at_start(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=f"NOTIFY_TEMPLATES has the file {name}"):
        notify.create({"NOTIFY_URLS": "json://ok.example", "NOTIFY_TEMPLATES": str(tmp_path)})


def test_link_to_the_event_ends_the_body() -> None:
    with Recorder() as receiver:
        link = "https://display.example/?id={{ id | urlencode }}"
        create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_LINK": link}).handle(event(POWERED_OFF, id="47/11"))
    assert receiver.bodies[0]["message"].endswith("\nhttps://display.example/?id=47/11")


# ── storms and quiet hours ──


def storm(function: ReactionFunction, events: int) -> None:
    """*events* from as many threads as Knative would use, two thirds of them powered off."""
    types = ("VmPoweredOffEvent", "VmPoweredOffEvent", "VmDiskFailedEvent")

    def send(number: int) -> None:
        function.handle(event(POWERED_OFF, id=str(number), type=f"com.vmware.vsphere.{types[number % 3]}.v0"))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(send, range(events)))


def test_200_events_over_the_limit_are_one_digest() -> None:
    with Recorder() as receiver:
        function = create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_LIMIT": "0", "NOTIFY_PERIOD": "1h"})
        storm(function, 200)
        assert receiver.bodies == []

        function.close()
    assert [body["title"] for body in receiver.bodies] == ["200 events: 66 VM disk failed, 134 VM powered off"]
    assert receiver.bodies[0]["type"] == "failure"
    lines = receiver.bodies[0]["message"].splitlines()
    assert lines[:4] == ["200 events", "66 VM disk failed (error)", "134 VM powered off (info)", ""]
    assert (len(lines), lines[-1]) == (4 + 20 + 1, "… and 180 more")


def test_digest_is_sent_at_shutdown() -> None:
    with Recorder() as receiver:
        function = create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_LIMIT": "5", "NOTIFY_PERIOD": "1h"})
        storm(function, 200)
        storm(function, 200)  # delivered again
        assert len(receiver.bodies) == 5

        function.close()
    assert len(receiver.bodies) == 6
    assert receiver.bodies[5]["title"].startswith("195 events: ")


def test_digest_is_retried_at_the_service_that_failed() -> None:
    with Recorder() as healthy, Recorder() as failing:
        failing.statuses = [500]
        function = create(
            {"NOTIFY_URLS": f"{healthy.json_url} {failing.json_url}", "NOTIFY_LIMIT": "0", "NOTIFY_PERIOD": "100ms"}
        )
        function.handle(event(POWERED_OFF))

        wait_until(lambda: bool(failing.bodies))
        function.close()
    assert [len(healthy.bodies), len(failing.bodies)] == [1, 1]


def test_retry_is_not_stopped_by_the_limit() -> None:
    with Recorder() as receiver:
        receiver.statuses = [500]
        function = create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_LIMIT": "1", "NOTIFY_PERIOD": "1h"})
        with pytest.raises(TemporaryError):
            function.handle(event(POWERED_OFF))
        function.handle(event(POWERED_OFF))
    assert [body["title"] for body in receiver.bodies] == ["VM powered off: DC0_H0_VM0"]


def test_quiet_hours_delay_all_but_errors() -> None:
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    with Recorder() as receiver:
        function = create({"NOTIFY_URLS": receiver.json_url, "NOTIFY_QUIET": hours})
        function.handle(event(POWERED_OFF, id="1"))
        function.handle(event(POWERED_OFF, id="2"))
        function.handle(event(POWERED_OFF, id="3", type="com.vmware.vsphere.VmDiskFailedEvent.v0"))
        assert [body["title"] for body in receiver.bodies] == ["VM disk failed: DC0_H0_VM0"]

        function.close()
    assert receiver.bodies[1]["title"] == "2 events: 2 VM powered off"


def test_digest_is_sent_when_quiet_hours_end() -> None:
    clock = [datetime(2026, 11, 20, 23, tzinfo=UTC)]
    with Recorder() as receiver:
        settings = read(Settings, {"NOTIFY_URLS": receiver.json_url, "NOTIFY_QUIET": "22:00-07:00 Europe/Berlin"})
        services = [Service(1, settings.urls[0])]
        digest = Digest(services, settings, now=lambda: clock[0])
        for _ in range(2):
            assert digest.collect(Message("t", "b", "info"), "VM powered off")
        clock[0] = datetime(2026, 11, 21, 6, tzinfo=UTC)  # 07:00 in Berlin

        assert not digest.collect(Message("morning", "b", "info"), "VM powered off")
        with digest._changed:
            digest._changed.notify_all()
        wait_until(lambda: bool(receiver.requests))
        digest.close()
    assert [body["title"] for body in receiver.bodies] == ["2 events: 2 VM powered off"]


@pytest.mark.parametrize("environ", [{"NOTIFY_QUIET": "22:00-07:00"}, {"NOTIFY_LIMIT": "0", "NOTIFY_PERIOD": "1h"}])
def test_digest_is_sent_if_the_clock_is_set_back(environ: dict[str, str]) -> None:
    clock = [datetime(2026, 11, 20, 23, tzinfo=UTC)]
    with Recorder() as receiver:
        settings = read(Settings, {"NOTIFY_URLS": receiver.json_url, **environ})
        digest = Digest([Service(1, settings.urls[0])], settings, now=lambda: clock[0])
        assert digest.collect(Message("t", "b", "info"), "VM powered off")
        clock[0] -= timedelta(days=30)
        with digest._changed:
            digest._changed.notify_all()
        wait_until(lambda: bool(receiver.requests))
        digest.close()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("hours", "moment", "inside", "end"),
    [
        ("22:00-07:00", "2026-11-20T23:30:00+00:00", True, "2026-11-21T07:00:00+00:00"),
        ("22:00-07:00", "2026-11-21T06:59:00+00:00", True, "2026-11-21T07:00:00+00:00"),
        ("22:00-07:00", "2026-11-21T07:00:00+00:00", False, ""),
        ("12:00-13:00", "2026-11-20T12:00:00+00:00", True, "2026-11-20T13:00:00+00:00"),
        ("22:00-07:00 Europe/Berlin", "2026-11-20T21:30:00+00:00", True, "2026-11-21T06:00:00+00:00"),
        # The clocks go forward that night: 07:00 in Berlin is 05:00 UTC.
        ("22:00-07:00 Europe/Berlin", "2026-03-28T22:00:00+00:00", True, "2026-03-29T05:00:00+00:00"),
    ],
)
def test_quiet_hours_are_in_their_time_zone(hours: str, moment: str, inside: bool, end: str) -> None:
    quiet, when = quiet_hours(hours), datetime.fromisoformat(moment)
    assert quiet.contains(when) is inside
    assert not inside or quiet.ends(when).isoformat() == end


@pytest.mark.parametrize(
    "hours", ["22-07", "22:00-22:00", "25:00-07:00", "22:00-07:00 Europe/Atlantis", "22:00-07:00 ../x"]
)
def test_invalid_quiet_hours_are_rejected_at_start(hours: str) -> None:
    with pytest.raises(SettingsError, match="NOTIFY_QUIET"):
        notify.create({"NOTIFY_URLS": "json://ok.example", "NOTIFY_QUIET": hours})


# ── e-mail ──


class Mailbox:
    """Keeps what a real SMTP server takes."""

    def __init__(self) -> None:
        self.mails: queue.SimpleQueue[tuple[str, list[str], Mail]] = queue.SimpleQueue()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.put((envelope.mail_from or "", envelope.rcpt_tos, mail))
        return "250 OK"


@pytest.mark.parametrize(("events", "subject"), [(1, "VM powered off: DC0_H0_VM0"), (200, "200 events: ")])
def test_mail_arrives_at_an_smtp_server(events: int, subject: str) -> None:
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        url = f"mailto://127.0.0.1:{server.port}?from=vcenter@example.com&to=ops@example.com"
        function = create({"NOTIFY_URLS": url, "NOTIFY_LIMIT": "0", "NOTIFY_PERIOD": "1h"})
        for number in range(events):
            function.handle(event(POWERED_OFF, id=str(number)))
        function.close()
        sender, recipients, mail = mailbox.mails.get(timeout=10)
    finally:
        server.stop()
    assert (sender, recipients) == ("vcenter@example.com", ["ops@example.com"])
    assert str(mail["subject"]).startswith(subject)
    assert "DC0_H0_VM0" in mail.as_string()
    assert mailbox.mails.empty()


# ── what the receiver or a stranger may do ──


def test_redirect_is_not_followed_with_a_message() -> None:
    with Recorder() as elsewhere, Recorder(lambda _: Response(307, headers={"Location": elsewhere.url})) as receiver:
        function = create({"NOTIFY_URLS": receiver.json_url})
        with pytest.raises(TemporaryError):
            function.handle(event(POWERED_OFF))
        assert elsewhere.requests == []
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("name", ["@everyone", "web@here", "@ops", "<@&42>", "<!channel>", "<users/all>"])
def test_name_in_an_event_mentions_nobody(name: str) -> None:
    with Recorder() as receiver:
        create({"NOTIFY_URLS": receiver.json_url}).handle(event({**POWERED_OFF, "Vm": {"Name": name}}))
    [body] = receiver.bodies
    assert name not in body["title"] + body["message"]
    assert name in (body["title"] + body["message"]).replace("\u200b", "")


def test_mention_in_a_template_and_addresses_stay() -> None:
    with Recorder() as receiver:
        environ = {"NOTIFY_URLS": receiver.json_url, "NOTIFY_TITLE": "@here {{ user }}"}
        create(environ).handle(event({**POWERED_OFF, "UserName": "alice@corp.example"}))
    assert receiver.bodies[0]["title"] == "@here alice@corp.example"
