"""PingSource schedules: the cron notation of robfig/cron v3, which Knative reads, run by APScheduler.

APScheduler's own cron notation differs: Monday is 0 there and 1 here, `N/step` is not the same, and a day of the month
and a day of the week must both match. Here the notation becomes plain sets of numbers for APScheduler. Pure.
"""

import zoneinfo
from collections.abc import Mapping
from typing import NamedTuple

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


class _Bounds(NamedTuple):
    name: str
    minimum: int
    maximum: int
    names: Mapping[str, int]


_FIELDS = (
    _Bounds("second", 0, 59, {}),
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day of month", 1, 31, {}),
    _Bounds("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


class _Numbers(NamedTuple):
    """The numbers of a field, and whether it was written as `*`."""

    numbers: frozenset[int]
    starred: bool


def parse_schedule(text: str, timezone: str = "") -> BaseTrigger:
    """Return the times of *text*: five fields, six with seconds first, or a descriptor such as `@daily`.

    *timezone* is an IANA name, or "" for the one of this machine. Raises ValueError with the reason.
    """
    zone = _zone(timezone)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise ValueError(f"is {text!r}, not one of {', '.join(_DESCRIPTORS)}; Knative rejects @every")
        text = _DESCRIPTORS[text]
    fields = text.split()
    if len(fields) not in (5, 6):
        raise ValueError(f"has {len(fields)} fields, not 5 (minute hour day month weekday) or 6 (second first)")
    second, minute, hour, day, month, weekday = (
        _numbers(field, bounds) for field, bounds in zip(["0"] * (6 - len(fields)) + fields, _FIELDS, strict=True)
    )
    clock = {"second": _listed(second), "minute": _listed(minute), "hour": _listed(hour), "month": _listed(month)}
    days = {"day": _listed(day)}
    weekdays = {"day_of_week": ",".join(str((number - 1) % 7) for number in sorted(weekday.numbers))}
    if day.starred or weekday.starred:
        return CronTrigger(**clock, **days, **weekdays, timezone=zone)
    # Cron's rule: if both are restricted, a day needs to match only one of them.
    return OrTrigger([CronTrigger(**clock, **restriction, timezone=zone) for restriction in (days, weekdays)])


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    if not name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"names the time zone {name!r}, which this machine does not know") from error


def _numbers(text: str, bounds: _Bounds) -> _Numbers:
    parts = [_range(part, bounds) for part in text.split(",") if part]
    if not parts:
        raise ValueError(f"has no {bounds.name}")
    return _Numbers(frozenset().union(*(part.numbers for part in parts)), any(part.starred for part in parts))


def _range(text: str, bounds: _Bounds) -> _Numbers:
    """Return the numbers of `*`, `N` or `N-M`, each with an optional `/step`. `N/step` runs to the maximum."""
    span, slash, step_text = text.partition("/")
    step = _number(step_text, bounds, {}) if slash else 1
    if span in ("*", "?"):
        low, high = bounds.minimum, bounds.maximum
    else:
        first, dash, last = span.partition("-")
        low = _number(first, bounds, bounds.names)
        high = _number(last, bounds, bounds.names) if dash else (bounds.maximum if slash else low)
    if step < 1 or not bounds.minimum <= low <= high <= bounds.maximum:
        raise ValueError(f"has {text!r} as {bounds.name}, which is not within {bounds.minimum}-{bounds.maximum}")
    return _Numbers(frozenset(range(low, high + 1, step)), span in ("*", "?") and step == 1)


def _number(text: str, bounds: _Bounds, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"has {text!r} as {bounds.name}, which is not a number")
    return int(text)


def _listed(field: _Numbers) -> str:
    return ",".join(map(str, sorted(field.numbers)))
