"""Fixtures that tests of several packages share."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.vcsim import VCSim
from tests.support import api_server as kubernetes_api
from tests.support.administrator import Administrator
from tests.support.kinds import install
from tests.support.recorder import Recorder, Request, Response
from tests.support.requirements import VCSIM_WITH_ALARMS, require_built, require_variable, require_vcsim

pytest_plugins = ["tests.support.flaky"]


def pytest_configure() -> None:
    """Let the programs under test notice Ctrl-C, which a shell's background processes and their children ignore."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Half of the tests' time is spent waiting, for processes and for the page: two for every core."""
    return (os.cpu_count() or 1) * 2


@pytest.fixture(scope="session")
def vcsim_program() -> Path:
    """The executable of vcsim, which `make test` builds before it runs the tests."""
    return require_vcsim()


@pytest.fixture
def vcsim(vcsim_program: Path) -> Iterator[VCSim]:
    """A simulated vCenter for one test, running, on a free port."""
    with VCSim() as running:
        yield running


@pytest.fixture
def vcsim_with_alarms() -> Iterator[VCSim]:
    """The same with alarms: `tests/vcsim`."""
    with VCSim(program=require_built(VCSIM_WITH_ALARMS)) as running:
        yield running


@pytest.fixture
def administrator(vcsim: VCSim) -> Iterator[Administrator]:
    """An administrator who is logged in to *vcsim*."""
    with Administrator(vcsim.port) as person:
        yield person


@pytest.fixture
def subscriber() -> Iterator[Callable[..., Recorder]]:
    """Starts recorders: `subscriber()` responds 202, `subscriber(lambda request: Response(503))` otherwise."""
    recorders: list[Recorder] = []

    def start(respond: Callable[[Request], Response] = lambda _: Response()) -> Recorder:
        recorders.append(Recorder(respond).start())
        return recorders[-1]

    yield start
    for recorder in recorders:
        recorder.stop()


@pytest.fixture(scope="session")
def api_server() -> Iterator[kubernetes_api.ApiServer]:
    """A real API server of Kubernetes, without a cluster. Its tests are marked `cluster`."""
    with kubernetes_api.running() as server:
        yield server


@pytest.fixture(scope="session")
def kinds(api_server: kubernetes_api.ApiServer) -> kubernetes_api.ApiServer:
    """The same API server after `kubectl apply -k config/sources`."""
    install(api_server)
    return api_server


@pytest.fixture
def config_map() -> Iterator[tuple[Any, str, str]]:
    """A ConfigMap of the test's own, in a namespace of its own, on a real API server: api, namespace, name."""
    require_variable("KUBECONFIG", "~/.kube/config")
    from kubernetes import client, config  # noqa: PLC0415 - half a second, for the tests that need it

    config.load_kube_config()
    api = client.CoreV1Api()
    namespace = f"checkpoint-{uuid.uuid4().hex[:8]}"
    api.create_namespace({"metadata": {"name": namespace}})
    api.create_namespaced_config_map(namespace, {"metadata": {"name": "poller-configmap"}})
    yield api, namespace, "poller-configmap"
    api.delete_namespace(namespace)
    api.api_client.close()
