"""An outage of the server is reported once, and only if the first retry also fails."""

import datetime

from delivery.progress import Outage

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(minutes=1)


def test_outage_is_reported_once_at_the_second_failure() -> None:
    outage = Outage()
    assert [outage.fail(moment, can_report=True) for moment in (NOW, LATER, LATER)] == [False, True, False]
    assert outage.since == NOW
    assert outage.end() == NOW


def test_outage_that_the_first_retry_ends_is_not_reported() -> None:
    outage = Outage()
    outage.fail(NOW, can_report=True)
    assert outage.end() is None
    assert not outage.fail(LATER, can_report=True)


def test_outage_is_reported_as_soon_as_there_is_a_sink() -> None:
    outage = Outage()
    results = [outage.fail(NOW, can_report) for can_report in (False, False, True, True)]
    assert results == [False, False, True, False]


def test_next_outage_is_reported_again() -> None:
    outage = Outage()
    for _ in range(2):
        outage.fail(NOW, can_report=True)
        assert outage.fail(LATER, can_report=True)
        assert outage.end() == NOW
