"""The display's API without a browser: what it takes, refuses, shows, filters, exports and counts."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

import func
from functions import display
from functions.display import document
from pipeline.errors import SettingsError
from tests.golden import Record, records
from tests.support.headers import headers
from tests.support.malformed_requests import MALFORMED, MalformedRequest

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
WHOLE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.fixture
def shown() -> Iterator[FlaskClient]:
    """The display behind the door, as the launcher serves it."""
    with_environ: dict[str, str] = {}
    function = display.create(with_environ)
    yield func.application("display", function).test_client()
    function.close()


def opened(**environ: str) -> FlaskClient:
    return func.application("display", display.create(environ)).test_client()


def one(client: FlaskClient, seq: int = 1) -> Any:
    return client.get(f"/api/events/{seq}").get_json()


def refused(client: FlaskClient) -> Any:
    return client.get("/api/rejected").get_json()


# ── what arrives ──


def test_binary_event_is_answered_202_without_a_body(shown: FlaskClient) -> None:
    answer = shown.post("/", data=b'{"a": 1}', headers=headers(id="7"))
    assert (answer.status_code, answer.data) == (202, b"")
    assert one(shown)["attributes"]["id"] == "7"


def test_structured_event_and_its_data_are_taken(shown: FlaskClient) -> None:
    answer = shown.post(
        "/", data=json.dumps({**WHOLE, "data": {"n": 12345678901234567890}, "on": True}), headers=STRUCTURED
    )
    assert (answer.status_code, answer.data) == (202, b"")
    assert one(shown)["text"] == '{"n": 12345678901234567890}'
    assert one(shown)["attributes"]["on"] == "true"


def test_batch_is_taken_as_a_whole(shown: FlaskClient) -> None:
    batch = [{**WHOLE, "id": str(number)} for number in range(3)]
    answer = shown.post("/", data=json.dumps(batch), headers=BATCH)
    assert (answer.status_code, answer.data) == (202, b"")
    assert shown.get("/api/state").get_json()["held"] == 3


def test_percent_encoded_and_utf8_headers_are_decoded(shown: FlaskClient) -> None:
    shown.post(
        "/", headers=headers(subject="VirtualMachine%2Fvm%2D1%20%E2%82%AC", site="Zürich".encode().decode("latin-1"))
    )
    assert one(shown)["attributes"]["subject"] == "VirtualMachine/vm-1 €"
    assert one(shown)["attributes"]["site"] == "Zürich"


def test_credentials_among_the_headers_are_not_kept(shown: FlaskClient) -> None:
    secret = {"Authorization": "Bearer hunter2", "Cookie": "hunter2", "X-Request-Id": "r1"}
    shown.post("/", headers={**headers(), **secret})
    shown.post("/", headers={**secret, "content-type": "text/plain"}, data="x")
    assert one(shown)["headers"]["x-request-id"] == "r1"
    assert "hunter2" not in shown.get("/api/events/1").text + shown.get("/api/rejected").text


@pytest.mark.parametrize("record", [*records("json")[:4], *records("xml")[:4]], ids=str)
def test_recorded_event_is_held_byte_for_byte(record: Record, shown: FlaskClient) -> None:
    shown.post("/", data=record.body.encode(), headers=record.headers)
    whole = one(shown)
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
def test_any_payload_is_taken_and_shown_as_it_came(body: bytes, content_type: str, shown: FlaskClient) -> None:
    sent = headers(datacontenttype=content_type)
    answer = shown.post("/", data=body, headers={name: value for name, value in sent.items() if value})
    assert answer.status_code == 202
    whole = one(shown)
    assert (base64.b64decode(whole["base64"]) if "base64" in whole else whole["text"].encode()) == body
    assert whole["size"] == len(body)


@pytest.mark.parametrize("time", ["yesterday", "9999-12-31T23:59:59Z", "0000-00-00", "", "<b>"])
def test_odd_time_is_shown_and_not_refused(time: str, shown: FlaskClient) -> None:
    assert shown.post("/", data=json.dumps({**WHOLE, "time": time}), headers=STRUCTURED).status_code == 202
    assert one(shown)["attributes"]["time"] == time


# ── what is refused ──


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_malformed_request_is_a_400_listed_with_all_problems(malformed: MalformedRequest, shown: FlaskClient) -> None:
    answer = shown.post("/", data=malformed.body, headers=dict(malformed.headers))
    if malformed.lenient is None:
        assert (answer.status_code, refused(shown)) == (202, [])
        return
    assert answer.status_code == 400
    assert answer.text.startswith(f"not a CloudEvent: {malformed.lenient}")
    (kept,) = refused(shown)
    assert kept["reason"].startswith(f"not a CloudEvent: {malformed.lenient}")
    assert shown.get("/api/state").get_json()["rejected"] == 1
    assert shown.get("/api/state").get_json()["held"] == 0


def test_rejected_request_keeps_headers_and_first_kilobyte(shown: FlaskClient) -> None:
    shown.post("/", data="x" + "é" * 1000, headers={"content-type": "text/plain", "X-Odd": "y" * 9000})
    shown.post("/", data=b"\xff\x00", headers={"content-type": "text/plain"})
    newest, oldest = refused(shown)
    assert base64.b64decode(newest["base64"]) == b"\xff\x00"
    assert oldest["size"] == 2001
    assert oldest["text"] == "x" + "é" * 511
    assert oldest["headers"]["x-odd"] == "y" * 500


def test_only_the_last_refused_requests_are_kept(shown: FlaskClient) -> None:
    for number in range(205):
        shown.post("/", data=str(number), headers={"content-type": "text/plain"})
    assert [each["number"] for each in refused(shown)] == list(range(205, 5, -1))


# ── one event ──


def test_event_that_is_not_held_is_404_in_words(shown: FlaskClient) -> None:
    answer = shown.get("/api/events/7")
    assert (answer.status_code, answer.text) == (404, "this event is no longer held\n")


# ── Triggers ──


def matches(client: FlaskClient, trigger: str) -> tuple[int, Any]:
    answer = client.post("/api/match", data=trigger, content_type="application/yaml")
    return answer.status_code, answer.get_json(silent=True) or answer.text


@pytest.mark.parametrize(
    ("trigger", "number"),
    [
        ("", 3),
        ("filter: {attributes: {type: a}}", 1),
        ("filters: [{prefix: {type: a}}]", 2),
        ("filters: [{not: {exact: {type: a}}}]", 2),
        ("spec: {broker: default, filter: {attributes: {type: ab, source: /s}}}", 1),
        ("filter: {attributes: {subject: ''}}", 0),
    ],
)
def test_tester_counts_what_a_trigger_selects(trigger: str, number: int, shown: FlaskClient) -> None:
    for name in ("a", "ab", "b"):
        shown.post("/", data=json.dumps({**WHOLE, "id": name, "type": name}), headers=STRUCTURED)
    assert matches(shown, trigger) == (200, {"matches": number, "held": 3})


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        ("filter: {attributes: {Type: a}}", "filter.attributes.Type: is not an attribute name"),
        ("filters: [{cesql: x}]", "the dialect cesql is not supported"),
        ("a: [", "this is not YAML"),
        ("- 1", "a Trigger is an object"),
        ("attributes: {type: a}", "neither filter nor filters, but attributes"),
        ("filters: &a [{all: *a}]", "has a YAML alias"),
        ("filters: [" + "{not: " * 60 + "{exact: {type: a}}" + "}" * 60 + "]", "more than 50 levels deep"),
        ("[" * 5000, "more than 50 levels deep"),
        ("x" * 30_000, "has 30000 characters"),
        ("filter: !!python/object/apply:os.system [x]", "this is not YAML"),
    ],
)
def test_tester_says_what_is_wrong_with_a_trigger(trigger: str, reason: str, shown: FlaskClient) -> None:
    status, said = matches(shown, trigger)
    assert status == 400
    assert reason in said


# ── export ──


def test_exported_lines_can_be_posted_again(shown: FlaskClient) -> None:
    shown.post("/", data=b'{"a": 1}', headers=headers(id="1"))
    shown.post("/", data=b"<a/>", headers=headers(id="2", datacontenttype="application/xml"))
    shown.post("/", data=b"\xff\x00", headers=headers(id="3", datacontenttype="application/octet-stream"))
    shown.post("/", data=b'{"wrong', headers=headers(id="4"))
    answer = shown.get("/api/export.jsonl")
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    other = opened()
    for line in answer.text.splitlines():
        assert other.post("/", data=line, headers=STRUCTURED).status_code == 202
    for seq in range(1, 5):
        mine, its = one(shown, seq), one(other, seq)
        assert its["attributes"] == mine["attributes"]
        assert (its.get("text"), its.get("base64")) == (mine.get("text"), mine.get("base64"))


def test_export_of_chosen_events_holds_these_only(shown: FlaskClient) -> None:
    for name in "abc":
        shown.post("/", headers=headers(id=name))
    answer = shown.post("/api/export.jsonl", json=[3, 1, 99, "x"])
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == ["a", "c"]
    assert shown.post("/api/export.jsonl", data="{}").status_code == 400


def cells(answer: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1"])
def test_no_cell_of_the_csv_is_a_formula(formula: str, shown: FlaskClient) -> None:
    shown.post("/", data=json.dumps({**WHOLE, "data": {"message": formula, "UserName": formula}}), headers=STRUCTURED)
    (row,) = cells(shown.get("/api/export.csv"))
    assert row["user"] == row["message"] == f"'{formula.strip()}"


def test_csv_keeps_commas_quotes_and_lines_within_their_cells(shown: FlaskClient) -> None:
    odd = 'a,"b"\nc'
    shown.post("/", data=json.dumps({**WHOLE, "subject": odd}), headers=STRUCTURED)
    (row,) = cells(shown.get("/api/export.csv"))
    assert row["subject"] == odd


def test_unknown_export_is_404_with_those_there_are(shown: FlaskClient) -> None:
    assert shown.get("/api/export.xls").text == "there is no export xls; one of jsonl, csv\n"


# ── metrics and description ──


def test_metrics_count_what_arrived_and_who_watches(shown: FlaskClient) -> None:
    for name in ("a", "a", "b"):
        shown.post("/", headers=headers(id=name))
    shown.post("/", data="x")
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(shown.get("/metrics").text)
        for sample in family.samples
    }
    assert found["vcenter_events_display_received_total"] == 2
    assert found["vcenter_events_display_repeats_total"] == 1
    assert found["vcenter_events_display_rejected_total"] == 1
    assert found["vcenter_events_display_stored"] == 2
    assert found["vcenter_events_display_viewers"] == 0
    assert found["vcenter_events_display_max_viewers"] == 2500


def test_description_names_every_route_there_is(shown: FlaskClient) -> None:
    described = shown.get("/api/openapi.json").get_json()
    served = {
        (re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in shown.application.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    served.add(("/api/events", "get"))  # the stream, which Flask does not serve
    assert {
        (path, method) for path, item in described["paths"].items() for method in item if method != "parameters"
    } == served


# ── who may read ──


def test_token_is_asked_of_readers_and_not_of_the_broker() -> None:
    client = opened(DISPLAY_TOKEN="s3cret")
    assert client.post("/", headers=headers()).status_code == 202
    assert client.get("/health/readiness").status_code == 200
    for path in ("/", "/api/events/1", "/api/rejected", "/metrics", "/api/export.csv"):
        answer = client.get(path)
        assert (path, answer.status_code) == (path, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    for right in ("Bearer s3cret", basic("anybody:s3cret")):
        assert client.get("/", headers={"Authorization": right}).status_code == 200
    for wrong in ("Bearer", "Bearer x", "s3cret", basic("s3cret:x"), "Basic !", "Digest s3cret"):
        assert client.get("/", headers={"Authorization": wrong}).status_code == 401


def test_login_is_asked_of_readers() -> None:
    client = opened(DISPLAY_LOGIN="ad:min:pw")
    assert client.get("/", headers={"Authorization": basic("ad:min:pw")}).status_code == 200
    for wrong in (basic("ad:min"), basic(":"), "Bearer ad:min:pw", "Bearer "):
        assert client.get("/", headers={"Authorization": wrong}).status_code == 401


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@pytest.mark.parametrize("path", ["/", "/api/events/7", "/api/rejected", "/nowhere"])
def test_every_answer_carries_a_strict_policy_and_no_cors(path: str, shown: FlaskClient) -> None:
    answer = shown.get(path, headers={"Origin": "https://elsewhere.example"})
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


# ── the page as it is served ──


def test_page_is_small_compressed_and_cached_until_it_changes(shown: FlaskClient) -> None:
    answer = shown.get("/", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 40_000
    assert shown.get("/").text.startswith("<!doctype html>")
    again = shown.get("/", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_page_names_no_address_but_relative_ones() -> None:
    page = document.assemble().plain.decode()
    assert [
        found for found in ('href="/', 'src="/', "//cdn", "@import", "url(", 'fetch("/', 'api("/') if found in page
    ] == []
    assert "https://" not in page


def test_page_lacking_a_place_for_its_script_is_noticed(tmp_path: Path) -> None:
    for name in ("index.html", "display.css", "display.js", "icon.svg"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"index\.html has no "):
        document.assemble(tmp_path)


def test_every_fault_of_the_settings_is_said(tmp_path: Path) -> None:
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
