"""A real Kubernetes API server on the loopback, for tests that need no nodes, Knative or network.

It is etcd and kube-apiserver, with RBAC, admission webhooks and policies, as the test cluster runs them. Nothing else
runs: no pod starts, nothing is collected as garbage and no Deployment becomes available, unless a test plays that part
by a patch of the status, or starts some of Kubernetes' own controllers with `ApiServer.run_controllers`.
"""

import contextlib
import functools
import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import urllib3
import yaml

from tests.support.requirements import require, require_kubernetes
from tests.support.waiting import wait_until

Object = dict[str, Any]

START_SECONDS = 60
REQUEST_SECONDS = 30


class Rejected(Exception):
    """The API server rejected a request: status code and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class ApiServer:
    """etcd and kube-apiserver on free ports. A context manager.

    `url`, `ca_file` and `token` (of an administrator) are all that a client needs. `kubeconfig` has the three of them.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Keep data, certificates and logs in *folder*. *arguments* are further ones of kube-apiserver."""
        self.folder = folder
        self._further = arguments
        self.token = secrets.token_hex(16)
        self.ca_file = folder / "certificates" / "apiserver.crt"
        self.kubeconfig = folder / "kubeconfig"
        self._etcd_ports, self._port = (free_port(), free_port()), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The address of the API server, without a slash at the end. It stays the same over restarts."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def etcd_url(self) -> str:
        """The address of etcd, for clients."""
        return f"http://127.0.0.1:{self._etcd_ports[0]}"

    def __enter__(self) -> Self:
        try:
            self._write_files()
            self._run("etcd", *self._etcd_arguments())
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._processes)):
            self._stop(name, signal.SIGTERM if name == "kube-controller-manager" else signal.SIGKILL)

    # ── faults and additions ──

    def start(self) -> None:
        """Start kube-apiserver and wait until it is ready."""
        self._run("kube-apiserver", *self._arguments())
        wait_until(self._is_ready, START_SECONDS, "kube-apiserver is ready", pause_seconds=0.1)

    def stop(self, signal_number: int = signal.SIGKILL) -> None:
        """End kube-apiserver. What it stored stays in etcd."""
        self._stop("kube-apiserver", signal_number)

    def restart(self) -> None:
        """End kube-apiserver at once and start it again, at the same address."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop kube-apiserver's process in its tracks: connections stay open and stay silent."""
        process = self._processes["kube-apiserver"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def run_controllers(self, *names: str) -> None:
        """Run Kubernetes' own controllers of these *names*, such as `garbage-collector-controller`."""
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(names)}",
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            "--leader-elect=false",
            "--secure-port=0",
        )

    def service_account_token(self, namespace: str, name: str, seconds: int = 3600) -> str:
        """Return a token of a ServiceAccount, for a client that has only its rights."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        result = self.request("POST", path, {"spec": {"expirationSeconds": seconds}})
        return str(result["status"]["token"])

    # ── requests ──

    def request(
        self, method: str, path: str, body: Object | list[Object] | None = None, content_type: str = "application/json"
    ) -> Object:
        """Send one request as administrator. Return the object of the response. Raises `Rejected`."""
        status, result = self.respond(method, path, body, content_type)
        if status >= 400:
            raise Rejected(status, str(result.get("message", result)))
        return result

    def respond(
        self,
        method: str,
        path: str,
        body: Object | list[Object] | None = None,
        content_type: str = "application/json",
        token: str = "",
    ) -> tuple[int, Object]:
        """Send one request with *token*, the administrator's if empty. Return status code and object, of any status."""
        response = self._pool.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or self.token}", "Content-Type": content_type},
        )
        try:
            return response.status, json.loads(response.data)
        except ValueError:
            return response.status, {"message": response.data.decode(errors="replace")}

    def create(self, manifest: Object, namespace: str = "", query: str = "fieldValidation=Strict") -> Object:
        """Create an object, as `kubectl create` does: unknown fields are rejected. Raises `Rejected`."""
        return self.request("POST", f"{self.path(manifest, namespace, named=False)}?{query}", manifest)

    def apply(self, manifest: Object, namespace: str = "", manager: str = "tests") -> Object:
        """Apply an object on the server's side, as its owner. Raises `Rejected`."""
        path = f"{self.path(manifest, namespace)}?fieldManager={manager}&force=true&fieldValidation=Strict"
        return self.request("PATCH", path, manifest, "application/apply-patch+yaml")

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None."""
        try:
            return self.request("GET", self.path(reference(api_version, kind, name), namespace))
        except Rejected as rejection:
            if rejection.status == 404:
                return None
            raise

    def patch(
        self, api_version: str, kind: str, name: str, namespace: str, change: Object, subresource: str = ""
    ) -> Object:
        """Merge *change* into an object, or into its *subresource* (`status`). Raises `Rejected`."""
        path = self.path(reference(api_version, kind, name), namespace)
        path = f"{path}/{subresource}" if subresource else path
        return self.request("PATCH", path, change, "application/merge-patch+json")

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object:
        """Delete an object. Raises `Rejected`."""
        return self.request("DELETE", self.path(reference(api_version, kind, name), namespace))

    def create_namespace(self, prefix: str = "test", **labels: str) -> str:
        """Create a namespace with a name of its own. Return the name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        return name

    def path(self, manifest: Object, namespace: str = "", named: bool = True) -> str:
        """Return the path of an object (*named*) or of its collection. The manifest's own namespace goes first."""
        version = manifest["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        resource, namespaced = self._resource(root, manifest["kind"])
        scope = manifest["metadata"].get("namespace") or namespace or "default"
        path = f"{root}/namespaces/{scope}/{resource}" if namespaced else f"{root}/{resource}"
        return f"{path}/{manifest['metadata']['name']}" if named else path

    def kubectl(
        self, *arguments: str, manifests: Sequence[Object] = (), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator, with *manifests* as its input (`-f -`). *check*: it must succeed."""
        done = subprocess.run(
            [str(require_kubernetes("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=yaml.safe_dump_all(manifests) if manifests else "",
            capture_output=True, text=True, check=False, timeout=REQUEST_SECONDS,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done

    def shell(self, commands: str, folder: Path | None = None) -> str:
        """Run *commands* of a page in bash, with kubectl as administrator. They must succeed. Return their output.

        *folder* is the working directory.
        """
        path = f"{require_kubernetes('kubectl').parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"HOME": str(self.folder), "PATH": path, "KUBECONFIG": str(self.kubeconfig)},
            check=False, timeout=2 * REQUEST_SECONDS, cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def _resource(self, root: str, kind: str) -> tuple[str, bool]:
        for resource in self.request("GET", root)["resources"]:
            if resource["kind"] == kind and "/" not in resource["name"]:
                return resource["name"], resource["namespaced"]
        raise Rejected(404, f"{root} has no kind {kind}")

    @functools.cached_property
    def _pool(self) -> urllib3.PoolManager:
        timeout = urllib3.Timeout(total=REQUEST_SECONDS)
        return urllib3.PoolManager(ca_certs=str(self.ca_file), retries=False, timeout=timeout, maxsize=8)

    # ── processes ──

    def _write_files(self) -> None:
        key = self.folder / "service-accounts.key"
        openssl = [str(require("openssl"))]
        new = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(key)]
        public = ["pkey", "-in", str(key), "-pubout", "-out", str(key.with_suffix(".pub"))]
        for command in (new, public):
            subprocess.run([*openssl, *command], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        self.kubeconfig.write_text(json.dumps(self._configuration()))

    def _configuration(self) -> Object:
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
        }

    def _etcd_arguments(self) -> list[str]:
        peer = f"http://127.0.0.1:{self._etcd_ports[1]}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            "--unsafe-no-fsync",
        ]

    def _arguments(self) -> list[str]:
        key = self.folder / "service-accounts.key"
        return [
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--cert-dir={self.ca_file.parent}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # no controller makes the namespaces' default accounts
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key.with_suffix('.pub')}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--profiling=false",
            *self._further,
        ]

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [require_kubernetes(name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={},
            )

    def _stop(self, name: str, signal_number: int) -> None:
        process = self._processes.pop(name)
        process.send_signal(signal_number)
        process.send_signal(signal.SIGCONT)
        process.wait(30)

    def _is_ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} ended:\n{self.log(name)}"
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            return self.ca_file.exists() and self.respond("GET", "/readyz")[0] == 200
        return False

    def log(self, name: str = "kube-apiserver", lines: int = 20) -> str:
        """Return the last lines of the log of a process: `etcd`, `kube-apiserver`, `kube-controller-manager`."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[ApiServer]:
    """Run an API server with further *arguments* in a folder of its own. Skips the test without its programs."""
    for name in ("etcd", "kube-apiserver", "kubectl"):
        require_kubernetes(name)
    with TemporaryDirectory(prefix="api-server-") as folder, ApiServer(Path(folder), *arguments) as server:
        yield server


def reference(api_version: str, kind: str, name: str) -> Object:
    """Return the part of a manifest that names an object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def free_port() -> int:
    """Return a port of the loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
