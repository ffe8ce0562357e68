"""Messages about events, rendered by the templates in the settings."""

import re
from dataclasses import dataclass
from typing import Any

from functions.notify.settings import DEFAULT_BODY, DEFAULT_TITLE, Settings
from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from pipeline.errors import cut
from pipeline.template import Template
from vsphere import severity

RANKS = {severity.INFO: 0, severity.WARNING: 1, severity.ERROR: 2, "none": 3}
"""Severities in ascending order. `none` as a minimum excludes everything."""


_MENTION = re.compile(r"@(?=everyone|here|channel|all\b|room\b)|(?<![\w/])@(?=\w)|<(?=[@!#]|users/)")
"""The beginning of what Discord, Slack, Google Chat, Mattermost or Matrix reads as a mention, but no e-mail address."""


def without_mentions(value: Any) -> str:
    """Return *value* as text in which no service finds a mention: whoever names a VM must not alert everybody."""
    return _MENTION.sub(lambda mention: f"{mention[0]}\u200b", str(value))


@dataclass(frozen=True)
class Message:
    """A notification."""

    title: str
    """One line."""
    body: str
    """Never empty."""
    severity: str


def severity_of(event: CloudEvent) -> str:
    """Return the severity of *event*, one of `RANKS`."""
    return severity.of(event, payload.fields(event)).removesuffix(severity.INFERRED)


class MessageTemplates:
    """The templates of a message: those of the event's type, else those of all events."""

    def __init__(self, settings: Settings) -> None:
        self._link = Template("NOTIFY_LINK", settings.link, "")
        self._common = _title("NOTIFY_TITLE", settings.title), _body("NOTIFY_BODY", settings.body)
        self._by_type = {
            type_: (
                _title(f"NOTIFY_TEMPLATES {type_}.title", own.get("title") or settings.title),
                _body(f"NOTIFY_TEMPLATES {type_}.body", own.get("body") or settings.body),
            )
            for type_, own in (settings.templates or {}).items()
        }

    def render(self, event: CloudEvent, level: str) -> Message:
        """Return the message about *event*, whose severity is *level*."""
        title, body = self._by_type.get(payload.short_type(event), self._common)
        variables = {"link": self._link.render(event), "severity": level}
        return Message(
            cut(title.render(event, **variables), bounds.TITLE_CHARACTERS), body.render(event, **variables), level
        )


def _title(setting: str, template: str | None) -> Template:
    return Template(setting, template, DEFAULT_TITLE, without_mentions)


def _body(setting: str, template: str | None) -> Template:
    return Template(setting, template, DEFAULT_BODY, without_mentions)
