"""Moments as text: RFC 3339 and xsd:dateTime. Pure."""

import datetime


def utc(text: str) -> datetime.datetime:
    """Return the xsd:dateTime *text* as a UTC time. Without a zone it is taken as UTC. Raises ValueError."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is not in the calendar in UTC") from error


def rfc3339(moment: datetime.datetime) -> str:
    """Return *moment* in UTC, `2026-01-02T03:04:05Z`."""
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
