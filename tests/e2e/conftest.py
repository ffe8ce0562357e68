"""What tests on a cluster share: one installation of overlays/demo in a namespace of the run, and a recorder in it."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.administrator import Administrator
from tests.browser import browser, resolver_rules, visit  # noqa: F401 - fixtures
from tests.conformance import recorder as recorder_module
from tests.conformance.requests import Box, as_box
from tests.e2e.cluster import BROKER, DEPLOYMENT, PINGSOURCE, SERVICE, SINKBINDING, TRIGGER, Cluster, moved, rendered

ROOT = Path(__file__).parent.parent.parent
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

_in_use: list[tuple[Cluster, str]] = []
"""The cluster of the run, and how the names of its namespaces begin: for the report of a failure."""


_figures: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if _figures:
        terminalreporter.section("measured")
        for figure in _figures:
            terminalreporter.write_line(figure)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """A failure tells what is not ready in the cluster."""
    report = yield
    if report.failed and item.get_closest_marker("cluster"):
        for cluster, prefix in _in_use:
            with contextlib.suppress(Exception):  # the failure itself is what matters
                for namespace in cluster.namespaces(prefix):
                    report.sections.append((f"namespace {namespace}", cluster.diagnosis(namespace)))
    return report


def wanted(variable: str, example: str) -> str:
    """A variable of the environment; without it no test here can run."""
    value = os.environ.get(variable, "")
    if not value:
        pytest.exit(f"tests on a cluster need {variable}, for example {variable}={example}", returncode=2)
    return value


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the functions, which the cluster's nodes have or can pull."""
    return wanted("IMAGE", "registry.example/team/vcenter-events:1.0")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names."""
    wanted("KUBECONFIG", "~/.kube/config")
    if shutil.which("kubectl") is None:
        pytest.exit("tests on a cluster need kubectl on PATH", returncode=2)
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the run, removed at its end unless E2E_KEEP is set."""
    name = f"vcenter-e2e-{secrets.token_hex(3)}"
    cluster.create_namespace(name)
    _in_use.append((cluster, name))
    yield name
    if not os.environ.get("E2E_KEEP"):
        cluster.delete_namespace(name)


class Recorders:
    """The recorder in the cluster, through the API server."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._target = f"{namespace}/services/recorder:80"
        self.address = f"http://recorder.{namespace}.svc.cluster.local"
        """Where pods reach it; a box is a path below."""

    def answer(self, box: str, answers: list[dict[str, Any]]) -> None:
        """Have *box* answer so, in order; the last repeats."""
        assert self._cluster.request("PUT", self._target, box, body=json.dumps(answers).encode()).status == 204

    def box(self, name: str) -> Box:
        """What came."""
        return as_box(json.loads(self._cluster.request("GET", self._target, name).body))

    def boxes(self, names: Sequence[str]) -> dict[str, Box]:
        """What came to each of *names*."""
        every = json.loads(self._cluster.request("GET", self._target, "").body)
        return {name: as_box(every.get(name, [])) for name in names}


@pytest.fixture(scope="session")
def recorder(cluster: Cluster, namespace: str, image: str) -> Recorders:
    """A subscriber in the cluster that answers as told; for the local Broker the same file runs on this machine."""
    labels = {"app.kubernetes.io/name": "recorder"}
    metadata = {"name": "recorder", "namespace": namespace, "labels": labels}
    container = {
        "name": "recorder",
        "image": image,
        "command": ["python", "/recorder/recorder.py", "8080"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "code", "mountPath": "/recorder"}],
    }
    code = Path(recorder_module.__file__).read_text()
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"recorder.py": code}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [container],
                        "volumes": [{"name": "code", "configMap": {"name": "recorder"}}],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    cluster.wait_ready(DEPLOYMENT, "recorder", namespace)
    return Recorders(cluster, namespace)


@pytest.fixture(scope="session")
def installed(
    cluster: Cluster, namespace: str, image: str, recorder: Recorders, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """overlays/demo, as somebody installs it: a kustomization that sets images and credentials. The namespace."""
    folder = tmp_path_factory.mktemp("install")
    simulator = os.environ.get("VCSIM_IMAGE", "docker.io/vmware/vcsim:v0.39.0")
    addresses = {"NOTIFY_URLS": f"json://recorder.{namespace}.svc.cluster.local/notified"}
    notify = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notify", "namespace": "vcenter-events"}}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "overlays/demo", folder.resolve())],
        "patches": [{"patch": yaml.safe_dump({**notify, "stringData": addresses})}],
        "images": [
            kustomize_image("dev.local/vcenter-events", image),
            kustomize_image("docker.io/vmware/vcsim", simulator),
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    cluster.apply(*moved(rendered(folder), namespace))
    for kind, name in CORE:
        cluster.wait_ready(kind, name, namespace, 300)
    cluster.wait_subscribed(namespace)
    return namespace


CORE = (
    (DEPLOYMENT, "vcsim"),
    (BROKER, "default"),
    (SERVICE, "vcenter-poller"),
    (SERVICE, "display"),
    (SERVICE, "notify"),
    (TRIGGER, "display"),
    (TRIGGER, "notify"),
    (SINKBINDING, "vcenter-poller"),
    (PINGSOURCE, "vcenter-poller"),
)
"""What events need to get to the display and to a reaction."""


def kustomize_image(name: str, image: str) -> dict[str, str]:
    """The entry of a kustomization that replaces the image *name* by *image*, which has a tag or a digest."""
    repository, at, digest = image.partition("@")
    if at:
        return {"name": name, "newName": repository, "digest": digest}
    repository, _, tag = image.rpartition(":")
    return {"name": name, "newName": repository, "newTag": tag}


@pytest.fixture
def administrator(cluster: Cluster, installed: str) -> Iterator[Administrator]:
    """Somebody at the simulated vCenter in the cluster."""
    with cluster.forwarded(installed, "vcsim", 443) as port, Administrator(port) as someone:
        yield someone


@pytest.fixture(scope="session")
def tell() -> Callable[[str], None]:
    """Takes a measured figure, to be printed after the tests."""
    return _figures.append
