"""Times and durations, as kubectl prints them. Pure."""

import datetime

UNKNOWN = "<unknown>"


def parse(text: str | None) -> datetime.datetime | None:
    """Return the time of an RFC 3339 *text*, or None."""
    try:
        time = datetime.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return time.replace(tzinfo=datetime.UTC) if time and time.tzinfo is None else time


def age(text: str | None, now: datetime.datetime) -> str:
    """Return the age of a time in RFC 3339: `5m53s`."""
    time = parse(text)
    return duration((now - time).total_seconds()) if time else UNKNOWN


def duration(exact: float) -> str:
    """Return *exact* seconds as Kubernetes' HumanDuration has them: two units at most, and only one of long ones."""
    seconds = int(exact)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
