"""Requests that a page of another website has a browser send, and names that another website moved here."""

import pytest

from functions.display import create
from functions.display.origin import Hosts
from pipeline.errors import SettingsError
from tests.support.headers import event_headers
from tests.support.serving import Served

LOGIN = {"Authorization": "Basic YWRtaW46aHVudGVyMg=="}


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:8080", "127.0.0.1", "[::1]:80", "10.1.2.3:8080", "display", "events.localhost"),
        *("display.vcenter-events.svc", "display.vcenter-events.svc.cluster.local:80", "Events.Example.com", ""),
    ],
)
def test_own_names_are_served(host: str) -> None:
    assert Hosts(("events.example.com",)).allow(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "display.svc.evil.example", "events.example.com.evil.example", "a@localhost", "[::1", "x" * 300],
)
def test_other_names_are_not_served(host: str) -> None:
    assert not Hosts(("events.example.com",)).allow(host)


def test_another_name_gets_neither_page_nor_events() -> None:
    with Served("display", DISPLAY_HOSTS="events.example.com") as served:
        for path in ("/", "/api/about", "/api/events", "/api/export.jsonl"):
            status, reason = served.request("GET", path, headers={"Host": "evil.example"})
            assert (status, "DISPLAY_HOSTS" in reason) == (403, True)
        assert served.request("GET", "/", headers={"Host": "events.example.com"})[0] == 200
        assert served.request("GET", "/health/readiness", headers={"Host": "evil.example"})[0] == 200
        assert served.request("POST", "/", b"{}", {**event_headers("1"), "Host": "broker.example"})[0] == 202


def test_any_name_is_served_with_a_login() -> None:
    with Served("display", DISPLAY_LOGIN="admin:hunter2") as served:
        assert served.request("GET", "/", headers={**LOGIN, "Host": "events.example.com"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example", "Host": "evil.example"},
    ],
)
def test_page_of_another_website_cannot_send_events(headers: dict[str, str]) -> None:
    with Served("display") as served:
        assert served.request("POST", "/", b"{}", {**event_headers("1"), **headers})[0] == 400
        assert '"rejected": 0' in served.request("GET", "/api/state")[1]
        own = {"Origin": served.address.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        assert served.request("POST", "/", b"{}", {**event_headers("2"), **own})[0] == 202


def test_sending_without_a_login_is_rejected_at_start() -> None:
    with pytest.raises(SettingsError, match="DISPLAY_ALLOW_SEND needs DISPLAY_LOGIN or DISPLAY_TOKEN"):
        create({"DISPLAY_ALLOW_SEND": "true"})

    create({"DISPLAY_ALLOW_SEND": "true", "DISPLAY_TOKEN": "hunter2"}).close()


@pytest.mark.parametrize("value", ["a/b", "a:80", ","])
def test_invalid_hosts_are_rejected_at_start(value: str) -> None:
    with pytest.raises(SettingsError, match="DISPLAY_HOSTS"):
        create({"DISPLAY_HOSTS": value})
