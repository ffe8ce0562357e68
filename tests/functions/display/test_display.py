"""The display behind the function adapter: the requests that it accepts."""

import base64
import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from functions import display
from pipeline.errors import SettingsError
from tests.golden import Record, records
from tests.support.display import BATCH, EVENT, STRUCTURED, stored_event
from tests.support.headers import headers


def test_binary_event_is_answered_202_without_a_body(client: FlaskClient) -> None:
    response = client.post("/", data=b'{"a": 1}', headers=headers(id="7"))
    assert (response.status_code, response.data) == (202, b"")
    assert stored_event(client)["attributes"]["id"] == "7"


def test_structured_event_and_its_data_are_accepted(client: FlaskClient) -> None:
    response = client.post(
        "/", data=json.dumps({**EVENT, "data": {"n": 12345678901234567890}, "on": True}), headers=STRUCTURED
    )
    assert (response.status_code, response.data) == (202, b"")
    assert stored_event(client)["text"] == '{"n": 12345678901234567890}'
    assert stored_event(client)["attributes"]["on"] == "true"


def test_batch_is_accepted_as_a_whole(client: FlaskClient) -> None:
    batch = [{**EVENT, "id": str(number)} for number in range(3)]
    response = client.post("/", data=json.dumps(batch), headers=BATCH)
    assert (response.status_code, response.data) == (202, b"")
    assert client.get("/api/state").get_json()["held"] == 3


def test_percent_encoded_and_utf8_headers_are_decoded(client: FlaskClient) -> None:
    client.post(
        "/", headers=headers(subject="VirtualMachine%2Fvm%2D1%20%E2%82%AC", site="Zürich".encode().decode("latin-1"))
    )
    assert stored_event(client)["attributes"]["subject"] == "VirtualMachine/vm-1 €"
    assert stored_event(client)["attributes"]["site"] == "Zürich"


def test_credentials_among_the_headers_are_not_kept(client: FlaskClient) -> None:
    secret = {"Authorization": "Bearer hunter2", "Cookie": "hunter2", "X-Request-Id": "r1"}
    client.post("/", headers={**headers(), **secret})
    client.post("/", headers={**secret, "content-type": "text/plain"}, data="x")
    assert stored_event(client)["headers"]["x-request-id"] == "r1"
    assert "hunter2" not in client.get("/api/events/1").text + client.get("/api/rejected").text


@pytest.mark.parametrize("record", [*records("json")[:4], *records("xml")[:4]], ids=str)
def test_recorded_event_is_stored_byte_for_byte(record: Record, client: FlaskClient) -> None:
    client.post("/", data=record.body.encode(), headers=record.headers)
    whole = stored_event(client)
    assert whole["text"] == record.body
    assert {f"ce-{name}": value for name, value in whole["attributes"].items() if name != "datacontenttype"} == {
        name: value for name, value in record.headers.items() if name.startswith("ce-")
    }


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"[1, 2]", "application/json"),
        (b'"a text"', "application/json"),
        (b'"\\ud800"', "application/json"),
        (b"null", "application/json"),
        (b'{"wrong', "application/json"),
        (b"<a><b>", "application/xml"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]><a>&e;</a>', "application/xml"),
        (b"\xff\x00", "application/octet-stream"),
        (b"\xff\x00", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"no content type", ""),
        (
            b'{"FullFormattedMessage": ["not", "text"], "Vm": 7, "UserName": {}, "ChainId": [], "Severity": 1}',
            "application/json",
        ),
        (b"x" * 1_000_000, "text/plain"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_any_payload_is_accepted_and_shown_as_it_came(body: bytes, content_type: str, client: FlaskClient) -> None:
    sent = headers(datacontenttype=content_type)
    response = client.post("/", data=body, headers={name: value for name, value in sent.items() if value})
    assert response.status_code == 202
    whole = stored_event(client)
    assert (base64.b64decode(whole["base64"]) if "base64" in whole else whole["text"].encode()) == body
    assert whole["size"] == len(body)


@pytest.mark.parametrize("time", ["yesterday", "9999-12-31T23:59:59Z", "0000-00-00", "", "<b>"])
def test_odd_time_is_shown_and_not_rejected(time: str, client: FlaskClient) -> None:
    assert client.post("/", data=json.dumps({**EVENT, "time": time}), headers=STRUCTURED).status_code == 202
    assert stored_event(client)["attributes"]["time"] == time


def test_every_error_of_the_settings_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        display.create({"DISPLAY_EVENTS": "0", "DISPLAY_ALLOW_SEND": "maybe"})
    assert [fault.split()[0] for fault in error.value.errors] == ["DISPLAY_EVENTS", "DISPLAY_ALLOW_SEND"]
    with pytest.raises(SettingsError, match="DISPLAY_FILE"):
        display.create({"DISPLAY_FILE": str(tmp_path / "nowhere" / "display.db")})


def test_blueprint_alone_serves_the_page_too() -> None:
    app = Flask(__name__)
    blueprint = display.create({}).blueprint
    assert blueprint is not None
    app.register_blueprint(blueprint)
    assert app.test_client().get("/").status_code == 200
