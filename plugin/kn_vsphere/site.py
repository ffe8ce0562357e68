"""The cluster that a command works on: the client, the namespace, and the API server's errors as lines to read."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cluster import kubeconfig
from cluster.client import ClusterClient
from cluster.connect import from_pod, is_pod
from cluster.connection import Connection
from cluster.errors import UNREACHABLE, ClusterError
from kn_vsphere import logs
from kn_vsphere.call import Call
from kn_vsphere.errors import CommandError

TIMEOUT_HINT = "Check that the cluster runs and that this machine reaches it, and the context of the kubeconfig."


class Site:
    """A cluster and the namespace to work in."""

    def __init__(self, client: ClusterClient, url: str, namespace: str) -> None:
        self.client = client
        self.url = url
        self.namespace = namespace


@contextlib.contextmanager
def at_site(call: Call) -> Iterator[Site]:
    """Yield the cluster and namespace that the flags name. Raises `CommandError`."""
    with failing("failed to get namespace"):
        connection = connect(call)
        client = ClusterClient(connection)
    logs.configure(call)
    with client:
        yield Site(client, connection.url, call.flags.text("namespace") or connection.namespace)


def connect(call: Call) -> Connection:
    """Return the connection that the flags name, or the pod's if there is no kubeconfig. Raises `ClusterError`."""
    named, context = call.flags.text("kubeconfig"), call.flags.text("context")
    files = kubeconfig_files(call)
    existing = [file for file in files if file.exists()]
    if not existing:
        if named or call.environ.get("KUBECONFIG"):
            listed = "', '".join(map(str, files))
            raise ClusterError(0, "", f"config file '{listed}' can not be found")
        if is_pod(call.environ):
            return from_pod(call.environ)
        raise ClusterError(
            0,
            "",
            f"invalid configuration: no configuration has been provided: {files[0]} does not exist, and neither "
            "--kubeconfig nor KUBECONFIG is set",
        )
    return kubeconfig.read(existing).connection(context, call.environ)


def kubeconfig_files(call: Call) -> list[Path]:
    """Return the files that --kubeconfig, else KUBECONFIG names, else the default."""
    home = Path(call.environ.get("HOME") or call.environ.get("USERPROFILE") or "~").expanduser()
    return kubeconfig.paths(call.flags.text("kubeconfig") or call.environ.get("KUBECONFIG", ""), home)


@contextlib.contextmanager
def failing(what: str, url: str = "") -> Iterator[None]:
    """Raise the API server's errors as `CommandError`: *what* ("failed to create source"), then its own words."""
    try:
        yield
    except ClusterError as error:
        raise CommandError(f"{what}: {explain(error, url)}") from error


def explain(error: ClusterError, url: str = "") -> str:
    """Return what the API server at *url* said, or why it said nothing and what to check."""
    if error.reason != UNREACHABLE or not url:
        return error.message
    return f"the cluster at {url} cannot be reached: {_innermost(error)}. {TIMEOUT_HINT}"


def _innermost(error: BaseException) -> str:
    """Return the network's own words, which urllib3 wraps several times."""
    cause = error.__cause__
    reason = getattr(cause, "reason", None)
    while isinstance(reason, BaseException):
        cause, reason = reason, getattr(reason, "reason", None)
    text = getattr(cause, "strerror", "") or str(cause if cause is not None else error)
    return text.rpartition(": ")[2] if "HTTPSConnection" in text or "HTTPConnection" in text else text
