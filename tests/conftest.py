"""What tests of several rooms share."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import golang
from demo.vcsim import VCSim, build
from tests.administrator import Administrator


def pytest_xdist_auto_num_workers() -> int:
    """Half of the tests' time is spent waiting, for processes and for the page: three for every two cores."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)


@pytest.fixture(scope="session")
def _vcsim_binary() -> None:
    """vcsim's executable, which `make test` builds before; without Go its tests are skipped."""
    try:
        build()
    except golang.NotBuilt as error:
        pytest.skip(str(error))


@pytest.fixture
def vcsim(_vcsim_binary: None) -> Iterator[VCSim]:
    """A simulated vCenter of the test's own, running, on a free port."""
    with VCSim() as running:
        yield running


@pytest.fixture
def vcsim_with_alarms() -> Iterator[VCSim]:
    """The same with alarms: `tests/vcsim`."""
    try:
        program = golang.build(Path(__file__).parent / "vcsim")
    except golang.NotBuilt as error:
        pytest.skip(str(error))
    with VCSim(program=program) as running:
        yield running


@pytest.fixture
def administrator(vcsim: VCSim) -> Iterator[Administrator]:
    """Somebody who is logged in at *vcsim*."""
    with Administrator(vcsim.port) as person:
        yield person


@pytest.fixture
def config_map() -> Iterator[tuple[Any, str, str]]:
    """A ConfigMap of the test's own, in a namespace of its own, on a real API server: api, namespace, name."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a Kubernetes API server: set KUBECONFIG")
    from kubernetes import client, config  # noqa: PLC0415 - half a second, for the tests that need it

    config.load_kube_config()
    api = client.CoreV1Api()
    namespace = f"checkpoint-{uuid.uuid4().hex[:8]}"
    api.create_namespace({"metadata": {"name": namespace}})
    api.create_namespaced_config_map(namespace, {"metadata": {"name": "poller-configmap"}})
    yield api, namespace, "poller-configmap"
    api.delete_namespace(namespace)
    api.api_client.close()
