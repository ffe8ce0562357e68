"""notify: whom, in which words, how often."""

import dataclasses
import datetime
import logging
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline.settings.parsers import duration, one_of, whole_number
from pipeline.settings.templates import IF_EXAMPLE, IF_MEANING, jinja_expression, jinja_template
from pipeline.settings.variable import Secret, setting


def apprise_urls(value: str) -> tuple[Secret, ...]:
    """The URLs in *value*, each one that apprise can notify; a fault names the position only: URLs hold passwords."""
    import apprise  # noqa: PLC0415 - 0.2 s, which only notify is to pay

    # apprise logs the URLs that it refuses, and later those that fail: it is not to log in this process at all.
    logging.getLogger("apprise").disabled = True
    urls = value.split()
    unknown = [str(number) for number, url in enumerate(urls, 1) if apprise.Apprise.instantiate(url) is None]
    if unknown:
        raise ValueError(f"holds {len(urls)} URLs, of which apprise does not understand number {', '.join(unknown)}")
    return tuple(Secret(url) for url in urls)


def templates_in(value: str) -> Mapping[str, Mapping[str, str]]:
    """Event type → `title` and `body` → template, of the folder's files `TYPE.title` and `TYPE.body`."""
    found: dict[str, dict[str, str]] = {}
    try:
        # What starts with a dot is how a mounted ConfigMap is changed at once.
        for file in sorted(each for each in Path(value).iterdir() if not each.name.startswith(".")):
            type_, _, part = file.name.rpartition(".")
            if part not in ("title", "body") or not type_:
                raise ValueError(f"holds {file.name}, not TYPE.title or TYPE.body")
            try:
                found.setdefault(type_, {})[part] = jinja_template(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"holds {file.name}, which {error}") from error
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error
    return MappingProxyType(found)


@dataclasses.dataclass(frozen=True)
class QuietHours:
    """A part of every day, in the time zone of those who sleep."""

    begin: datetime.time
    end: datetime.time
    """Before *begin*, if it is the next day's."""
    zone: zoneinfo.ZoneInfo

    def contains(self, moment: datetime.datetime) -> bool:
        """Whether *moment* is in them."""
        there = moment.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= there < self.end
        return there >= self.begin or there < self.end

    def ends(self, moment: datetime.datetime) -> datetime.datetime:
        """When those end that *moment* is in."""
        there = moment.astimezone(self.zone)
        day = there.date() + datetime.timedelta(days=there.time() >= self.end)
        return datetime.datetime.combine(day, self.end, self.zone).astimezone(datetime.UTC)


def quiet_hours(value: str) -> QuietHours:
    """`22:00-07:00` (UTC) or `22:00-07:00 Europe/Berlin`."""
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value)
    if not match or match[1] == match[2]:
        raise ValueError(f"is {value!r}, not HH:MM-HH:MM with a time zone")
    try:
        begin, end = (datetime.time.fromisoformat(each) for each in match.group(1, 2))
        return QuietHours(begin, end, zoneinfo.ZoneInfo(match[3] or "UTC"))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"is {value!r}: {error}") from error


@dataclasses.dataclass(frozen=True)
class NotifySettings:
    """The notify reaction."""

    urls: tuple[Secret, ...] = setting(
        "NOTIFY_URLS",
        apprise_urls,
        "apprise URLs to notify, separated by white space",
        example="ntfy://ntfy.example/vcenter",
    )
    condition: str | None = setting("NOTIFY_IF", jinja_expression, IF_MEANING, example=IF_EXAMPLE, default=None)
    title: str | None = setting(
        "NOTIFY_TITLE",
        jinja_template,
        "Jinja2 template of the title; unset: what happened and where, as VM powered off: web-01",
        example="{{ target }}: {{ message }}",
        default=None,
    )
    body: str | None = setting(
        "NOTIFY_BODY",
        jinja_template,
        "Jinja2 template of the body; unset: message, user, time, source and event id",
        example="{{ message }} (by {{ data.UserName }})",
        default=None,
    )
    templates: Mapping[str, Mapping[str, str]] | None = setting(
        "NOTIFY_TEMPLATES",
        templates_in,
        "folder with templates for single event types: files VmPoweredOffEvent.title and VmPoweredOffEvent.body",
        example="/etc/notify",
        default=None,
    )
    link: str | None = setting(
        "NOTIFY_LINK",
        jinja_template,
        "Jinja2 template of a link to the event, which ends the body: the display's address",
        example="https://display.example/?id={{ id | urlencode }}",
        default=None,
    )
    severity: str = setting(
        "NOTIFY_SEVERITY",
        one_of("info", "warning", "error"),
        "least severity that is notified",
        example="warning",
        default="info",
    )
    limit: int = setting(
        "NOTIFY_LIMIT",
        whole_number(0, 1_000_000),
        "events notified one by one in a period; those beyond are told in one message at its end; 0: all are",
        example="5",
        default="20",
    )
    period_seconds: float = setting(
        "NOTIFY_PERIOD", duration, "the period, which starts with an event", example="5m", default="1m"
    )
    quiet: QuietHours | None = setting(
        "NOTIFY_QUIET",
        quiet_hours,
        "hours, in UTC unless a zone is named, in which nobody is notified; one message at their end tells what came",
        example="22:00-07:00 Europe/Berlin",
        default=None,
    )
    quiet_severity: str = setting(
        "NOTIFY_QUIET_SEVERITY",
        one_of("info", "warning", "error", "none"),
        "least severity that is notified in quiet hours all the same; none: nothing is",
        example="none",
        default="error",
    )
    dedup_size: int = setting(
        "NOTIFY_DEDUP_SIZE",
        whole_number(1, 1_000_000),
        "Events remembered to detect duplicate deliveries.",
        example="10000",
        default="10000",
    )
