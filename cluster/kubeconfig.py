"""kubeconfig: the files with which kubectl finds API servers, and the ways to log in that they name.

Several files are merged as kubectl does: the first one that names something wins. Kubernetes' own client is not used:
it needs compiled packages, which a program in one file cannot carry, and a quarter of a second to be imported.
"""

import base64
import binascii
import datetime
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.connection import Connection, TokenFile
from cluster.errors import UNREACHABLE, ClusterError
from pipeline.errors import cut

LOGIN_SECONDS = 120.0
"""Maximum wait for a program that logs in: it may open a browser."""
EXPIRY_MARGIN = datetime.timedelta(seconds=30)

Entry = dict[str, Any]


@dataclass(frozen=True)
class Kubeconfig:
    """The content of one or more files, merged."""

    current_context: str = ""
    contexts: Mapping[str, Entry] = field(default_factory=dict)
    clusters: Mapping[str, Entry] = field(default_factory=dict)
    users: Mapping[str, Entry] = field(default_factory=dict)

    def connection(self, context: str, environ: Mapping[str, str]) -> Connection:
        """Return the connection of *context*, or of the current one if it is empty. May run a program to log in.

        Raises `ClusterError`.
        """
        name = context or self.current_context
        if not name:
            raise _unusable("the kubeconfig has no current context: name one, or run `kubectl config use-context`")
        chosen = _named(self.contexts, name, "context")
        cluster = _named(self.clusters, chosen.get("cluster", ""), "cluster")
        user = _named(self.users, chosen["user"], "user") if chosen.get("user") else {}
        return _connection(cluster, user, chosen.get("namespace") or "default", environ)


def paths(setting: str, home: Path) -> list[Path]:
    """Return the files that *setting* (`KUBECONFIG`) names, or the one in *home* if it is empty."""
    return [Path(name).expanduser() for name in setting.split(os.pathsep) if name] or [home / ".kube" / "config"]


def read(files: Sequence[Path]) -> Kubeconfig:
    """Return the merged content of those *files* that exist. Raises `ClusterError` if one cannot be read."""
    import yaml  # noqa: PLC0415 - a pod needs none of it

    documents = []
    for file in files:
        try:
            documents.append((file, yaml.safe_load(file.read_text(encoding="utf-8")) or {}))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise _unusable(f"the kubeconfig {file} cannot be read: {cut(str(error))}") from error
    return merge(documents)


def merge(documents: Iterable[tuple[Path, Any]]) -> Kubeconfig:
    """Return one configuration of files and their content. Paths in them are relative to their file.

    Raises `ClusterError` if a document is not a kubeconfig.
    """
    current = ""
    entries: dict[str, dict[str, Entry]] = {"contexts": {}, "clusters": {}, "users": {}}
    for file, document in documents:
        try:
            current = current or document.get("current-context") or ""
            for key, known in entries.items():
                for item in document.get(key) or ():
                    content = dict(item.get(key.removesuffix("s")) or {})
                    known.setdefault(item["name"], _absolute(content, file.parent))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _unusable(f"the kubeconfig {file} does not have the form of one") from error
    return Kubeconfig(current, **entries)


def _named(entries: Mapping[str, Entry], name: str, kind: str) -> Entry:
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise _unusable(f'the kubeconfig has no {kind} "{name}". It has: {known}')
    return entries[name]


def _absolute(content: Entry, folder: Path) -> Entry:
    for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if content.get(key):
            content[key] = str(folder / content[key])
    program = (content.get("exec") or {}).get("command", "")
    if "/" in program:
        content["exec"] = {**content["exec"], "command": str(folder / program)}
    return content


def _connection(cluster: Entry, user: Entry, namespace: str, environ: Mapping[str, str]) -> Connection:
    if cluster.get("proxy-url"):
        raise _unusable("the kubeconfig has a proxy-url, which is not supported")
    authorization, certificate = _login(cluster, user, environ)
    return Connection(
        str(cluster.get("server", "")).rstrip("/"),
        cluster.get("certificate-authority"),
        authorization,
        certificate,
        verifies=not cluster.get("insecure-skip-tls-verify"),
        namespace=namespace,
        ca_data=_decoded(cluster, "certificate-authority-data"),
        server_name=cluster.get("tls-server-name"),
    )


def _login(
    cluster: Entry, user: Entry, environ: Mapping[str, str]
) -> tuple[Callable[[], str | None], tuple[str, str] | None]:
    """Return what makes the header Authorization, and the client certificate with its key, in PEM."""
    certificate = _certificate(user)
    if user.get("tokenFile"):
        return TokenFile(Path(user["tokenFile"])), certificate
    if user.get("token"):
        return _constant(f"Bearer {user['token']}"), certificate
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return _constant(f"Basic {base64.b64encode(pair.encode()).decode()}"), certificate
    if user.get("exec"):
        program = LoginProgram(user["exec"], cluster, environ)
        return program, program.certificate or certificate
    if user.get("auth-provider"):
        return _constant(f"Bearer {_provided_token(user['auth-provider'])}"), certificate
    return _constant(None), certificate


def _constant(header: str | None) -> Callable[[], str | None]:
    return lambda: header


def _certificate(user: Entry) -> tuple[str, str] | None:
    certificate = _decoded(user, "client-certificate-data") or _content(user.get("client-certificate"))
    key = _decoded(user, "client-key-data") or _content(user.get("client-key"))
    return (certificate, key) if certificate and key else None


def _decoded(entry: Entry, key: str) -> str | None:
    try:
        return base64.b64decode(entry[key]).decode("ascii") if entry.get(key) else None
    except (binascii.Error, ValueError, TypeError) as error:
        raise _unusable(f"{key} in the kubeconfig is not base64") from error


def _content(file: str | None) -> str | None:
    try:
        return Path(file).read_text(encoding="ascii") if file else None
    except (OSError, ValueError) as error:
        raise _unusable(f"{file}, which the kubeconfig names, cannot be read: {error}") from error


class LoginProgram:
    """A program that logs in, as kubeconfig's `exec` names it. Returns the header, and runs again when it expires."""

    def __init__(self, settings: Entry, cluster: Entry, environ: Mapping[str, str]) -> None:
        """Run the program. Raises `ClusterError`."""
        self._settings = settings
        self._cluster = cluster
        self._environ = environ
        self._run()

    def __call__(self) -> str | None:
        """Return the header `Bearer …`, or None if the program gives a certificate only. Raises `ClusterError`."""
        if self._expires and datetime.datetime.now(datetime.UTC) > self._expires - EXPIRY_MARGIN:
            self._run()
        return f"Bearer {self._token}" if self._token else None

    def _run(self) -> None:
        version = self._settings.get("apiVersion", "client.authentication.k8s.io/v1")
        information: Entry = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        if self._settings.get("provideClusterInfo"):
            information["spec"]["cluster"] = self._cluster
        added = {entry["name"]: entry["value"] for entry in self._settings.get("env") or ()}
        command = [self._settings.get("command", ""), *(self._settings.get("args") or ())]
        try:
            done = subprocess.run(
                command,
                env={**self._environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(information)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
                timeout=LOGIN_SECONDS,
            )
            status = json.loads(done.stdout)["status"]
        except FileNotFoundError as error:
            hint = cut(self._settings.get("installHint") or "install it, or correct the kubeconfig")
            raise _unusable(f"log in to the cluster: {command[0]} is not installed: {hint}") from error
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"exit status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else error
            raise _unusable(f"log in to the cluster by {command[0]}: {reason}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise _unusable(f"log in to the cluster: {command[0]} printed no ExecCredential") from error
        self._keep(status)

    def _keep(self, status: Entry) -> None:
        self._token = status.get("token")
        expires = status.get("expirationTimestamp")
        self._expires = datetime.datetime.fromisoformat(expires) if expires else None
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        self.certificate = (str(certificate), str(key)) if certificate and key else None
        """The client certificate with its key, in PEM."""


def _provided_token(provider: Entry) -> str:
    """Return the token of kubeconfig's `auth-provider`, which kubectl renews."""
    name, config = provider.get("name", ""), provider.get("config") or {}
    token = config.get("id-token") or config.get("access-token")
    if not token:
        raise _unusable(f'the auth provider "{name}" of the kubeconfig has no token: run a command of kubectl first')
    return str(token)


def _unusable(message: str) -> ClusterError:
    return ClusterError(0, UNREACHABLE, message)
