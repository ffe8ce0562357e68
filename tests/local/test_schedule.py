"""PingSource schedules: the times that robfig/cron would choose."""

import datetime

import pytest

from local.schedule import parse_schedule

START = datetime.datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=datetime.UTC)  # a Saturday


def times(schedule: str, count: int = 3, timezone: str = "UTC") -> list[str]:
    trigger, now, result = parse_schedule(schedule, timezone), START, []
    for _ in range(count):
        fired = trigger.get_next_fire_time(None, now)
        result.append(f"{fired:%d %H:%M:%S}")
        now = fired + datetime.timedelta(microseconds=1)
    return result


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", ["21 12:01:00", "21 12:02:00", "21 12:03:00"]),
        ("*/10 * * * * *", ["21 12:00:10", "21 12:00:20", "21 12:00:30"]),
        ("50/5 * * * * ?", ["21 12:00:50", "21 12:00:55", "21 12:01:50"]),
        ("0 9-17/4 * * *", ["21 13:00:00", "21 17:00:00", "22 09:00:00"]),
        ("30 6 * * 1", ["23 06:30:00", "30 06:30:00", "07 06:30:00"]),
        ("30 6 * * 0", ["22 06:30:00", "29 06:30:00", "06 06:30:00"]),
        ("30 6 * * MON-Wed", ["23 06:30:00", "24 06:30:00", "25 06:30:00"]),
        ("0 0 1 jan *", ["01 00:00:00", "01 00:00:00", "01 00:00:00"]),
        ("@daily", ["22 00:00:00", "23 00:00:00", "24 00:00:00"]),
        ("@weekly", ["22 00:00:00", "29 00:00:00", "06 00:00:00"]),
    ],
)
def test_times(schedule: str, expected: list[str]) -> None:
    assert times(schedule) == expected


def test_day_of_month_and_of_week_are_alternatives() -> None:
    assert times("0 0 25 * 1", 4) == ["23 00:00:00", "25 00:00:00", "30 00:00:00", "07 00:00:00"]


def test_time_zone_is_the_sources() -> None:
    [fired] = times("0 0 * * *", 1, timezone="Asia/Tokyo")

    assert fired == "22 00:00:00"


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "x * * * *",
        "* * * * 7",
        "@every 10s",
        "* * 0 * *",
        "-1 * * * *",
    ],
)
def test_schedule_that_knative_rejects_is_rejected(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"has|is"):
        parse_schedule(schedule)


def test_unknown_time_zone_is_rejected() -> None:
    with pytest.raises(ValueError, match="Mars/Olympus"):
        parse_schedule("* * * * *", "Mars/Olympus")
