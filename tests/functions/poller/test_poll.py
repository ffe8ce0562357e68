"""The deadline of a poll. `test_poller` and `test_failures` have the poll as a whole."""

import math

import pytest

from functions.poller.poll import FollowDeadline


def test_deadline_that_has_passed_cannot_be_extended() -> None:
    deadline = FollowDeadline(0)
    assert deadline.has_passed()
    assert not deadline.extend(60)
    assert deadline.has_passed()


@pytest.mark.parametrize("seconds", [60, math.inf])
def test_deadline_is_extended_until_it_expires(seconds: float) -> None:
    deadline = FollowDeadline(seconds)
    assert deadline.extend(seconds)
    assert not deadline.has_passed()
    assert deadline.remaining_seconds() > 59
    deadline.expire()
    assert deadline.has_passed()
    assert not deadline.extend(seconds)


def test_past_deadline_can_be_extended_until_it_is_read() -> None:
    deadline = FollowDeadline(0)
    assert deadline.extend(60)
    assert not deadline.has_passed()
