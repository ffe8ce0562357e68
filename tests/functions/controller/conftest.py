"""Fixtures of the controller's tests against a real API server."""

import pytest

from tests.support.api_server import ApiServer
from tests.support.controller import new_namespace


@pytest.fixture
def namespace(kinds: ApiServer) -> str:
    """A namespace of the test's own, with a ServiceAccount."""
    return new_namespace(kinds)
