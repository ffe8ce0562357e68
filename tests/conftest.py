"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest

from demo.vcsim import VCSim, VCSimUnavailable, build


@pytest.fixture(scope="session")
def _vcsim_binary() -> None:
    """vcsim's executable, which `make test` builds before; without Go its tests are skipped."""
    try:
        build()
    except VCSimUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def vcsim(_vcsim_binary: None) -> Iterator[VCSim]:
    """A simulated vCenter of the test's own, running, on a free port."""
    with VCSim() as running:
        yield running
