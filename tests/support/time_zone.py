"""A local time that is not UTC, as a developer's machine has."""

import contextlib
import time
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def far_from_greenwich() -> Iterator[None]:
    """The local time of this process is half a day before UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()
