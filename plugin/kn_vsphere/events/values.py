"""The values of `--since` and `--until`, and of flags with a fixed set of values. Pure."""

import datetime
import re

from kn_vsphere.errors import CheckError
from kn_vsphere.grammar import Invocation, parse_duration
from pipeline.times import utc


def moment(flag: str, text: str, now: datetime.datetime) -> datetime.datetime:
    """Return the time that *text* means: a duration before *now* (UTC), or a time. Raises `CheckError`.

    A time without a zone is UTC.
    """
    try:
        if re.match(r"\d{4}-", text):
            return utc(text.replace(" ", "T"))
        seconds = parse_duration(text)
        if seconds < 0:
            raise ValueError("it is negative")
        return now - datetime.timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise CheckError(
            f"--{flag} is {text!r}, not a duration such as 2h or a time such as 2026-11-25T08:00:00Z ({error})"
        ) from error


def one_of(flags: Invocation, flag: str) -> str:
    """Return the value of a flag with a fixed set of values, or "". Raises `CheckError` for another value."""
    value = flags.text(flag)
    values = next(known.values for known in flags.command.flags if known.name == flag)
    if value and value not in values:
        raise CheckError(f"--{flag} is {value!r}, not one of: {', '.join(values)}")
    return value
