"""notify: tells people of an event through any service that apprise knows (Slack, Teams, ntfy, e-mail, over a hundred).

Which events it is told of, its Trigger says; the words are Jinja2 templates, by event type where that has its own.
Knative delivers at least once, so it remembers what it sent, service by service. People are spared a storm: what
exceeds the limit of a period, or comes in quiet hours, is gathered and told in one message that says how many.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import apprise
import structlog
from flask import Blueprint

from functions import Environ
from pipeline import payload, settings, severity
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import EventStates
from pipeline.errors import TemporaryError, cut
from pipeline.template import Condition, Template

DEFAULT_TITLE = "{{ title }}"

DEFAULT_BODY = """\
{{ message }}

{% if user %}User: {{ user }}
{% endif %}Time: {{ time }}
Source: {{ source }}
Event: {{ id }} ({{ type }}){% if link %}
{{ link }}{% endif %}"""

TITLE_CHARACTERS = 200

DIGEST_LINES = 20
"""Titles that a digest quotes; the rest is counted by type."""

UNSENT_MOST = 100
"""Digests that are kept for services which are down."""

RANKS = {severity.INFO: 0, severity.WARNING: 1, severity.ERROR: 2, "none": 3}

COLOURS = {
    severity.INFO: apprise.NotifyType.INFO,
    severity.WARNING: apprise.NotifyType.WARNING,
    severity.ERROR: apprise.NotifyType.FAILURE,
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Message:
    """What people are told."""

    title: str
    """One line."""
    body: str
    """Never empty."""
    severity: str


class MessageTemplates:
    """How an event is told: by the templates of its type, else by those of all events, else by the defaults."""

    def __init__(self, wanted: settings.NotifySettings) -> None:
        self._link = Template("NOTIFY_LINK", wanted.link, "")
        self._all = (
            Template("NOTIFY_TITLE", wanted.title, DEFAULT_TITLE),
            Template("NOTIFY_BODY", wanted.body, DEFAULT_BODY),
        )
        self._of_type = {
            type_: (
                Template(f"NOTIFY_TEMPLATES {type_}.title", own.get("title") or wanted.title, DEFAULT_TITLE),
                Template(f"NOTIFY_TEMPLATES {type_}.body", own.get("body") or wanted.body, DEFAULT_BODY),
            )
            for type_, own in (wanted.templates or {}).items()
        }

    def message(self, event: CloudEvent) -> Message:
        """What is told of *event*."""
        how = severity.of(event["type"], payload.fields(event)).removesuffix(severity.INFERRED)
        title, body = self._of_type.get(payload.short_type(event), self._all)
        known = {"link": self._link.render(event), "severity": how}
        return Message(cut(title.render(event, **known), TITLE_CHARACTERS), body.render(event, **known), how)


class Service:
    """One place to notify."""

    def __init__(self, number: int, url: settings.Secret) -> None:
        self._apprise = apprise.Apprise()
        self._apprise.add(url.reveal())
        self.name = f"number {number} ({self._apprise[0].service_name})"

    def notify(self, message: Message) -> bool:
        """Whether the service took it. Waits for it, at most apprise's time-outs (4 s to connect, 4 s to answer)."""
        try:
            return bool(
                self._apprise.notify(
                    title=message.title,
                    body=message.body,
                    notify_type=COLOURS[message.severity],
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )
        except Exception as error:  # noqa: BLE001 - a hundred plugins, any of which may raise anything
            log.warning(
                "service failed", service=self.name, fault=type(error).__name__
            )  # its text may hold the address
            return False


@dataclass
class Sent:
    """How far one event has come."""

    admitted: bool = False
    """It is told by itself: a second try is not stopped by the limit."""
    services: set[Service] = field(default_factory=set)
    """Those that took it, or that are told of it by a digest."""


@dataclass
class Gathering:
    """Messages that wait to be told as one."""

    first: list[Message] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of each severity and kind of event."""
    due: datetime | None = None

    def add(self, message: Message, kind: str, due: datetime) -> None:
        """One more; the first of them says when it is *due*."""
        self.due = self.due or due
        self.counts[message.severity, kind] += 1
        if len(self.first) < DIGEST_LINES:
            self.first.append(message)


class Digest:
    """Gathers what exceeds the limit of a period, and what quiet hours keep back, and tells each as one message.

    It is gone with the process; `close` sends what is there.
    """

    def __init__(
        self,
        services: Sequence[Service],
        wanted: settings.NotifySettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._services = services
        self._wanted = wanted
        self._now = now
        self._told = 0
        self._period_ends: datetime | None = None
        self._storm, self._night = Gathering(), Gathering()
        self._unsent: list[tuple[Message, Service]] = []
        self._again: datetime | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._send_when_due, name="digest", daemon=True)
        self._thread.start()

    def takes(self, message: Message, kind: str) -> bool:
        """Whether *message*, of an event of *kind*, is told by a digest; else it may be told at once."""
        with self._changed:
            now, quiet = self._now(), self._wanted.quiet
            if quiet and quiet.contains(now) and RANKS[message.severity] < RANKS[self._wanted.quiet_severity]:
                self._night.add(message, kind, quiet.ends(now))
            else:
                if self._period_ends is None or now >= self._period_ends:
                    self._period_ends, self._told = now + timedelta(seconds=self._wanted.period_seconds), 0
                if self._told < self._wanted.limit:
                    self._told += 1
                    return False
                self._storm.add(message, kind, self._period_ends)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Send what is gathered, now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._lose(self._unsent)
        self._unsent = []

    def _send_when_due(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (left := self._seconds_left()) != 0:
                    self._changed.wait(left)
                closed = self._closed
                digests = self._take()
            waiting = [*self._unsent, *((each, service) for each in digests for service in self._services)]
            # A service that is down gets its digest a period later: nobody else would bring it again.
            unsent = [(message, service) for message, service in waiting if not service.notify(message)]
            self._lose(unsent[:-UNSENT_MOST])
            self._unsent = unsent[-UNSENT_MOST:]
            self._again = None
            if self._unsent:
                log.warning("digest not taken", services=[service.name for _, service in self._unsent])
                self._again = self._now() + timedelta(seconds=self._wanted.period_seconds)
            if closed:
                return

    def _lose(self, digests: Sequence[tuple[Message, Service]]) -> None:
        for message, service in digests:
            log.error("digest lost", service=service.name, title=message.title)

    def _seconds_left(self) -> float | None:
        """Until something is due; None without anything."""
        due = [each for each in (self._storm.due, self._night.due, self._again) if each]
        return max(0.0, (min(due) - self._now()).total_seconds()) if due else None

    def _take(self) -> list[Message]:
        """What is due, or everything when this is the end."""
        now, due = self._now(), []
        if self._storm.due and (self._closed or self._storm.due <= now):
            due.append(digest_of(self._storm))
            self._storm = Gathering()
        if self._night.due and (self._closed or self._night.due <= now):
            due.append(digest_of(self._night))
            self._night = Gathering()
        return due


def digest_of(gathering: Gathering) -> Message:
    """One message for many: how many of what, the worst first, and the first titles. One alone is told as it is."""
    total = gathering.counts.total()
    if total == 1:
        return gathering.first[0]
    counts = sorted(gathering.counts.items(), key=lambda each: (-RANKS[each[0][0]], -each[1], each[0][1]))
    title = cut(f"{total} events: {', '.join(f'{count} {kind}' for (_, kind), count in counts)}", TITLE_CHARACTERS)
    lines = [f"{count} {kind} ({how})" for (how, kind), count in counts]
    first = [f"- {message.title}" for message in gathering.first]
    rest = [f"… and {total - len(first)} more"] if total > len(first) else []
    worst = counts[0][0][0]
    return Message(title, "\n".join([f"{total} events", *lines, "", *first, *rest]), worst)


class Notify:
    """Notifies every service once of every event."""

    blueprint: Blueprint | None = None

    def __init__(
        self, services: Sequence[Service], templates: MessageTemplates, digest: Digest, wanted: settings.NotifySettings
    ) -> None:
        self._services = services
        self._templates = templates
        self._digest = digest
        self._condition = Condition("NOTIFY_IF", wanted.condition)
        self._least = RANKS[wanted.severity]
        self._sent = EventStates(wanted.dedup_size, Sent)

    def handle(self, event: CloudEvent) -> None:
        """Notify the services that do not know of *event*. Raises `TemporaryError` naming those that failed."""
        with self._sent.of(event) as sent:
            waiting = [service for service in self._services if service not in sent.services]
            if not waiting:
                log.info("notified before", id=event["id"])
                return
            if not self._condition.holds(event):
                log.info("NOTIFY_IF does not hold, nobody is notified", id=event["id"])
                return
            message = self._templates.message(event)
            if RANKS[message.severity] < self._least:
                log.info("not severe enough, nobody is notified", id=event["id"], severity=message.severity)
                return
            if not sent.admitted and self._digest.takes(message, payload.type_in_words(event)):
                sent.services.update(self._services)
                log.info("notified with others", id=event["id"])
                return
            sent.admitted = True
            sent.services.update(service for service in waiting if service.notify(message))
            failed = [service.name for service in waiting if service not in sent.services]
        if failed:
            raise TemporaryError(
                f"notify of event {event['id']}: {len(failed)} of {len(self._services)} services did not take it:"
                f" {', '.join(failed)} of NOTIFY_URLS; when the event comes again, only they are notified"
            )

    def close(self) -> None:
        """Send the digest that is waiting; requests under way finish by themselves."""
        self._digest.close()


def create(environ: Environ) -> Notify:
    """notify with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.NotifySettings, environ)
    services = [Service(number, url) for number, url in enumerate(wanted.urls, 1)]
    return Notify(services, MessageTemplates(wanted), Digest(services, wanted), wanted)
