"""Settings of notify: services, text, and limits."""

import dataclasses
import datetime
import logging
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import apprise

from functions.notify import plugins
from pipeline.reaction import dedup_size_setting
from pipeline.settings import Secret, duration, one_of, setting, whole_number
from pipeline.settings.templates import condition_setting, jinja_template

DEFAULT_TITLE = "{{ title }}"

DEFAULT_BODY = """\
{{ message }}

{% if user %}User: {{ user }}
{% endif %}Time: {{ time }}
Source: {{ source }}
Event: {{ id }} ({{ type }}){% if link %}
{{ link }}{% endif %}"""


def apprise_urls(value: str) -> tuple[Secret, ...]:
    """Parse URLs that apprise supports. An error names only the position of a URL, because URLs contain passwords."""
    # apprise logs the URLs that it rejects, and later those that fail. It must not log in this process at all.
    logging.getLogger("apprise").disabled = True
    urls = value.split()
    plugins.load(urls)
    unknown = [str(number) for number, url in enumerate(urls, 1) if apprise.Apprise.instantiate(url) is None]
    if unknown:
        raise ValueError(f"has {len(urls)} URLs, of which apprise does not support number {', '.join(unknown)}")
    return tuple(Secret(url) for url in urls)


def templates_in(value: str) -> Mapping[str, Mapping[str, str]]:
    """Read a folder with the files `TYPE.title` and `TYPE.body`. Return event type → `title` or `body` → template."""
    templates: dict[str, dict[str, str]] = {}
    try:
        # A mounted ConfigMap has entries that start with a dot, which Kubernetes uses to update it atomically.
        for file in sorted(file for file in Path(value).iterdir() if not file.name.startswith(".")):
            event_type, _, part = file.name.rpartition(".")
            if part not in ("title", "body") or not event_type:
                raise ValueError(f"has the file {file.name}, not TYPE.title or TYPE.body")
            try:
                templates.setdefault(event_type, {})[part] = jinja_template(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"has the file {file.name}, which {error}") from error
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error
    return MappingProxyType(templates)


@dataclasses.dataclass(frozen=True)
class QuietHours:
    """A daily period in a time zone."""

    begin: datetime.time
    end: datetime.time
    """On the next day, if it is before *begin*."""
    zone: zoneinfo.ZoneInfo

    def contains(self, moment: datetime.datetime) -> bool:
        """Return whether *moment* is in the period."""
        local = moment.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end

    def ends(self, moment: datetime.datetime) -> datetime.datetime:
        """Return the end (UTC) of the period that *moment* is in."""
        local = moment.astimezone(self.zone)
        day = local.date() + datetime.timedelta(days=local.time() >= self.end)
        return datetime.datetime.combine(day, self.end, self.zone).astimezone(datetime.UTC)


def quiet_hours(value: str) -> QuietHours:
    """Parse `22:00-07:00` (UTC) or `22:00-07:00 Europe/Berlin`."""
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value)
    if not match or match[1] == match[2]:
        raise ValueError(f"is {value!r}, not HH:MM-HH:MM with a time zone")
    try:
        begin, end = (datetime.time.fromisoformat(time) for time in match.group(1, 2))
        return QuietHours(begin, end, zoneinfo.ZoneInfo(match[3] or "UTC"))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"is {value!r}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Settings:
    """Services, text, and limits."""

    urls: tuple[Secret, ...] = setting(
        "NOTIFY_URLS",
        apprise_urls,
        "apprise URLs of the services, separated by white space.",
        example="ntfy://ntfy.example/vcenter",
    )
    condition: str | None = condition_setting("NOTIFY_IF")
    title: str = setting(
        "NOTIFY_TITLE",
        jinja_template,
        "Jinja2 template of the title.",
        example="{{ target }}: {{ message }}",
        default=DEFAULT_TITLE,
    )
    body: str | None = setting(
        "NOTIFY_BODY",
        jinja_template,
        "Jinja2 template of the body.",
        example="{{ message }} (by {{ data.UserName }})",
        default=None,
        unset="message, user, time, source, event id and link",
    )
    templates: Mapping[str, Mapping[str, str]] | None = setting(
        "NOTIFY_TEMPLATES",
        templates_in,
        "Folder of templates for event types, such as `VmPoweredOffEvent.title` and `VmPoweredOffEvent.body`.",
        example="/etc/notify",
        default=None,
    )
    link: str | None = setting(
        "NOTIFY_LINK",
        jinja_template,
        "Jinja2 template of a link to the event in the display, which ends the default body.",
        example="https://display.example/?id={{ id | urlencode }}",
        default=None,
    )
    severity: str = setting(
        "NOTIFY_SEVERITY",
        one_of("info", "warning", "error"),
        "Minimum severity: `info`, `warning` or `error`.",
        example="warning",
        default="info",
    )
    limit: int = setting(
        "NOTIFY_LIMIT",
        whole_number(0, 1_000_000),
        "Maximum single notifications in a period. Further events are sent as one digest at its end.",
        example="5",
        default="20",
    )
    period_seconds: float = setting(
        "NOTIFY_PERIOD", duration, "Length of a period. It starts with an event.", example="5m", default="1m"
    )
    quiet: QuietHours | None = setting(
        "NOTIFY_QUIET",
        quiet_hours,
        "Quiet hours in a time zone (UTC if omitted). Their events are sent as one digest at their end.",
        example="22:00-07:00 Europe/Berlin",
        default=None,
    )
    quiet_severity: str = setting(
        "NOTIFY_QUIET_SEVERITY",
        one_of("info", "warning", "error", "none"),
        "Minimum severity of single notifications in quiet hours: `info`, `warning`, `error` or `none`.",
        example="none",
        default="error",
    )
    dedup_size: int = dedup_size_setting("NOTIFY_DEDUP_SIZE")
