"""Logging in to a simulated vCenter: password, certificate, API version."""

import gzip
import socket
import ssl
import time
import zlib
from typing import Any

import pytest

from demo.vcsim import VCSim
from pipeline import bounds
from pipeline.settings import read
from tests.support.administrator import Administrator
from tests.support.faulty_proxy import HALF_OPEN, FaultyProxy
from tests.support.history import open_history, vcenter_settings
from tests.support.hostile_server import HostileServer, response
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.session import KEEPALIVE_IDLE_SECONDS, ResponseTooLarge, Session, _decompress, _newest_common
from vsphere.settings import VCenterSettings


def test_password_is_in_no_message(vcsim: VCSim) -> None:
    with pytest.raises(VCenterRejected) as raised:
        Session(vcenter_settings(vcsim, VC_PASSWORD="hunter2")).connect()
    assert "hunter2" not in str(raised.value) + repr(raised.value.__cause__)


def test_changed_password_is_tried_at_once(vcsim: VCSim, tmp_path: Any) -> None:
    (tmp_path / "username").write_text(vcsim.username)
    (tmp_path / "password").write_text("old")
    session = Session(vcenter_settings(vcsim, VC_USERNAME="", VC_PASSWORD="", VC_SECRET_PATH=str(tmp_path)))
    with pytest.raises(VCenterRejected, match="rejects"):
        session.connect()
    with pytest.raises(VCenterRejected, match="used again in"):
        session.connect()
    (tmp_path / "password").write_text(vcsim.password + "\n")
    session.connect()
    assert session.connected
    session.close()


def test_untrusted_certificate_is_rejected(vcsim: VCSim) -> None:
    with pytest.raises(VCenterRejected, match="VC_CA_BUNDLE"):
        Session(vcenter_settings(vcsim, VC_INSECURE="false")).connect()


def test_certificate_of_a_given_authority_is_trusted(vcsim: VCSim, tmp_path: Any) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(ssl.get_server_certificate(("127.0.0.1", vcsim.port)))
    session = Session(vcenter_settings(vcsim, VC_INSECURE="false", VC_CA_BUNDLE=str(bundle)))
    session.connect()
    assert session.connected
    session.close()


@pytest.mark.parametrize(
    ("server", "version"),
    [
        ("9.9.0.0", "vim.version.v9_1_1_0"),
        ("8.0.3.0", "vim.version.v8_0_3_0"),
        ("6.5", "vim.version.version11"),
        ("6.7.3", "vim.version.version15"),
        ("4.0", "vim.version.version5"),
    ],
)
def test_newest_version_that_both_know_is_spoken(server: str, version: str) -> None:
    assert _newest_common(server) == version


def test_closed_session_is_unavailable(vcsim: VCSim) -> None:
    session = Session(vcenter_settings(vcsim))
    session.connect()
    session.close()

    with pytest.raises(VCenterUnavailable, match="has ended"):
        session.server_time()


def test_half_open_connection_is_noticed_and_left_quickly(vcsim: VCSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsphere.session.SHORT_TIMEOUT_SECONDS", 1.0)
    with FaultyProxy(vcsim.port) as proxy:
        session = Session(vcenter_settings(vcsim, VC_URL=f"https://127.0.0.1:{proxy.port}/sdk"), timeout_seconds=3)
        session.connect()
        history = open_history(session)
        proxy.fault = HALF_OPEN
        started = time.monotonic()
        with pytest.raises(VCenterUnavailable, match="timed out"):
            history.wait(1)
        history.close()
        session.close()
        assert time.monotonic() - started < 8


def test_interruption_of_a_silent_vcenter_ends_quickly(vcsim: VCSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsphere.session.SHORT_TIMEOUT_SECONDS", 1.0)
    with FaultyProxy(vcsim.port) as proxy:
        session = Session(vcenter_settings(vcsim, VC_URL=f"https://127.0.0.1:{proxy.port}/sdk"))
        session.connect()
        proxy.fault = HALF_OPEN
        started = time.monotonic()
        session.interrupt()
        assert time.monotonic() - started < 5


def test_closed_session_is_logged_out(vcsim: VCSim, administrator: Administrator) -> None:
    sessions = administrator.content.sessionManager
    before = len(sessions.sessionList)
    session = Session(vcenter_settings(vcsim))
    session.connect()
    assert len(sessions.sessionList) == before + 1
    session.close()
    assert len(sessions.sessionList) == before


def test_connections_have_keepalive(vcsim: VCSim) -> None:
    session = Session(vcenter_settings(vcsim))
    session.connect()
    connection = session._stub.GetConnection()
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)]
    assert [connection.sock.getsockopt(*option) for option in options] == [1, KEEPALIVE_IDLE_SECONDS]
    session._stub.ReturnConnection(connection)
    session.close()


@pytest.mark.parametrize("body", [b"<html/>", b"<html>", b"{}", b""])
def test_response_that_is_not_vcenters_is_unavailable(
    vcsim: VCSim, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(vcenter_settings(vcsim))
    session.connect()
    history = open_history(session)
    with monkeypatch.context() as gateway:
        gateway.setattr("vsphere.session._read", lambda _: body)
        with pytest.raises(VCenterUnavailable, match="call ReadNextEvents"):
            history.read()
    history.close()
    session.close()


BIG = b"<a>" + b" " * bounds.VCENTER_RESPONSE_BYTES + b"</a>"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_response_has_a_bound(encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    assert _decompress(compress(b"<a/>"), encoding) == b"<a/>"
    with pytest.raises(ResponseTooLarge):
        _decompress(compress(BIG), encoding)
    with pytest.raises(EOFError):
        _decompress(compress(b"<a/>")[:-6], encoding)


@pytest.mark.parametrize(
    ("body", "head", "reason"),
    [
        (b"<a>" + b"x" * (bounds.VCENTER_OBJECTS_BYTES + 1), b"", "more than 8388608 bytes"),
        (gzip.compress(b"<a>"), b"Content-Encoding: gzip\r\n", "compressed"),
    ],
    ids=["large", "compressed"],
)
def test_response_to_pyvmomi_has_a_bound(body: bytes, head: bytes, reason: str) -> None:
    with HostileServer(lambda *_: [response(body, head)]) as server:
        environ = {"VC_URL": f"{server.url}/sdk", "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
        with pytest.raises(VCenterUnavailable, match=reason):
            Session(read(VCenterSettings, environ)).connect()
