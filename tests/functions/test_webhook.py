"""webhook, with a real HTTP receiver."""

import gzip
import hashlib
import hmac
import json
import tracemalloc
from pathlib import Path

import pytest

from functions import webhook
from local.services import free_port
from pipeline.errors import PermanentError, SettingsError, TemporaryError
from tests.support.drip import HEADERS, drip
from tests.support.events import vcenter_event
from tests.support.recorder import Recorder, Response

EVENT = vcenter_event(
    "https://vcenter.example/sdk",
    "VmPoweredOffEvent",
    Vm={"Name": 'web "01"', "Vm": {"Type": "VirtualMachine", "Value": "vm-12"}},
    FullFormattedMessage='web "01" is powered off',
)


def test_whole_event_is_sent_by_default() -> None:
    with Recorder() as receiver:
        webhook.create({"WEBHOOK_URL": receiver.url}).handle(EVENT)

    [request] = receiver.accepted
    sent = json.loads(request.body)
    assert (sent["id"], sent["source"]) == ("4711", "https://vcenter.example/sdk")
    assert sent["data"]["Vm"]["Name"] == 'web "01"'
    assert request.headers["content-type"] == "application/json"


def test_template_headers_and_signature_are_sent() -> None:
    with Recorder() as receiver:
        function = webhook.create(
            {
                "WEBHOOK_URL": receiver.url,
                "WEBHOOK_BODY": '{"text": {{ message | tojson }}, "vm": {{ data.Vm.Vm.Value | tojson }}}',
                "WEBHOOK_HEADERS": '{"Authorization": "Bearer hunter2", "X-Team": "ops"}',
                "WEBHOOK_KEY": "s3cret",
            }
        )
        function.handle(EVENT)

    [request] = receiver.accepted
    assert json.loads(request.body) == {"text": 'web "01" is powered off', "vm": "vm-12"}
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer hunter2", "ops")
    expected = hmac.new(b"s3cret", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-hub-signature-256"] == f"sha256={expected}"


def test_failing_template_is_named_and_the_event_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder() as receiver:
        webhook.create({"WEBHOOK_URL": receiver.url, "WEBHOOK_BODY": "{{ 1 / 0 }}"}).handle(EVENT)

    assert json.loads(receiver.accepted[0].body)["id"] == "4711"
    assert "WEBHOOK_BODY" in capsys.readouterr().out


def test_event_that_does_not_meet_the_condition_is_not_sent() -> None:
    with Recorder() as receiver:
        webhook.create({"WEBHOOK_URL": receiver.url, "WEBHOOK_IF": "data.Vm.Vm.Value == 'vm-13'"}).handle(EVENT)

    assert receiver.requests == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 0])
def test_temporary_failure_is_retried_with_the_same_key(status: int) -> None:
    answers = [Response(status), Response()]
    with Recorder(lambda _: answers.pop(0)) as receiver:
        function = webhook.create({"WEBHOOK_URL": receiver.url})
        with pytest.raises(TemporaryError, match="send event 4711"):
            function.handle(EVENT)
        function.handle(EVENT)

    first, second = receiver.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert len(receiver.accepted) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422])
def test_permanent_failure_quotes_the_receiver(status: int) -> None:
    response = Response(status, headers={"location": "/"}, body="no such channel")
    with Recorder(lambda _: response) as receiver, pytest.raises(PermanentError, match=f"{status} no such channel"):
        webhook.create({"WEBHOOK_URL": receiver.url}).handle(EVENT)

    assert len(receiver.requests) == 1


def test_unreachable_or_slow_receiver_is_temporary() -> None:
    with pytest.raises(TemporaryError) as rejected:
        webhook.create({"WEBHOOK_URL": f"http://127.0.0.1:{free_port()}/hunter2"}).handle(EVENT)
    assert "hunter2" not in str(rejected.value)

    with Recorder(lambda _: Response(200, after_seconds=5)) as receiver, pytest.raises(TemporaryError, match="Timeout"):
        webhook.create({"WEBHOOK_URL": receiver.url, "WEBHOOK_TIMEOUT": "100ms"}).handle(EVENT)


def test_invalid_settings_are_named_without_their_values() -> None:
    with pytest.raises(SettingsError) as rejected:
        webhook.create(
            {
                "WEBHOOK_URL": "ftp://hunter2",
                "WEBHOOK_METHOD": "FETCH",
                "WEBHOOK_HEADERS": '{"a b": "hunter2"}',
                "WEBHOOK_BODY": "{{",
            }
        )

    named = [error.split()[0] for error in rejected.value.errors]
    assert named == ["WEBHOOK_URL", "WEBHOOK_METHOD", "WEBHOOK_HEADERS", "WEBHOOK_BODY"]
    assert "hunter2" not in str(rejected.value)


@pytest.mark.parametrize("value", ["{", "[]", '{"a": 1}', '{"a": "x\\ny"}'])
def test_invalid_headers_are_rejected_at_start(value: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_HEADERS"):
        webhook.create({"WEBHOOK_URL": "http://ok.example", "WEBHOOK_HEADERS": value})


@pytest.mark.parametrize("beginning", [HEADERS, b"HTTP/1.1 500 No\r\nContent-Length: 99999\r\n\r\n"])
def test_response_without_end_is_temporary(beginning: bytes) -> None:
    with drip(beginning) as url, pytest.raises(TemporaryError, match="Timeout"):
        webhook.create({"WEBHOOK_URL": url, "WEBHOOK_TIMEOUT": "500ms"}).handle(EVENT)


@pytest.mark.parametrize(
    ("body", "headers"),
    [(gzip.compress(bytes(50_000_000)), {"content-encoding": "gzip"}), (bytes(50_000_000), {})],
    ids=["packed", "plain"],
)
def test_large_response_is_not_read_and_not_unpacked(body: bytes, headers: dict[str, str]) -> None:
    with Recorder(lambda _: Response(500, body, headers)) as receiver:
        function = webhook.create({"WEBHOOK_URL": receiver.url})
        tracemalloc.start()
        with pytest.raises(TemporaryError):
            function.handle(EVENT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 10_000_000


def test_reason_is_read_as_utf8() -> None:
    with Recorder(lambda _: Response(400, "größer")) as receiver, pytest.raises(PermanentError, match="400 größer"):
        webhook.create({"WEBHOOK_URL": receiver.url}).handle(EVENT)


def test_netrc_does_not_replace_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Recorder() as receiver:
        headers = '{"Authorization": "Bearer hunter2"}'
        webhook.create({"WEBHOOK_URL": receiver.url, "WEBHOOK_HEADERS": headers}).handle(EVENT)

    assert receiver.accepted[0].headers["authorization"] == "Bearer hunter2"
