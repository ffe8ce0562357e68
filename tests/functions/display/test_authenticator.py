"""Authentication of readers."""

import base64

from tests.support.display import display_client
from tests.support.headers import headers


def test_readers_need_the_token_and_the_broker_does_not() -> None:
    client = display_client(DISPLAY_TOKEN="s3cret")
    assert client.post("/", headers=headers()).status_code == 202
    assert client.get("/health/readiness").status_code == 200
    for path in ("/", "/api/events/1", "/api/rejected", "/metrics", "/api/export.csv"):
        response = client.get(path)
        assert (path, response.status_code) == (path, 401)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    for right in ("Bearer s3cret", basic("anybody:s3cret")):
        assert client.get("/", headers={"Authorization": right}).status_code == 200
    for wrong in ("Bearer", "Bearer x", "s3cret", basic("s3cret:x"), "Basic !", "Digest s3cret"):
        assert client.get("/", headers={"Authorization": wrong}).status_code == 401


def test_readers_need_the_login() -> None:
    client = display_client(DISPLAY_LOGIN="ad:min:pw")
    assert client.get("/", headers={"Authorization": basic("ad:min:pw")}).status_code == 200
    for wrong in (basic("ad:min"), basic(":"), "Bearer ad:min:pw", "Bearer "):
        assert client.get("/", headers={"Authorization": wrong}).status_code == 401


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"
