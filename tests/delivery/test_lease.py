"""The lease: who may save, and until when."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.lease import Lease, LeaseObserver, decode, encode

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(seconds=1)


def test_own_lease_never_binds() -> None:
    assert not LeaseObserver("poller-1").binds(Lease("poller-1", LATER), 0)


@pytest.mark.parametrize("lead", [datetime.timedelta(days=-40), datetime.timedelta(), datetime.timedelta(hours=1)])
def test_lease_of_another_binds_until_it_was_not_renewed(lead: datetime.timedelta) -> None:
    """However far the holder's clock is ahead or behind."""
    observer = LeaseObserver("poller-2")
    assert observer.binds(Lease("poller-1", NOW + lead), 100)
    assert observer.binds(Lease("poller-1", LATER + lead), 110)
    assert observer.binds(Lease("poller-1", LATER + lead), 124.9)
    assert not observer.binds(Lease("poller-1", LATER + lead), 125)
    assert observer.binds(Lease("poller-3", LATER + lead), 126)


@given(st.text(), st.datetimes(timezones=st.just(datetime.UTC)))
def test_every_lease_is_read_as_it_was_written(holder: str, expires: datetime.datetime) -> None:
    assert decode(encode(Lease(holder, expires))) == Lease(holder, expires)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"holder": "poller-1"}',
        '{"holder": 1, "expires": 2}',
        '{"holder": "x", "expires": "0001-01-01T00:00:00+23:00"}',
    ],
)
def test_malformed_lease_is_none(text: str) -> None:
    assert decode(text) is None
