"""Parsers: text → value. A ValueError says what is wrong ("is not a duration"), and never repeats a secret."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


def text(value: str) -> str:
    """The text as it is."""
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """One of *choices*, exactly."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is {value!r}, not one of {', '.join(choices)}")
        return value

    return parse


def flag(value: str) -> bool:
    """true or false, in the spellings that Go and Kubernetes users write."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError(f"is {value!r}, not true or false")
    return known[value.lower()]


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A whole number from *least* to *most*."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value) or not least <= int(value) <= most:
            raise ValueError(f"is {value!r}, not a whole number from {least} to {most}")
        return int(value)

    return parse


_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(value: str) -> float:
    """Seconds, from Go's notation (`5m`, `1h30m`, `250ms`) or a bare number of seconds."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+", value):
        raise ValueError(f"is {value!r}, not a duration")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", value))


def http_url(value: str) -> str:
    """An absolute http or https URL with a host and without credentials in it."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError on a bad port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    if parts.username or parts.password:
        raise ValueError("holds a user name or password in the URL; credentials have settings of their own")
    return value


def existing_file(value: str) -> str:
    """The path of a file that can be read."""
    try:
        with Path(value).open("rb"):
            return value
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error


def words(value: str) -> tuple[str, ...]:
    """The words of a text, separated by commas or white space."""
    return tuple(value.replace(",", " ").split())
