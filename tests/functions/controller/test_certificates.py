"""Certificates are made, kept, renewed in time and agreed on by several replicas."""

import base64
import datetime
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

from cluster.client import ClusterClient
from cluster.connection import Connection
from cluster.resources import SECRETS
from functions.controller.certificates import (
    AUTHORITY_LIFE,
    SERVER_LIFE,
    Certificates,
    CertificateStore,
    is_current,
    issue,
)
from tests.support.api_server import ApiServer

HOSTS = ("vsphere-source-webhook.vmware-sources.svc", "127.0.0.1")
START = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def authority(certificates: Certificates) -> x509.Certificate:
    return x509.load_pem_x509_certificates(certificates.authorities)[0]


def test_new_certificates_are_current() -> None:
    assert is_current(issue(HOSTS, START), HOSTS, START)


@pytest.mark.parametrize(
    ("share", "current"), [(0.0, True), (0.6, True), (0.7, False), (1.1, False), (-0.1, False)], ids=str
)
def test_two_thirds_of_its_life_are_used(share: float, current: bool) -> None:
    assert is_current(issue(HOSTS, START), HOSTS, START + SERVER_LIFE * share) is current


def test_a_renewed_certificate_has_the_same_authority() -> None:
    first = issue(HOSTS, START)
    later = START + SERVER_LIFE * 0.8
    renewed = issue(HOSTS, later, first)

    assert is_current(renewed, HOSTS, later)
    assert renewed.authorities == first.authorities
    assert renewed.key != first.key


def test_an_old_authority_is_replaced_and_still_trusted() -> None:
    first = issue(HOSTS, START)
    later = START + AUTHORITY_LIFE * 0.8
    renewed = issue(HOSTS, later, first)

    assert is_current(renewed, HOSTS, later)
    assert authority(renewed) != authority(first)
    assert first.authorities in renewed.authorities


def test_an_expired_authority_is_not_trusted_anymore() -> None:
    first = issue(HOSTS, START)

    assert first.authorities not in issue(HOSTS, START + AUTHORITY_LIFE * 1.1, first).authorities


def test_another_host_needs_another_certificate() -> None:
    assert not is_current(issue(HOSTS, START), ("elsewhere.svc",), START)


def changed(certificates: Certificates, **fields: bytes) -> Certificates:
    return Certificates(
        **{
            name: fields.get(name, getattr(certificates, name))
            for name in ("authorities", "authority_key", "certificate", "key")
        }
    )


@pytest.mark.parametrize("field", ["authorities", "authority_key", "certificate", "key"])
@pytest.mark.parametrize("content", [b"", b"no PEM"], ids=["empty", "malformed"])
def test_what_cannot_be_read_is_replaced(field: str, content: bytes) -> None:
    broken = changed(issue(HOSTS, START), **{field: content})

    assert is_current(issue(HOSTS, START, broken), HOSTS, START)


@pytest.mark.parametrize("field", ["authorities", "certificate", "key"])
def test_what_does_not_fit_together_is_not_current(field: str) -> None:
    mixed = changed(issue(HOSTS, START), **{field: getattr(issue(HOSTS, START), field)})

    assert not is_current(mixed, HOSTS, START)


def test_the_predecessors_secret_is_continued() -> None:
    """It has no authority's key: a new authority issues, and the old one is trusted for the replicas that still run."""
    theirs = changed(issue(HOSTS, START), authority_key=b"")
    assert not is_current(theirs, HOSTS, START)

    ours = issue(HOSTS, START, theirs)
    assert is_current(ours, HOSTS, START)
    assert theirs.authorities in ours.authorities


def test_keys_are_never_printed() -> None:
    assert "PRIVATE" not in repr(issue(HOSTS, START))


def test_a_context_serves_the_last_certificate_loaded() -> None:
    first = issue(HOSTS, START)
    second = issue(HOSTS, START, first)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first.load_into(context)
    second.load_into(context)

    assert served_certificate(context, second.authorities) == ssl.PEM_cert_to_DER_cert(second.certificate.decode())


def served_certificate(server: ssl.SSLContext, authorities: bytes) -> bytes:
    """Return the certificate of *server*, after a handshake in memory with a client that trusts *authorities*."""
    client = ssl.create_default_context(cadata=authorities.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=HOSTS[0]),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert(binary_form=True) or b""


# ── in a Secret ──


def client(api_server: ApiServer, namespace: str) -> ClusterClient:
    connection = Connection(
        api_server.url, str(api_server.ca_file), lambda: f"Bearer {api_server.token}", namespace=namespace
    )
    return ClusterClient(connection)


def store(api_server: ApiServer, namespace: str, at: datetime.datetime = START) -> CertificateStore:
    return CertificateStore(client(api_server, namespace), "vsphere-webhook-certs", HOSTS, lambda: at)


@pytest.mark.cluster
def test_the_secret_is_made_and_kept(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    first = store(api_server, namespace).refresh()

    assert store(api_server, namespace).refresh() == first
    secret = client(api_server, namespace).get(SECRETS, namespace, "vsphere-webhook-certs")
    assert set(secret["data"]) == {"server-key.pem", "server-cert.pem", "ca-cert.pem", "ca-key.pem"}
    assert base64.b64decode(secret["data"]["ca-cert.pem"]) == first.authorities


@pytest.mark.cluster
def test_an_empty_secret_is_filled(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    metadata = {"name": "vsphere-webhook-certs", "labels": {"kept": "true"}}
    api_server.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}, namespace)

    assert is_current(store(api_server, namespace).refresh(), HOSTS, START)
    secret = client(api_server, namespace).get(SECRETS, namespace, "vsphere-webhook-certs")
    assert secret["metadata"]["labels"] == {"kept": "true"}


@pytest.mark.cluster
def test_the_secret_is_renewed_at_two_thirds(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    first = store(api_server, namespace).refresh()
    later = START + SERVER_LIFE * 0.7
    renewed = store(api_server, namespace, later).refresh()

    assert renewed.certificate != first.certificate
    assert renewed.authorities == first.authorities
    assert store(api_server, namespace, later).refresh() == renewed


@pytest.mark.cluster
def test_replicas_agree_on_one_certificate(api_server: ApiServer) -> None:
    namespace = api_server.create_namespace()
    with ThreadPoolExecutor(4) as threads:
        refreshed = list(threads.map(lambda _: store(api_server, namespace).refresh(), range(4)))

    assert len(set(refreshed)) == 1
