"""The search in the file, by the route that the page uses."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.display import STRUCTURED, as_objects, display_client

EVENTS = [
    ("web-01", "VmPoweredOffEvent", "anna", "2026-11-20T10:00:00Z", "web-01 is powered off"),
    ("web-02", "VmPoweredOnEvent", "bert", "2026-11-20T11:00:00Z", "web-02 is powered on"),
    ("db-01", "VmPoweredOffEvent", "anna", "2026-11-20T12:00:00Z", "db-01 is powered off"),
    ("esx-07", "HostConnectionLostEvent", "", "2026-11-20T13:00:00Z", "Host esx-07 is not responding"),
    ("db-02", "VmFailedToPowerOnEvent", "", "not a time", "Failed to power on db-02: not enough memory"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A display whose memory has place for one of its events."""
    file: Path = tmp_path_factory.mktemp("display") / "display.db"
    client = display_client(DISPLAY_FILE=str(file), DISPLAY_EVENTS="1")
    for number, (name, kind, user, time, message) in enumerate(EVENTS, 1):
        event = {
            "specversion": "1.0", "id": str(number), "source": "https://vcenter.example/sdk", "time": time,
            "type": f"com.vmware.vsphere.{kind}.v0",
            "data": {"Vm": {"Name": name}, "UserName": user, "FullFormattedMessage": message},
        }  # fmt: skip
        assert client.post("/", data=json.dumps(event), headers=STRUCTURED).status_code == 202
    return client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["5", "4", "3", "2", "1"]),
        ("q=web", ["2", "1"]),
        ("q=web-01", ["1"]),
        ("q=power", ["5", "3", "2", "1"]),
        ("q=powered+-web", ["3"]),
        ("q=%22not+responding%22", ["4"]),
        ("q=-powered", ["5", "4"]),
        ("q=%22%22%27%28OR", []),
        ("severity=error", ["5", "4"]),
        ("severity=error,info&q=db", ["5", "3"]),
        ("type=com.vmware.vsphere.VmPoweredOffEvent.v0&user=anna", ["3", "1"]),
        ("user=anna&user=bert", ["3", "2", "1"]),
        ("not-user=anna", ["5", "4", "2"]),
        ("user=ann", []),
        ("from=2026-11-20T11:00:00.000Z&to=2026-11-20T13:00:00.000Z", ["3", "2"]),
        ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", []),
    ],
)
def test_address_of_the_page_is_a_query(client: FlaskClient, query: str, expected: list[str]) -> None:
    document = client.get(f"/api/search?before=1000&{query}").get_json()

    assert [values["id"] for values in as_objects(document["rows"])] == expected


def test_pages_follow_each_other(client: FlaskClient) -> None:
    pages, before = [], 1000
    while before:
        document = client.get(f"/api/search?before={before}&limit=2").get_json()
        pages.append([values["id"] for values in as_objects(document["rows"])])
        before = document["older"]
    assert pages == [["5", "4"], ["3", "2"], ["1"]]


def test_event_that_memory_lost_is_read_from_the_file(client: FlaskClient) -> None:
    assert client.get("/api/events/1").get_json()["attributes"]["id"] == "1"
    assert client.get("/api/events/6").status_code == 404


@pytest.mark.parametrize("query", ["", "before=x", "before=9&from=yesterday"])
def test_malformed_search_is_rejected(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/search?{query}").status_code == 400


def test_display_without_a_file_has_no_search() -> None:
    assert display_client().get("/api/search?before=1").status_code == 404
