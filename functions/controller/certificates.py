"""The certificates of the webhook, which the controller makes and renews by itself.

A Secret holds an authority, which the API server trusts, and a server certificate. Every replica reads it, and the one
that notices first renews it. It has the predecessor's three keys, and one more for the authority's key: a renewed
server certificate is then trusted already. cert-manager is not needed.
"""

import base64
import contextlib
import dataclasses
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import SECRETS, Object

log = structlog.get_logger()

AUTHORITY_LIFE = datetime.timedelta(days=3650)
SERVER_LIFE = datetime.timedelta(days=30)
RENEWAL = 2 / 3
"""The share of its life after which a certificate is renewed."""
CLOCK_DIFFERENCE = datetime.timedelta(hours=1)
"""A new certificate is valid from so long ago, for an API server whose clock is behind."""
ATTEMPTS = 5
"""Attempts to write the Secret while other replicas write it."""

Now = Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True)
class Certificates:
    """An authority and a server certificate, in PEM."""

    authorities: bytes
    """The authority's certificate, and the one before it while that is valid."""
    authority_key: bytes = dataclasses.field(repr=False)
    """Empty if it is unknown, as in the predecessor's Secret."""
    certificate: bytes
    key: bytes = dataclasses.field(repr=False)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Serve the certificate from now on. Connections that are open keep the one before."""
        with tempfile.TemporaryDirectory() as folder:  # the ssl module reads files only
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_bytes(self.certificate)
            key.touch(0o600)
            key.write_bytes(self.key)
            context.load_cert_chain(certificate, key)

    @property
    def expires(self) -> datetime.datetime:
        """The end of the server certificate, in UTC."""
        return x509.load_pem_x509_certificate(self.certificate).not_valid_after_utc


def issue(hosts: Sequence[str], now: datetime.datetime, previous: Certificates | None = None) -> Certificates:
    """Return certificates for *hosts*: DNS names or IP addresses.

    The authority of *previous* issues them if it can. If not, the result has a new one, and trusts both.
    """
    authority, authority_key = _authority(now, previous)
    authorities = _pem(authority)
    if previous is not None:
        authorities += b"".join(
            _pem(older)
            for older in _load_all(previous.authorities)[:1]
            if older != authority and not _ended(older, now)
        )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(hosts[0], authority.subject, key.public_key(), now, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([_alternative_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Certificates(authorities, _pem_key(authority_key), _pem(certificate), _pem_key(key))


def is_current(certificates: Certificates, hosts: Sequence[str], now: datetime.datetime) -> bool:
    """Return whether *certificates* can serve *hosts*, and none of them is due for renewal."""
    try:
        authority = _load_all(certificates.authorities)[0]
        certificate = x509.load_pem_x509_certificate(certificates.certificate)
        key = serialization.load_pem_private_key(certificates.key, None)
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, IndexError, InvalidSignature, x509.ExtensionNotFound):
        return False
    if key.public_key() != certificate.public_key() or not certificates.authority_key:
        return False
    if any(_alternative_name(host) not in names for host in hosts):
        return False
    return not any(_is_due(entry, now) for entry in (certificate, authority))


class CertificateStore:
    """The Secret with the certificates."""

    def __init__(
        self,
        client: ClusterClient,
        name: str,
        hosts: Sequence[str],
        now: Now = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """Use the Secret *name* in the client's namespace, with certificates for *hosts*."""
        self._client = client
        self._name = name
        self._hosts = tuple(hosts)
        self._now = now

    def refresh(self) -> Certificates:
        """Return the certificates of the Secret, which are made or renewed if they need to be.

        If several replicas do so at once, all return those that were written first. Raises `ClusterError`.
        """
        for _ in range(ATTEMPTS):
            secret = self._client.find(SECRETS, self._client.namespace, self._name)
            stored = _decode(secret)
            if stored is not None and is_current(stored, self._hosts, self._now()):
                return stored
            renewed = issue(self._hosts, self._now(), stored)
            with contextlib.suppress(_WrittenByOther):
                self._write(secret, renewed)
                log.info("Renewed the webhook's certificate", secret=self._name, expires=renewed.expires.isoformat())
                return renewed
        raise ClusterError(409, "Conflict", f"the Secret {self._name} is written by others all the time")

    def _write(self, secret: Object | None, certificates: Certificates) -> None:
        data = {name: base64.b64encode(content).decode() for name, content in _encode(certificates).items()}
        try:
            if secret is None:
                metadata = {"name": self._name, "namespace": self._client.namespace}
                self._client.create(SECRETS, {"metadata": metadata, "type": "Opaque", "data": data})
            else:
                self._client.replace(SECRETS, {**secret, "data": {**(secret.get("data") or {}), **data}})
        except ClusterError as error:
            if error.is_conflict or error.already_exists:
                raise _WrittenByOther from error
            raise


class _WrittenByOther(Exception):
    """Another replica wrote the Secret since it was read."""


_FIELDS = {
    "ca-cert.pem": "authorities",
    "ca-key.pem": "authority_key",
    "server-cert.pem": "certificate",
    "server-key.pem": "key",
}


def _encode(certificates: Certificates) -> dict[str, bytes]:
    return {name: getattr(certificates, field) for name, field in _FIELDS.items()}


def _decode(secret: Object | None) -> Certificates | None:
    """Return the certificates in *secret*. None if there are none, or they cannot be read."""
    data = (secret or {}).get("data") or {}
    if not data.get("server-cert.pem"):
        return None
    return Certificates(**{field: base64.b64decode(data.get(name, "")) for name, field in _FIELDS.items()})


def _authority(
    now: datetime.datetime, previous: Certificates | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the authority of *previous*, or a new one if its key is unknown or it is due for renewal."""
    with contextlib.suppress(ValueError, TypeError, IndexError):
        if previous is not None and previous.authority_key:
            authority = _load_all(previous.authorities)[0]
            key = serialization.load_pem_private_key(previous.authority_key, None)
            usable = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == authority.public_key()
            if usable and not _is_due(authority, now):
                return authority, key  # type: ignore[return-value]  # `usable` has the type
    new_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vsphere-webhook-ca {now:%Y-%m-%dT%H:%M:%SZ}")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        _builder(name, name, new_key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(new_key.public_key()), critical=False)
        .sign(new_key, hashes.SHA256())
    )
    return authority, new_key


def _builder(
    subject: str | x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    if isinstance(subject, str):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + life)
    )


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_due(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begin <= now < begin + (end - begin) * RENEWAL


def _ended(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return certificate.not_valid_after_utc <= now


def _load_all(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates in *pem*. None of them if it is malformed."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
