"""Stored events as JSON Lines and as CSV."""

import csv
import io
import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from functions.display import document
from tests.support.display import EVENT, STRUCTURED, display_client, stored_event
from tests.support.headers import headers


def test_exported_lines_can_be_posted_again(client: FlaskClient) -> None:
    client.post("/", data=b'{"a": 1}', headers=headers(id="1"))
    client.post("/", data=b"<a/>", headers=headers(id="2", datacontenttype="application/xml"))
    client.post("/", data=b"\xff\x00", headers=headers(id="3", datacontenttype="application/octet-stream"))
    client.post("/", data=b'{"wrong', headers=headers(id="4"))
    response = client.get("/api/export.jsonl")
    assert response.headers["Content-Disposition"].endswith('.jsonl"')
    other = display_client()
    for line in response.text.splitlines():
        assert other.post("/", data=line, headers=STRUCTURED).status_code == 202
    for seq in range(1, 5):
        mine, its = stored_event(client, seq), stored_event(other, seq)
        assert its["attributes"] == mine["attributes"]
        assert (its.get("text"), its.get("base64")) == (mine.get("text"), mine.get("base64"))


def test_export_of_chosen_events_has_only_these(client: FlaskClient) -> None:
    for name in "abc":
        client.post("/", headers=headers(id=name))
    response = client.post("/api/export.jsonl", json=[3, 1, 99, "x"])
    assert [json.loads(line)["id"] for line in response.text.splitlines()] == ["a", "c"]
    assert client.post("/api/export.jsonl", data="{}").status_code == 400


def test_csv_has_the_columns_of_the_list_in_its_order(client: FlaskClient) -> None:
    heading = client.get("/api/export.csv").text.strip().split(",")

    assert heading == [column["name"] for column in document.columns_json() if column["csv"]]
    assert set(heading) >= {"severity", "received", "time", "message", "target", "targettype", "user", "repeats"}


def cells(response: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1"])
def test_no_cell_of_the_csv_is_a_formula(formula: str, client: FlaskClient) -> None:
    client.post("/", data=json.dumps({**EVENT, "data": {"message": formula, "UserName": formula}}), headers=STRUCTURED)
    (row,) = cells(client.get("/api/export.csv"))
    assert row["user"] == row["message"] == f"'{formula.strip()}"


def test_csv_keeps_commas_quotes_and_lines_in_their_cells(client: FlaskClient) -> None:
    odd = 'a,"b"\nc'
    client.post("/", data=json.dumps({**EVENT, "subject": odd}), headers=STRUCTURED)
    (row,) = cells(client.get("/api/export.csv"))
    assert row["subject"] == odd


def test_unknown_export_is_404_with_the_known_ones(client: FlaskClient) -> None:
    assert client.get("/api/export.xls").text == "there is no export xls; one of jsonl, csv\n"
