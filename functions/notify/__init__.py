"""notify: notify people of events through any service that apprise supports (Slack, Teams, ntfy, e-mail and others).

The Trigger selects the events. The text comes from Jinja2 templates, which may differ by event type. Each service gets
each event once, although Knative delivers at least once. Events over the limit of a period, or in quiet hours, are
collected and sent as one digest.

`message.py` renders events, `service.py` calls apprise, `digest.py` collects. This package must not choose events by
type, which is a Trigger's task.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from functions.notify import responses
from functions.notify.digest import Digest
from functions.notify.message import RANKS, MessageTemplates, severity_of
from functions.notify.service import Service
from functions.notify.settings import Settings
from pipeline import payload
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import EventStates
from pipeline.errors import TemporaryError
from pipeline.reaction import ReactionFunction, Skipped
from pipeline.settings import Environ, read
from pipeline.template import Condition

log = structlog.get_logger()


@dataclass
class Progress:
    """The progress of one event, which a redelivery continues."""

    counted: bool = False
    """The event counts against the limit already, so a redelivery is not stopped by the limit."""
    notified: set[Service] = field(default_factory=set)
    """The services that accepted the message, or that get it in a digest."""


class NotifyReaction:
    """Notifies every service once of every event."""

    def __init__(self, services: Sequence[Service], templates: MessageTemplates, digest: Digest, settings: Settings):
        self._services = services
        self._templates = templates
        self._digest = digest
        self._condition = Condition("NOTIFY_IF", settings.condition)
        self._min_rank = RANKS[settings.severity]
        self._progress = EventStates(settings.dedup_size, Progress)

    def react(self, event: CloudEvent) -> None:
        """Notify the services that have not got *event* yet. Raises `TemporaryError` with those that failed."""
        if not self._condition.holds(event):
            raise Skipped("NOTIFY_IF is false")
        severity = severity_of(event)
        if RANKS[severity] < self._min_rank:
            raise Skipped(f"severity {severity} is below NOTIFY_SEVERITY")
        message = self._templates.render(event, severity)
        with self._progress.of(event) as progress:
            remaining = [service for service in self._services if service not in progress.notified]
            if not progress.counted and self._digest.collect(message, payload.type_in_words(event)):
                log.info("event added to the digest", id=event["id"])
                return
            progress.counted = True
            progress.notified.update(service for service in remaining if service.notify(message))
            failed = [service.name for service in remaining if service not in progress.notified]
        if failed:
            raise TemporaryError(
                f"notify of event {event['id']}: {len(failed)} of {len(self._services)} services in NOTIFY_URLS failed:"
                f" {', '.join(failed)} (a retry notifies only these)"
            )
        log.info("services notified", id=event["id"], services=len(remaining))

    def close(self) -> None:
        """Send the digest that is pending."""
        self._digest.close()


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    responses.bound()
    services = [Service(number, url) for number, url in enumerate(settings.urls, 1)]
    reaction = NotifyReaction(services, MessageTemplates(settings), Digest(services, settings), settings)
    return ReactionFunction(reaction, settings.dedup_size)
