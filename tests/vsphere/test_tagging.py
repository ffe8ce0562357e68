"""Tags of a simulated vCenter. `tests/functions/test_tag.py` attaches and removes them."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from demo.vcsim import VCSim
from pipeline import bounds
from pipeline.settings import read
from tests.support.history import vcenter_settings
from tests.support.recorder import Recorder, Response
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging


@pytest.fixture
def tagging(vcsim: VCSim) -> Iterator[Tagging]:
    with contextlib.closing(Tagging(vcenter_settings(vcsim))) as tagging:
        yield tagging


def test_missing_category_is_named_without_advice_for_a_setting(tagging: Tagging) -> None:
    with pytest.raises(NoSuchTag, match=r"no tag category 'lifecycle' in vCenter: create it$"):
        tagging.objects_with("lifecycle", "preemptible")


def test_untrusted_certificate_is_rejected(vcsim: VCSim) -> None:
    tagging = Tagging(vcenter_settings(vcsim, VC_INSECURE="false"))

    with pytest.raises(VCenterRejected, match=r"certificate is not trusted.*VC_CA_BUNDLE"):
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
        ("[" * 100_000, "is not a list"),
        ('{"value": [1]}', "has no name"),
        ('{"value": {"name": 1}}', "is not a list"),
        ("<html>", "is not a list"),
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
