"""The retry rules: which failure is retried, when, and where an event goes that is not."""

import email.utils

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from delivery.retry import (
    MAX_DROPS_IN_A_ROW,
    MAX_RETRY_AFTER_SECONDS,
    TEMPORARY_STATUSES,
    Action,
    DropLimit,
    Failure,
    RetryPolicy,
    is_acknowledged,
    parse_retry_after,
)
from tests.support.time_zone import far_from_greenwich

NOW = 1_800_000_000.0

policies = st.builds(
    RetryPolicy,
    backoff_seconds=st.floats(0, 100),
    max_backoff_seconds=st.floats(0, 1000),
    max_attempts=st.integers(1, 1000),
    has_dead_letter_sink=st.booleans(),
    at_most_once=st.booleans(),
)
failures = st.builds(
    Failure,
    reason=st.just("POST returned"),
    status=st.just(0) | st.integers(300, 599),
    retry_after_seconds=st.floats(0, MAX_RETRY_AFTER_SECONDS),
    timed_out=st.booleans(),
)
attempts = st.integers(1, 10_000)


def policy(max_attempts: int = 3, *, has_dead_letter_sink: bool = False, at_most_once: bool = False) -> RetryPolicy:
    return RetryPolicy(0.2, 30, max_attempts, has_dead_letter_sink, at_most_once)


@pytest.mark.parametrize(
    "status", [0, 301, 302, 304, 307, 308, 401, 403, 404, 405, 407, 408, 409, 421, 425, 429, 500, 502, 503, 504]
)
def test_temporary_failure_is_retried_without_limit(status: int) -> None:
    assert policy().next_action(Failure("", status), 1000) is Action.RETRY


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422, 431])
def test_permanent_failure_is_not_retried(status: int) -> None:
    assert policy().next_action(Failure("", status), 1) is Action.DROP
    assert policy(has_dead_letter_sink=True).next_action(Failure("", status), 1) is Action.DEAD_LETTER


@pytest.mark.parametrize(
    ("status", "attempt", "action"),
    [(503, 2, Action.RETRY), (503, 3, Action.DEAD_LETTER), (429, 3, Action.DEAD_LETTER), (0, 1000, Action.RETRY)],
)
def test_maximum_attempts_count_only_responses(status: int, attempt: int, action: Action) -> None:
    assert policy(3, has_dead_letter_sink=True).next_action(Failure("", status), attempt) is action


@given(failures, attempts)
def test_at_most_once_never_retries(failure: Failure, attempt: int) -> None:
    assert policy(at_most_once=True).next_action(failure, attempt) is Action.DROP
    assert policy(at_most_once=True, has_dead_letter_sink=True).next_action(failure, attempt) is Action.DEAD_LETTER


@given(policies, failures, attempts)
def test_dead_letter_sink_is_retried_without_limit(rules: RetryPolicy, failure: Failure, attempt: int) -> None:
    assert rules.for_dead_letters().next_action(failure, attempt) is Action.RETRY


@given(policies, failures, attempts)
def test_action_follows_the_table(rules: RetryPolicy, failure: Failure, attempt: int) -> None:
    action = rules.next_action(failure, attempt)
    assert (action is Action.DEAD_LETTER) <= rules.has_dead_letter_sink
    assert (action is Action.DROP) <= (not rules.has_dead_letter_sink)
    if not rules.at_most_once and failure.is_permanent:
        assert action is not Action.RETRY
    if not rules.at_most_once and failure.status == 0:
        assert action is Action.RETRY


def test_failure_without_a_response_has_none_of_its_parts() -> None:
    assert Failure("no route") == Failure("no route", status=0, body=b"", retry_after_seconds=0, timed_out=False)


@pytest.mark.parametrize(
    ("status", "acknowledged"), [(199, False), (200, True), (202, True), (299, True), (300, False), (0, False)]
)
def test_only_statuses_of_success_acknowledge(status: int, acknowledged: bool) -> None:
    assert is_acknowledged(status) is acknowledged


@given(st.integers(100, 599))
def test_status_has_exactly_one_outcome(status: int) -> None:
    if is_acknowledged(status):
        assert status // 100 == 2
    else:
        temporary = status < 400 or status >= 500 or status in TEMPORARY_STATUSES
        assert Failure("", status).is_permanent is not temporary


REJECTED = Failure("", 400)


def test_drops_in_a_row_end_with_retries_until_acknowledged() -> None:
    limit = DropLimit()
    assert [limit.next_action(Action.DROP, REJECTED) for _ in range(MAX_DROPS_IN_A_ROW)] == [Action.DROP] * 5
    assert limit.next_action(Action.DROP, REJECTED) is Action.RETRY
    limit.acknowledge()
    assert [limit.next_action(Action.DROP, REJECTED) for _ in range(MAX_DROPS_IN_A_ROW)] == [Action.DROP] * 5
    assert limit.next_action(Action.DROP, REJECTED) is Action.RETRY


def test_dead_letters_are_not_limited() -> None:
    limit = DropLimit()
    assert {limit.next_action(Action.DEAD_LETTER, REJECTED) for _ in range(100)} == {Action.DEAD_LETTER}


@given(policies, failures, attempts, st.floats(0, 1))
def test_delay_stays_within_its_bounds(rules: RetryPolicy, failure: Failure, attempt: int, jitter: float) -> None:
    delay = rules.delay_seconds(failure, attempt, jitter)
    longest = min(rules.max_backoff_seconds, rules.backoff_seconds * 2.0 ** min(attempt - 1, 30))
    assert delay >= failure.retry_after_seconds
    assert longest / 2 <= delay <= max(longest, failure.retry_after_seconds)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 0.2), (2, 0.4), (3, 0.8), (8, 25.6), (9, 30), (10_000, 30)])
def test_delay_doubles_up_to_the_maximum(attempt: int, seconds: float) -> None:
    assert policy().delay_seconds(Failure("", 503), attempt, jitter=0) == pytest.approx(seconds)
    assert policy().delay_seconds(Failure("", 503), attempt, jitter=1) == pytest.approx(seconds / 2)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("301", 300),
        ("9" * 400, 300),
        (email.utils.formatdate(NOW + 20, usegmt=True), 20),
        (email.utils.formatdate(NOW + 20), 20),
        (email.utils.formatdate(NOW - 20, usegmt=True), 0),
        (email.utils.formatdate(NOW + 9000, usegmt=True), 300),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        ("²", 0),
        ("soon", 0),
        ("Mon", 0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", 0),
        ("Fri, 31 Dec 9999999999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 2026 23:59:59 +9999999999", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_date_without_a_zone_is_utc_whatever_the_local_zone() -> None:
    with far_from_greenwich():
        assert parse_retry_after(email.utils.formatdate(NOW + 20), NOW) == 20


dates = st.from_regex(r"(Mon|Tue|x)?,? ?[0-9]{0,3} (Jan|Feb|Foo)? ?[0-9]{0,12} [0-9:]{0,12} ?[+-]?[0-9A-Z]{0,12}")


@given(st.text() | dates, st.floats(0, 4e9))
@example(",", NOW)
@example("0 0 0 0", NOW)
def test_malformed_retry_after_neither_delays_nor_raises(value: str, now: float) -> None:
    assert 0 <= parse_retry_after(value, now) <= MAX_RETRY_AFTER_SECONDS
