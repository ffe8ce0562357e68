"""webhook: sends events to any HTTP API, in the words that it wants, signed if it likes.

The receiver's answer decides what the Broker does: what may pass (429, 5xx, no answer) is tried again, what will not (a
redirect, any other 4xx) is a dead letter. Each request carries the event's identity as `Idempotency-Key`, because a
receiver that was too slow has the event, and gets it again.
"""

import hashlib
import hmac

import requests
import structlog
from flask import Blueprint

from functions import Environ
from pipeline import settings
from pipeline.cloudevents import CloudEvent, to_json
from pipeline.deduplication import Deduplicator
from pipeline.errors import PermanentError, TemporaryError, cut
from pipeline.template import Condition, Template

RETRIED = frozenset({408, 425, 429})
"""What passes, besides 5xx: too slow, too early, too much. Knative tries 404 and 409 again, too, because its own pods
answer these while they start; from a receiver of ours they are final."""

log = structlog.get_logger()


class Webhook:
    """One receiver."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.WebhookSettings) -> None:
        self._wanted = wanted
        self._condition = Condition("WEBHOOK_IF", wanted.condition)
        self._body = Template("WEBHOOK_BODY", wanted.body, "{{ event }}")
        self._deduplicator: Deduplicator[None] = Deduplicator(wanted.dedup_size)

    def handle(self, event: CloudEvent) -> None:
        """Send *event*. Raises `TemporaryError` or `PermanentError` with the receiver's answer."""
        self._deduplicator.handle_once(event, self._send)

    def _send(self, event: CloudEvent) -> None:
        if not self._condition.holds(event):
            log.info("WEBHOOK_IF does not hold, not sent", id=event["id"])
            return
        body = self._body.render(event, event=to_json(event).decode()).encode()
        what = f"send event {event['id']} to the webhook"  # its address may hold a token
        try:
            answer = requests.request(
                self._wanted.method,
                self._wanted.url.reveal(),
                data=body,
                headers=self._headers(event, body),
                timeout=self._wanted.timeout_seconds,
                verify=self._wanted.ca_bundle or True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise TemporaryError(f"{what}: {type(error).__name__}") from error
        said = f"{what}: {answer.status_code} {cut(answer.text)}"
        if answer.status_code >= 500 or answer.status_code in RETRIED:
            raise TemporaryError(said)
        if not 200 <= answer.status_code < 300:
            raise PermanentError(f"{said}; mend WEBHOOK_URL, WEBHOOK_HEADERS or WEBHOOK_BODY, and redrive it")
        log.info("webhook called", id=event["id"], status=answer.status_code)

    def _headers(self, event: CloudEvent, body: bytes) -> dict[str, str]:
        found = {
            "Content-Type": self._wanted.content_type,
            "Idempotency-Key": hashlib.sha256(f"{event['source']}\0{event['id']}".encode()).hexdigest(),
            **{name: value.reveal() for name, value in self._wanted.headers.items()},
        }
        if self._wanted.key is not None:
            signature = hmac.new(self._wanted.key.reveal().encode(), body, hashlib.sha256).hexdigest()
            found[self._wanted.signature_header] = f"sha256={signature}"
        return found

    def close(self) -> None:
        """Nothing to release: every request has a connection of its own."""


def create(environ: Environ) -> Webhook:
    """webhook with the settings in *environ*. Raises `SettingsError` with every fault."""
    return Webhook(settings.read(settings.WebhookSettings, environ))
