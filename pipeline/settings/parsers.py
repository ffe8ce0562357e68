"""Parsers of settings that several functions use: text → value.

A parser raises ValueError with a predicate ("is not a duration"), which follows the variable's name. The error never
contains a secret.
"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


def text(value: str) -> str:
    """Return the text unchanged."""
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts exactly *choices*."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is {value!r}, not one of {', '.join(choices)}")
        return value

    return parse


def flag(value: str) -> bool:
    """Parse true or false, in the spellings of Go and Kubernetes."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError(f"is {value!r}, not true or false")
    return known[value.lower()]


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from *minimum* to *maximum*, inclusive."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value) or not minimum <= int(value) <= maximum:
            raise ValueError(f"is {value!r}, not a whole number from {minimum} to {maximum}")
        return int(value)

    return parse


_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(value: str) -> float:
    """Parse Go's notation (`5m`, `1h30m`, `250ms`) or a number of seconds. Return seconds."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+", value):
        raise ValueError(f"is {value!r}, not a duration")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", value))


def http_url(value: str) -> str:
    """Check an absolute http or https URL with a host and without credentials."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError if the port is invalid
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    if parts.username or parts.password:
        raise ValueError("has a user name or password in the URL, but credentials have their own settings")
    return value


def existing_file(value: str) -> str:
    """Check the path of a readable file."""
    try:
        with Path(value).open("rb"):
            return value
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error
