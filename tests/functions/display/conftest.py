"""Fixtures of the display's tests."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

import func
from functions import display


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """A client of a display with default settings."""
    function = display.create({})
    yield func.application("display", function).test_client()
    function.close()
