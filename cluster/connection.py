"""The address of the API server and the login: the pod's own, or kubeconfig's outside of a cluster."""

import dataclasses
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster.errors import UNREACHABLE, ClusterError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS = 60.0
"""The age at which a token file is read again. The kubelet renews it hourly, when 80 % of its life is over."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """The way to one API server."""

    url: str
    """`https://host:port`, without a path."""
    ca_file: str | None = None
    """A file with the authorities, in PEM. None: the system's."""
    authorization: Callable[[], str | None] = lambda: None
    """Returns the value of the header `Authorization` for the next request, or None."""
    client_certificate: tuple[str, str] | None = None
    """Files with the certificate and its key, in PEM."""
    verifies: bool = True
    """False accepts any certificate, as kubeconfig's `insecure-skip-tls-verify`."""
    namespace: str = "default"
    """The namespace of the pod, or of kubeconfig's context."""

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context for requests. Reads the files."""
        context = ssl.create_default_context(cafile=self.ca_file)
        # The authorities that kubeadm and others make lack extensions that Python 3.13 began to demand.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            context.load_cert_chain(*self.client_certificate)
        return context


class TokenFile:
    """A bearer token in a file, which is read again once a minute, because it is renewed there."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._token = ""
        self._read_at = -TOKEN_SECONDS

    def __call__(self) -> str:
        """Return the header `Bearer …`. Raises `ClusterError` if the file cannot be read and never was."""
        if self._now() - self._read_at >= TOKEN_SECONDS or not self._token:
            try:
                self._token = self._path.read_text(encoding="ascii").strip()
                self._read_at = self._now()
            except (OSError, ValueError) as error:
                if not self._token:
                    raise ClusterError(0, UNREACHABLE, f"read the token {self._path}: {error}") from error
        return f"Bearer {self._token}"


def connect(environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of the pod, or of KUBECONFIG's current context. Raises `ClusterError` if there is none."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (service_account / "token").exists():
        return _from_kubeconfig(environ.get("KUBECONFIG"))
    return Connection(
        f"https://{f'[{host}]' if ':' in host else host}:{port}",
        str(service_account / "ca.crt"),
        TokenFile(service_account / "token"),
        namespace=(service_account / "namespace").read_text(encoding="ascii").strip(),
    )


def _from_kubeconfig(files: str | None) -> Connection:
    """Return the connection of the current context of *files* (`a:b`), or of `~/.kube/config`.

    It logs in by whatever Kubernetes' own client supports.
    """
    from kubernetes import client, config  # noqa: PLC0415 - half a second and 40 MB, outside of a cluster only

    settings: Any = client.Configuration()
    try:
        config.load_kube_config(files, client_configuration=settings)
        _, active = config.list_kube_config_contexts(files)
    except config.ConfigException as error:
        message = f"there is no API server: neither a service account nor KUBECONFIG is usable: {error}"
        raise ClusterError(0, UNREACHABLE, message) from error

    def authorization() -> str | None:
        token: str | None = settings.get_api_key_with_prefix("authorization", alias="BearerToken")
        return token

    return Connection(
        settings.host.rstrip("/"),
        settings.ssl_ca_cert,
        authorization,
        (settings.cert_file, settings.key_file) if settings.cert_file else None,
        settings.verify_ssl,
        active["context"].get("namespace") or "default",
    )
