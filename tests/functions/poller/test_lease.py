"""The lease: who may save, and until when."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.poller.lease import Lease, decode, encode

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lease", "binds"),
    [
        (Lease("poller-1", LATER), True),
        (Lease("poller-1", NOW), False),
        (Lease("poller-2", LATER), False),
    ],
    ids=["another's", "expired", "own"],
)
def test_lease_of_another_poller_binds_until_it_expires(lease: Lease, binds: bool) -> None:
    assert lease.binds("poller-2", NOW) is binds


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
