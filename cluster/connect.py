"""The connection of this process: the pod's own, or kubeconfig's outside of a cluster."""

from collections.abc import Mapping
from pathlib import Path

from cluster import kubeconfig
from cluster.connection import Connection, TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connect(environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of the pod, or of KUBECONFIG's current context. Raises `ClusterError` if there is none."""
    if is_pod(environ, service_account):
        return from_pod(environ, service_account)
    files = kubeconfig.paths(environ.get("KUBECONFIG", ""), Path(environ.get("HOME", "~")).expanduser())
    return kubeconfig.read(files).connection("", environ)


def is_pod(environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> bool:
    """Return whether this process runs in a pod with a ServiceAccount."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").exists()


def from_pod(environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of a pod's ServiceAccount."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Connection(
        f"https://{f'[{host}]' if ':' in host else host}:{port}",
        str(service_account / "ca.crt"),
        TokenFile(service_account / "token"),
        namespace=(service_account / "namespace").read_text(encoding="ascii").strip(),
    )
