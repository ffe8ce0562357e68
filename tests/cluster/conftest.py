"""Fixtures of the tests against a real API server."""

from collections.abc import Iterator

import pytest

from cluster.client import ClusterClient
from tests.support.api_server import ApiServer
from tests.support.controller import connection


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """A namespace of the test's own."""
    return api_server.create_namespace()


@pytest.fixture
def client(api_server: ApiServer, namespace: str) -> Iterator[ClusterClient]:
    """A client with an administrator's rights."""
    with ClusterClient(connection(api_server, namespace)) as administrator:
        yield administrator
