"""Fixtures of the controller's tests against a real API server."""

import pytest

from tests.support.api_server import ApiServer
from tests.support.controller import new_namespace
from tests.support.predecessor import DEFINITIONS, Object
from tests.support.waiting import wait_until


@pytest.fixture(scope="session")
def kinds_server(api_server: ApiServer) -> ApiServer:
    """An API server with the three kinds."""
    for definition in DEFINITIONS:
        api_server.apply(definition)
    names = [definition["metadata"]["name"] for definition in DEFINITIONS]
    wait_until(lambda: all(is_established(api_server, name) for name in names), 10, "the kinds are served")
    return api_server


def is_established(server: ApiServer, name: str) -> bool:
    """Return whether a CustomResourceDefinition is served."""
    definition: Object = server.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name) or {}
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)


@pytest.fixture
def namespace(kinds_server: ApiServer) -> str:
    """A namespace of the test's own, with a ServiceAccount."""
    return new_namespace(kinds_server)
