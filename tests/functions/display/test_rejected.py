"""The requests that the display rejects, and how it keeps them."""

import base64

import pytest
from flask.testing import FlaskClient

from tests.support.display import rejected_requests
from tests.support.malformed_requests import MALFORMED, MalformedRequest


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_malformed_request_is_listed_with_every_problem(malformed: MalformedRequest, client: FlaskClient) -> None:
    response = client.post("/", data=malformed.body, headers=dict(malformed.headers))
    if malformed.lenient is None:
        assert (response.status_code, rejected_requests(client)) == (202, [])
        return
    assert response.status_code == 400
    assert response.text.startswith(f"not a CloudEvent: {malformed.lenient}")
    (kept,) = rejected_requests(client)
    assert kept["reason"].startswith(f"not a CloudEvent: {malformed.lenient}")
    assert client.get("/api/state").get_json()["rejected"] == 1
    assert client.get("/api/state").get_json()["held"] == 0


def test_rejected_request_keeps_headers_and_first_kilobyte(client: FlaskClient) -> None:
    client.post("/", data="x" + "é" * 1000, headers={"content-type": "text/plain", "X-Odd": "y" * 9000})
    client.post("/", data=b"\xff\x00", headers={"content-type": "text/plain"})
    newest, oldest = rejected_requests(client)
    assert base64.b64decode(newest["base64"]) == b"\xff\x00"
    assert oldest["size"] == 2001
    assert oldest["text"] == "x" + "é" * 511
    assert oldest["headers"]["x-odd"] == "y" * 500


def test_only_the_last_rejected_requests_are_kept(client: FlaskClient) -> None:
    for number in range(205):
        client.post("/", data=str(number), headers={"content-type": "text/plain"})
    assert [request["number"] for request in rejected_requests(client)] == list(range(205, 5, -1))
