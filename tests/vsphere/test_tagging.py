"""Tags of a simulated vCenter. `tests/functions/test_tag.py` attaches and removes them."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from demo.vcsim import VCSim
from pipeline import bounds
from pipeline.settings import read
from tests.support.drip import drip
from tests.support.history import vcenter_settings
from tests.support.recorder import Recorder, Request, Response
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging


@pytest.fixture
def tagging(vcsim: VCSim) -> Iterator[Tagging]:
    with contextlib.closing(Tagging(vcenter_settings(vcsim))) as tagging:
        yield tagging


@contextlib.contextmanager
def tagging_of(server: Recorder) -> Iterator[Tagging]:
    environ = {"VC_URL": f"{server.url}/sdk", "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
    with contextlib.closing(Tagging(read(VCenterSettings, environ))) as tagging:
        yield tagging


def test_missing_category_is_named_without_advice_for_a_setting(tagging: Tagging) -> None:
    with pytest.raises(NoSuchTag, match=r"no tag category 'lifecycle' in vCenter: create it$"):
        tagging.objects_with("lifecycle", "preemptible")


def test_untrusted_certificate_is_rejected(vcsim: VCSim) -> None:
    with (
        contextlib.closing(Tagging(vcenter_settings(vcsim, VC_INSECURE="false"))) as tagging,
        pytest.raises(VCenterRejected, match=r"certificate is not trusted.*VC_CA_BUNDLE"),
    ):
        tagging.objects_with("lifecycle", "preemptible")


@contextlib.contextmanager
def tagging_at(url: str) -> Iterator[Tagging]:
    environ = {"VC_URL": f"{url}/sdk", "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
    with contextlib.closing(Tagging(read(VCenterSettings, environ))) as tagging:
        yield tagging


@contextlib.contextmanager
def odd_vcenter(body: str) -> Iterator[str]:
    """Serve sessions, and *body* as the response to everything else, at the URL that is returned."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._send('{"value": "session"}' if self.path.endswith("/session") else body)

        def do_GET(self) -> None:
            self._send(body)

        def do_DELETE(self) -> None:
            self._send("")

        def _send(self, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_redirect_is_not_followed() -> None:
    redirect = Response(302, headers={"location": "/elsewhere"})
    with (
        Recorder(lambda _: redirect) as gateway,
        tagging_at(gateway.url) as tagging,
        pytest.raises(VCenterUnavailable, match="302"),
    ):
        tagging.objects_with("lifecycle", "new")

    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("x" * (bounds.TAGGING_BYTES + 1), f"more than {bounds.TAGGING_BYTES} bytes"),
        ("[" * 100_000, "is not JSON"),
        ('{"value": [1]}', "is not the id"),
        ('{"value": {"name": 1}}', "is not a list"),
        ("<html>", "is not JSON"),
    ],
    ids=lambda value: value[:20],
)
def test_response_that_is_not_taggings_is_temporary(body: str, reason: str) -> None:
    with (
        odd_vcenter(body) as url,
        tagging_at(url) as tagging,
        pytest.raises(VCenterUnavailable, match=reason),
    ):
        tagging.objects_with("lifecycle", "new")


ODD = [
    b"<html>", b"\xff", b"{}", b'{"value": 7}', b'{"value": [7]}', b'{"value": "a\\nb"}',
    b'{"value": [{"type": 7, "id": "vm-1"}]}', b'{"value": [{"id": "vm-1"}]}', b'"%s"' % (b"x" * bounds.TAGGING_BYTES),
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=lambda body: body[:20].decode("ascii", "replace"))
@pytest.mark.parametrize("path", ["/session", "/tag-association/"])
def test_odd_response_to_a_known_tag_is_temporary(path: str, body: bytes) -> None:
    def respond(request: Request) -> Response:
        return Response(200, body=body if path in request.path else b'{"value": "token"}')

    with Recorder(respond) as gateway, tagging_at(gateway.url) as tagging:
        tagging._ids["lifecycle", "new"] = "urn:tag"
        with pytest.raises(VCenterUnavailable, match="the response"):
            tagging.objects_with("lifecycle", "new")


def test_response_that_drips_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsphere.tagging.TIMEOUT_SECONDS", 0.5)
    with (
        drip() as url,
        tagging_at(url.removesuffix("/hook")) as tagging,
        pytest.raises(VCenterUnavailable, match=r"within 0\.5 s"),
    ):
        tagging.objects_with("lifecycle", "new")
