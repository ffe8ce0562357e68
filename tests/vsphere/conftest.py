"""Fixtures of the tests of vsphere/."""

from collections.abc import Iterator

import pytest

from demo.vcsim import VCSim
from tests.support.history import vcenter_settings
from vsphere.session import Session


@pytest.fixture
def session(vcsim: VCSim) -> Iterator[Session]:
    """A session with *vcsim*."""
    session = Session(vcenter_settings(vcsim))
    session.connect()
    yield session
    session.close()
