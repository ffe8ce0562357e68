"""notify: tells people of an event through any service that apprise knows (Slack, Teams, ntfy, e-mail, over a hundred).

Which events it is told of, its Trigger says; the words are two Jinja2 templates. Knative delivers at least once, so it
remembers what it sent: an event that comes again is answered without notifying twice, service by service.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apprise
import structlog
from cloudevents.http import CloudEvent
from flask import Blueprint
from jinja2 import ChainableUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from functions import Environ
from pipeline import payload, settings
from pipeline.errors import TemporaryError, cut

DEFAULT_TITLE = "{{ title }}"

DEFAULT_BODY = """\
{{ message }}

{% if user %}User: {{ user }}
{% endif %}Time: {{ time }}
Source: {{ source }}
Event: {{ id }} ({{ type }})"""

TITLE_CHARACTERS = 200

log = structlog.get_logger()


class Words:
    """Title and body of a notification, by templates; the defaults step in for one that fails."""

    def __init__(self, title: str | None, body: str | None) -> None:
        # Chainable: `data.Vm.Name` of an event without a VM is empty, not a fault.
        environment = SandboxedEnvironment(undefined=ChainableUndefined, autoescape=False)
        default_title, default_body = environment.from_string(DEFAULT_TITLE), environment.from_string(DEFAULT_BODY)
        self._title = (environment.from_string(title) if title else default_title, default_title)
        self._body = (environment.from_string(body) if body else default_body, default_body)

    def of(self, event: CloudEvent) -> tuple[str, str]:
        """(title, body): the title one line, the body never empty."""
        known = context(event)
        title = _rendered("NOTIFY_TITLE", self._title, known)
        return cut(title, TITLE_CHARACTERS), _rendered("NOTIFY_BODY", self._body, known)


def context(event: CloudEvent) -> dict[str, Any]:
    """What a template may use: every attribute by its name, `data` (the payload, PascalCase, also when it came as XML),
    and `message`, `title`, `target` and `user` as read from it."""
    return {
        **{name: value for name, value in event.get_attributes().items() if value is not None},
        "data": payload.fields(event),
        "message": payload.message(event),
        "title": payload.title(event),
        "target": payload.target(event),
        "user": payload.user(event),
    }


def _rendered(setting: str, templates: tuple[Template, Template], known: Mapping[str, Any]) -> str:
    chosen, default = templates
    try:
        text = chosen.render(known).strip()
    except Exception as error:  # noqa: BLE001 - a template is the user's program: it may raise anything
        log.warning("template failed, the default is used", setting=setting, id=known["id"], fault=cut(repr(error)))
        text = ""
    return text or default.render(known).strip()


class Service:
    """One place to notify."""

    def __init__(self, number: int, url: settings.Secret) -> None:
        self._apprise = apprise.Apprise()
        self._apprise.add(url.reveal())
        self.name = f"number {number} ({self._apprise[0].service_name})"

    def notify(self, title: str, body: str) -> bool:
        """Whether the service took it. Waits for it, at most apprise's time-outs (4 s to connect, 4 s to answer)."""
        return bool(self._apprise.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT))


@dataclass
class Sent:
    """Where one event was notified. Who notifies it holds the lock: a duplicate waits, and then finds it done."""

    services: set[Service] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Notify:
    """Notifies every service once of every event."""

    blueprint: Blueprint | None = None

    def __init__(self, services: Sequence[Service], words: Words, remembered: int) -> None:
        self._services = services
        self._words = words
        self._remembered = remembered
        self._sent: OrderedDict[tuple[str, str], Sent] = OrderedDict()
        self._lock = threading.Lock()

    def handle(self, event: CloudEvent) -> None:
        """Notify the services that do not know of *event*. Raises `TemporaryError` naming those that failed."""
        sent = self._recall((event["source"], event["id"]))
        with sent.lock:
            waiting = [service for service in self._services if service not in sent.services]
            if not waiting:
                log.info("notified before", id=event["id"])
                return
            title, body = self._words.of(event)
            sent.services.update(service for service in waiting if service.notify(title, body))
            failed = [service.name for service in waiting if service not in sent.services]
        if failed:
            raise TemporaryError(
                f"notify of event {event['id']}: {len(failed)} of {len(self._services)} services did not take it:"
                f" {', '.join(failed)} of NOTIFY_URLS; when the event comes again, only they are notified"
            )

    def _recall(self, key: tuple[str, str]) -> Sent:
        with self._lock:
            sent = self._sent.setdefault(key, Sent())
            self._sent.move_to_end(key)
            while len(self._sent) > self._remembered:
                self._sent.popitem(last=False)
            return sent

    def close(self) -> None:
        """Nothing to release: requests under way finish by themselves."""


def create(environ: Environ) -> Notify:
    """notify with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.NotifySettings, environ)
    services = [Service(number, url) for number, url in enumerate(wanted.urls, 1)]
    return Notify(services, Words(wanted.title, wanted.body), wanted.remembered)
