"""Fixtures of the display's tests."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

import func
from functions import display
from tests.support.manifests import TOKEN
from tests.support.recorder import Recorder
from tests.support.serving import SENDING, Served


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """A client of a display with default settings."""
    function = display.create({})
    yield func.application("display", function).test_client()
    function.close()


@pytest.fixture
def broker() -> Iterator[Recorder]:
    """The receiver of redriven events."""
    with Recorder() as receiver:
        yield receiver


@pytest.fixture
def deadletter(broker: Recorder) -> Iterator[Served]:
    with Served("deadletter", DEADLETTER_TOKEN=TOKEN, K_SINK=broker.url) as served:
        yield served


@pytest.fixture
def sending(deadletter: Served) -> Iterator[Served]:
    """A display that may redrive and drop the events of `deadletter`."""
    with Served("display", **SENDING, DISPLAY_DEAD_LETTERS=deadletter.address) as served:
        yield served
