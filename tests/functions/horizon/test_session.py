"""The session with a Horizon server: tokens, and everything that a response may be."""

import contextlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.horizon import session as session_module
from functions.horizon.cursor import Query
from functions.horizon.errors import HorizonRejected, HorizonUnavailable
from functions.horizon.session import Session
from functions.horizon.settings import ServerSettings
from pipeline import bounds
from pipeline.errors import SettingsError
from pipeline.settings import read
from tests.support.certificates import self_signed
from tests.support.horizon import PASSWORD, HorizonServer, Scripted, event

QUERY = Query(0, 2_000_000_000_000)
JSON = {"Content-Type": "application/json"}


class Clock:
    """A monotonic clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(environ: dict[str, str], clock: Clock) -> Iterator[Session]:
    with contextlib.closing(Session(read(ServerSettings, environ), clock)) as opened:
        yield opened


# ── tokens ──


def test_login_gives_both_tokens(session: Session, server: HorizonServer) -> None:
    tokens = session.connect()
    assert tokens.access.startswith("access-token-")
    assert tokens.refresh.startswith("refresh-token-")
    assert session.has_logged_in
    assert server.calls["login"] == 1


def test_session_is_used_again(session: Session, server: HorizonServer) -> None:
    server.add(event(1, 5))
    assert [item["id"] for item in session.fetch(QUERY).items] == [1]
    session.fetch(QUERY)
    assert server.calls == {"login": 1, "audit-events": 2}
    assert set(server.authorizations) == {session.connect().access}


def test_wrong_credentials_are_rejected_with_the_status(session: Session, server: HorizonServer) -> None:
    server.password = "another"
    with pytest.raises(HorizonRejected, match=r"log in to .* as corp\\auditor: .*status 401") as raised:
        session.fetch(QUERY)
    assert PASSWORD not in str(raised.value)
    assert not session.has_logged_in


def test_rejected_credentials_are_used_again_only_later(session: Session, server: HorizonServer, clock: Clock) -> None:
    server.password = "another"
    with pytest.raises(HorizonRejected):
        session.connect()
    with pytest.raises(HorizonRejected, match="used again in 300 s"):
        session.connect()
    assert server.calls["login"] == 1
    clock.now = 301
    server.password = PASSWORD
    session.connect()


def test_changed_password_is_read_and_used_at_once(session: Session, server: HorizonServer, secret: Path) -> None:
    server.password = "changed"
    with pytest.raises(HorizonRejected):
        session.connect()
    (secret / "password").write_text("changed\r\n")
    session.connect()


@pytest.mark.parametrize("name", ["domain", "username", "password"])
def test_missing_or_empty_credential_is_named(session: Session, secret: Path, name: str) -> None:
    (secret / name).write_text("")
    with pytest.raises(SettingsError, match="domain, username and password must be set"):
        session.connect()
    (secret / name).unlink()
    with pytest.raises(SettingsError, match=name):
        session.connect()


def test_valid_refresh_token_needs_no_login(session: Session, server: HorizonServer) -> None:
    before = session.connect()
    server.expire()
    session.fetch(QUERY)
    after = session.connect()
    assert (server.calls["login"], server.calls["refresh"]) == (1, 1)
    assert after.refresh == before.refresh
    assert after.access != before.access


def test_invalid_refresh_token_leads_to_a_login(session: Session, server: HorizonServer) -> None:
    before = session.connect()
    server.expire(refresh_tokens=True)
    session.fetch(QUERY)
    assert (server.calls["login"], server.calls["refresh"]) == (2, 1)
    assert session.connect().refresh != before.refresh


def test_token_that_is_always_rejected_is_an_error(session: Session, server: HorizonServer) -> None:
    server.script = [Scripted(401)] * 3
    with pytest.raises(HorizonUnavailable, match="the token that it has just given"):
        session.fetch(QUERY)
    assert (server.calls["login"], server.calls["refresh"], server.calls["audit-events"]) == (2, 1, 3)
    assert not session.connected


def test_logout_ends_the_session(session: Session, server: HorizonServer) -> None:
    session.connect()
    session.log_out()
    session.log_out()
    assert server.calls["logout"] == 1
    assert not session.connected


def test_logout_with_an_expired_token_says_so(session: Session, server: HorizonServer) -> None:
    session.connect()
    server.expire(refresh_tokens=True)
    with pytest.raises(HorizonUnavailable, match="expired"):
        session.log_out()


def test_close_is_silent_whatever_the_server_does(environ: dict[str, str], server: HorizonServer) -> None:
    session = Session(read(ServerSettings, environ))
    session.connect()
    server.stop()
    session.close()
    server.start()


# ── responses ──


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted(500, b"no such table"), "unexpected status code: 500 no such table"),
        (Scripted(409), "event database may not be set up"),
        (Scripted(302, headers={"Location": "/elsewhere"}), "unexpected status code: 302"),
        (Scripted(200, b"<html>", {"Content-Type": "text/html"}), "not JSON but 'text/html'"),
        (Scripted(200, b"[]", {}), "not JSON but ''"),
        (Scripted(200, b"[", JSON), "not JSON: JSONDecodeError"),
        (Scripted(200, b"\xff\xfe\x00", JSON), "not JSON: UnicodeDecodeError"),
        (Scripted(200, b"[" * 40_000, JSON), "not JSON: RecursionError"),
        (Scripted(200, b"[" + b"0," * 60_000 + b"0]", JSON), "not JSON: ValueError"),
        (Scripted(200, b"{}", JSON), "not a list"),
        (Scripted(200, b"null", JSON), "not a list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_response_is_an_error(
    session: Session, server: HorizonServer, response: Scripted, reason: str
) -> None:
    server.script = [response]
    with pytest.raises(HorizonUnavailable, match=reason):
        session.fetch(QUERY)
    assert session.fetch(QUERY).items == []


def test_too_large_response_is_not_read(
    session: Session, server: HorizonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "HORIZON_RESPONSE_BYTES", 1000)
    server.script = [Scripted(200, b"[" + b" " * 2000 + b"]", JSON)]
    with pytest.raises(HorizonUnavailable, match="more than 1000 bytes"):
        session.fetch(QUERY)


def test_dripping_response_has_one_deadline(
    session: Session, server: HorizonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.connect()
    monkeypatch.setattr(session_module, "REQUEST_SECONDS", 0.5)
    server.script = [Scripted(200, b"[" + b" " * 100 + b"]", JSON, drip_seconds=0.1)]
    with pytest.raises(HorizonUnavailable, match="no response within"):
        session.fetch(QUERY)


def test_unreachable_server_is_an_error(session: Session, server: HorizonServer) -> None:
    server.stop()
    with pytest.raises(HorizonUnavailable, match="log in to"):
        session.fetch(QUERY)
    server.start()


@pytest.mark.parametrize("token", [None, 7, "", "a b", "line\nbreak", "ü", "x" * 20_000])
def test_unusable_token_is_an_error(
    session: Session, server: HorizonServer, monkeypatch: pytest.MonkeyPatch, token: Any
) -> None:
    monkeypatch.setattr(server, "post", lambda path, fields: (200, {"access_token": token}))
    with pytest.raises(HorizonUnavailable, match="no usable access_token"):
        session.connect()


def test_secret_that_a_server_sends_back_is_in_no_message(session: Session, server: HorizonServer) -> None:
    tokens = session.connect()
    secrets = (PASSWORD, tokens.access, tokens.refresh)
    server.script = [Scripted(500, json.dumps({"you": "sent", "all": secrets}).encode())]
    with pytest.raises(HorizonUnavailable) as raised:
        session.fetch(QUERY)
    assert "***" in str(raised.value)
    assert not any(secret in str(raised.value) for secret in secrets)


def test_page_shorter_than_its_size_may_not_be_the_last(session: Session, server: HorizonServer) -> None:
    server.add(*(event(number, number) for number in range(5)))
    server.max_size = 3
    assert session.fetch(QUERY).has_more
    server.max_size = 5
    assert not session.fetch(QUERY).has_more
    assert session.fetch(Query(0, 10, size=5)).has_more


# ── certificate ──


def test_certificate_is_verified(environ: dict[str, str], secret: Path, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HorizonServer(context=context) as server:
        environ["HORIZON_URL"] = server.url
        with (
            contextlib.closing(Session(read(ServerSettings, environ))) as session,
            pytest.raises(HorizonRejected, match="HORIZON_CA_BUNDLE"),
        ):
            session.connect()
        for trust in ({"HORIZON_CA_BUNDLE": str(certificate)}, {"HORIZON_INSECURE": "true"}):
            with contextlib.closing(Session(read(ServerSettings, environ | trust))) as session:
                session.connect()
