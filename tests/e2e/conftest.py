"""Fixtures of the tests on a cluster: one installation of overlays/demo in a namespace, with a recorder."""

import contextlib
import functools
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.e2e.cluster import DEPLOYMENT, Cluster, moved
from tests.e2e.installation import CORE, ROOT, ClusterRecorder, kustomize_image, server_objects
from tests.support import recorder as recorder_module
from tests.support.administrator import Administrator
from tests.support.browser import browser, resolver_rules, visit  # noqa: F401 - fixtures
from tests.support.manifests import TOKEN, rendered
from tests.support.requirements import require

_in_use: list[tuple[Cluster, str]] = []
"""The cluster of the run, and how the names of its namespaces begin: for the report of a failure."""


FIGURE = "figure"
"""The property of a test's report that holds a measured figure, since a report also comes from another process."""
GROUPS = dict.fromkeys(("test_bindings", "test_horizon", "test_samples", "test_sources", "test_upgrade"), "sources")
"""Module → the group that runs in one process, one test after the other. The group of the others uses one installation
of overlays/demo. This one has the controller of the sources, and namespaces of its own."""


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one group share a process, where several run."""

    def _split_scope(self, nodeid: str) -> str:
        return GROUPS.get(Path(nodeid.partition("::")[0]).stem, "installation")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """Distribute the tests by their groups."""
    return GroupScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    figures = [
        figure
        for report in terminalreporter.stats.get("passed", [])
        for name, figure in report.user_properties
        if report.when == "call" and name == FIGURE
    ]
    if figures:
        terminalreporter.section("measured")
        for figure in figures:
            terminalreporter.write_line(figure)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add the objects that are not ready in the cluster to a failure."""
    report = yield
    if report.failed and item.get_closest_marker("cluster"):
        for cluster, prefix in _in_use:
            with contextlib.suppress(Exception):  # the failure itself is what matters
                for namespace in cluster.namespaces(prefix):
                    report.sections.append((f"namespace {namespace}", cluster.diagnosis(namespace)))
    return report


def required(variable: str, example: str) -> str:
    """Return a variable of the environment. Without it no test here can run."""
    value = os.environ.get(variable, "")
    if not value:
        pytest.exit(f"tests on a cluster need {variable}, for example {variable}={example}", returncode=2)
    return value


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the functions, which the cluster's nodes have or can pull."""
    return required("IMAGE", "registry.example/team/vcenter-events:1.0")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names."""
    required("KUBECONFIG", "~/.kube/config")
    require("kubectl")
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


@pytest.fixture(scope="session")
def recorder(cluster: Cluster, namespace: str, image: str) -> ClusterRecorder:
    """A recorder in the cluster, from the same file that runs on this machine for the local Broker."""
    cluster.apply(*server_objects("recorder", namespace, image, Path(recorder_module.__file__)))
    cluster.wait_ready(DEPLOYMENT, "recorder", namespace)
    return ClusterRecorder(cluster, namespace)


@pytest.fixture(scope="session")
def installed(
    cluster: Cluster, namespace: str, image: str, recorder: ClusterRecorder, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """overlays/demo, as somebody installs it: a kustomization that sets images and credentials. The namespace."""
    folder = tmp_path_factory.mktemp("install")
    simulator = os.environ.get("VCSIM_IMAGE", "docker.io/vmware/vcsim:v0.39.0")
    addresses = {"NOTIFY_URLS": f"json://recorder.{namespace}.svc.cluster.local/notified"}
    notify = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notify", "namespace": "vcenter-events"}}
    deadletter = {**notify, "metadata": {"name": "deadletter", "namespace": "vcenter-events"}}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "overlays/demo", folder.resolve())],
        "patches": [
            {"patch": yaml.safe_dump({**notify, "stringData": addresses})},
            {"patch": yaml.safe_dump({**deadletter, "stringData": {"DEADLETTER_TOKEN": TOKEN}})},
        ],
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


@pytest.fixture
def administrator(cluster: Cluster, installed: str) -> Iterator[Administrator]:
    """Somebody at the simulated vCenter in the cluster."""
    with cluster.forwarded(installed, "vcsim", 443) as port, Administrator(port) as someone:
        yield someone


@pytest.fixture
def report_figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that takes a measured figure, which is printed after the tests."""
    return functools.partial(record_property, FIGURE)
