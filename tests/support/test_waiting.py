"""Tests of the way to wait."""

import itertools

import pytest

from tests.support.waiting import NotInTime, is_true_within, wait_until


def test_value_of_the_condition_is_returned() -> None:
    values = itertools.chain([0, 0], itertools.repeat(7))

    assert wait_until(lambda: next(values)) == 7


def test_failure_shows_the_condition_and_its_last_value() -> None:
    received: list[int] = []

    with pytest.raises(NotInTime, match=r"not within 0 s: .*len\(received\) == 3.*last value: False"):
        wait_until(lambda: len(received) == 3, 0)


def test_failure_shows_the_message_in_place_of_the_condition() -> None:
    with pytest.raises(NotInTime, match=r"not within 0 s: three events \(last value: \[\]\)"):
        wait_until(list, 0, "three events")


def test_exception_in_the_condition_ends_the_wait() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0)


def test_outcome_without_an_exception() -> None:
    assert is_true_within(0, lambda: True)
    assert not is_true_within(0, lambda: False)
