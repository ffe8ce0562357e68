"""The webhook's server answers whatever reaches its port, and keeps what does not concern it out."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from cluster.client import ClusterClient
from cluster.resources import Object
from functions.controller import admission
from functions.controller.admission import AdmissionServer, Application
from functions.controller.certificates import CertificateStore
from functions.controller.webhook import PATH
from pipeline import bounds
from tests.support.api_server import ApiServer
from tests.support.bindings import JOB, binding, subject
from tests.support.controller import connection
from tests.support.waiting import wait_until


def message(obj: Object, **fields: Any) -> bytes:
    request = {"uid": "u", "operation": "CREATE", "namespace": "ns", "object": obj, **fields}
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(document).encode()


def bindings_of(namespace: str) -> list[Object]:
    stored = binding(JOB)
    return [{**stored, "metadata": {"name": "b", "namespace": "ns"}}] if namespace == "ns" else []


# ── without a connection ──


def test_a_job_is_bound() -> None:
    status, document = Application(bindings_of).respond(message(subject(JOB)))

    assert status == 200
    assert "patch" in document["response"]


def test_an_invalid_binding_harms_no_other() -> None:
    invalid = {"metadata": {"name": "invalid", "namespace": "ns"}, "spec": {"subject": {"kind": "Job"}}}
    status, document = Application(lambda name: [invalid, *bindings_of(name)]).respond(message(subject(JOB)))

    assert (status, "patch" in document["response"]) == (200, True)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"1", b"{}", b'{"request": 1}', b'{"request": {}}', b"\xff", b'{"request": null}'],
)
def test_other_bodies_are_bad_requests(body: bytes) -> None:
    status, document = Application(bindings_of).respond(body)

    assert status == 400
    assert "this is not an AdmissionReview" in document["message"]


def test_nothing_is_allowed_before_the_bindings_are_known() -> None:
    """A Job would run without the login. The API server rejects it, and its CronJob creates another."""
    status, _ = Application(lambda _: None).respond(message(subject(JOB)))

    assert status == 503


# ── over HTTPS ──


@pytest.fixture
def server(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdmissionServer]:
    """The server, with certificates from a Secret."""
    monkeypatch.setattr(admission, "BODY_SECONDS", 0.3)
    with ClusterClient(connection(api_server, api_server.create_namespace())) as client:
        store = CertificateStore(client, "vsphere-webhook-certs", ("127.0.0.1",))
        running = AdmissionServer(bindings_of, store, ("127.0.0.1", 0), lambda: None)
        running.start()
        wait_until(lambda: running.authorities, 10, "there is a certificate")
        yield running
        running.close()


def trusted(server: AdmissionServer) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=server.authorities.decode())


def respond(
    server: AdmissionServer, method: str, path: str, body: bytes | Iterable[bytes] = b"", **headers: str
) -> tuple[int, Any]:
    https = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=trusted(server))
    https.request(method, path, body, headers)
    response = https.getresponse()
    document = json.loads(response.read())
    https.close()
    return response.status, document


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", PATH, message(subject(JOB)), 200),
        ("POST", f"{PATH}?timeout=2s", message(subject(JOB)), 200),
        ("POST", PATH, b"{", 400),
        ("GET", PATH, b"", 405),
        ("POST", "/", b"{}", 404),
        ("GET", "/metrics", b"", 404),
        ("POST", PATH, b" " * (bounds.ADMISSION_BYTES + 1), 413),
    ],
    ids=["review", "review with the API server's query", "malformed", "GET", "root", "metrics", "too large"],
)
def test_requests(server: AdmissionServer, method: str, path: str, body: bytes, expected: int) -> None:
    assert respond(server, method, path, body)[0] == expected


@pytest.mark.cluster
def test_a_body_that_does_not_arrive_is_not_waited_for(server: AdmissionServer) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), 5) as plain,
        trusted(server).wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        encrypted.sendall(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{" % PATH.encode())
        assert encrypted.recv(1024).startswith(b"HTTP/1.1 408")


@pytest.mark.cluster
def test_another_server_waits_for_its_port(server: AdmissionServer, api_server: ApiServer) -> None:
    with ClusterClient(connection(api_server, "default")) as client, pytest.raises(OSError, match="in use"):
        AdmissionServer(
            bindings_of, CertificateStore(client, "unused", ("127.0.0.1",)), ("127.0.0.1", server.port), lambda: None
        )
