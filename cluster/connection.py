"""The address of an API server, and the login to it."""

import dataclasses
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster.errors import UNREACHABLE, ClusterError

TOKEN_SECONDS = 60.0
"""The age at which a token file is read again. The kubelet renews it hourly, when 80 % of its life is over."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """The way to one API server."""

    url: str
    """`https://host:port`, without a slash at the end."""
    ca_file: str | None = None
    """A file with the authorities, in PEM. None: the system's."""
    authorization: Callable[[], str | None] = lambda: None
    """Returns the value of the header `Authorization` for the next request, or None."""
    client_certificate: tuple[str, str] | None = None
    """The certificate and its key, in PEM."""
    verifies: bool = True
    """False accepts any certificate, as kubeconfig's `insecure-skip-tls-verify`."""
    namespace: str = "default"
    """The namespace of the pod, or of kubeconfig's context."""
    ca_data: str | None = None
    """The authorities, in PEM, instead of `ca_file`."""
    server_name: str | None = None
    """The name in the server's certificate, if it is not the URL's host."""

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context for requests. Reads the file. Raises `ClusterError` if something is not PEM."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
            if self.client_certificate:
                _load_client_certificate(context, *self.client_certificate)
        except (OSError, ValueError) as error:
            message = f"the certificates for {self.url} cannot be used: {error}"
            raise ClusterError(0, UNREACHABLE, message) from error
        # The authorities that kubeadm and others make lack extensions that Python 3.13 began to demand.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load the pair, for which `ssl` wants files. Nobody else can read them, and they are removed at once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.write_text(f"{certificate}\n{key}\n", encoding="ascii")
        context.load_cert_chain(file)


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
