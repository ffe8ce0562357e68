"""The routes: their description, the security headers, and who may change something."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

import func
from functions import display
from tests.support.display import EVENT
from tests.support.serving import BASIC, SENDING


def test_event_that_is_not_stored_is_404(client: FlaskClient) -> None:
    response = client.get("/api/events/7")
    assert (response.status_code, response.text) == (404, "this event is no longer held\n")


def test_description_has_every_route(client: FlaskClient) -> None:
    described = client.get("/api/openapi.json").get_json()
    served = {
        (re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    served.add(("/api/events", "get"))  # the stream, which Flask does not serve
    assert {
        (path, method) for path, item in described["paths"].items() for method in item if method != "parameters"
    } == served


@pytest.mark.parametrize("path", ["/", "/api/events/7", "/api/rejected", "/nowhere"])
def test_every_response_has_a_strict_policy_and_no_cors(path: str, client: FlaskClient) -> None:
    response = client.get(path, headers={"Origin": "https://elsewhere.example"})
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_catalog_explains_a_type(client: FlaskClient) -> None:
    entry = client.get("/api/catalog?type=com.vmware.vsphere.VmPoweredOffEvent.v0").get_json()
    assert (entry["type"], entry["category"], entry["title"]) == ("VmPoweredOffEvent", "info", "VM powered off")
    assert entry["causes"][0]["remedies"][0].startswith("Nothing if it was intended")


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?type=", 400), ("?type=dev.example.order.v0", 404)])
def test_catalog_has_no_explanation_of_another_type(query: str, status: int, client: FlaskClient) -> None:
    assert client.get(f"/api/catalog{query}").status_code == status


# ── requests that change something ──

CHANGING = {
    "/api/send": {"target": "display", "event": EVENT},
    "/api/dead-letters/redrive": {"all": True},
    "/api/dead-letters/drop": {"all": True, "reason": "gone"},
}


@pytest.fixture
def sending() -> Iterator[FlaskClient]:
    """A client of a display that may send and has a deadletter function, which cannot be reached."""
    function = display.create({**SENDING, "DISPLAY_DEAD_LETTERS": "http://127.0.0.1:9"})
    client = func.application("display", function).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = BASIC
    yield client
    function.close()


@pytest.mark.parametrize("path", CHANGING)
def test_nothing_changes_unless_it_is_allowed(path: str, client: FlaskClient) -> None:
    response = client.post(path, json=CHANGING[path], headers={"Origin": "http://localhost"})

    assert (response.status_code, response.text) == (403, "sending is off; DISPLAY_ALLOW_SEND=true allows it\n")


@pytest.mark.parametrize("path", CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Send-Token": "TOKEN"},
        {"X-Send-Token": "TOKEN", "Origin": "https://elsewhere.example"},
        {"X-Send-Token": "TOKEN", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost"},
        {"X-Send-Token": "guessed", "Origin": "http://localhost"},
    ],
    ids=lambda headers: "+".join(headers) or "nothing",
)
def test_other_pages_change_nothing(path: str, headers: dict[str, str], sending: FlaskClient) -> None:
    token = sending.get("/api/about").get_json()["send"]["token"]

    response = sending.post(
        path, json=CHANGING[path], headers={name: value.replace("TOKEN", token) for name, value in headers.items()}
    )

    assert (response.status_code, response.text) == (403, "only this display's own page may send\n")


@pytest.mark.parametrize("origin", [{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_own_page_changes_something(origin: dict[str, str], sending: FlaskClient) -> None:
    token = sending.get("/api/about").get_json()["send"]["token"]

    statuses = [
        sending.post(path, json=body, headers={"X-Send-Token": token, **origin}).status_code
        for path, body in CHANGING.items()
    ]

    assert statuses == [200, 502, 502]
