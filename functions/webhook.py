"""webhook: send events to any HTTP API, with a body from a template, and optionally signed.

The receiver's response decides what the Broker does. It retries temporary failures (408, 425, 429, 5xx, no response).
Other failures (a redirect, any other 4xx) are permanent and become dead letters. Each request has the event's identity
as its `Idempotency-Key`, because a slow receiver may have processed an event that is sent again.
"""

import dataclasses
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import structlog

from pipeline.cloudevents import CloudEvent, to_json
from pipeline.errors import PermanentError, TemporaryError
from pipeline.http_client import HTTPClient, NoResponse
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting
from pipeline.settings import Environ, Secret, duration, existing_file, one_of, read, setting, text
from pipeline.settings.templates import condition_setting, jinja_template
from pipeline.template import Condition, Template

RETRIED_STATUSES = frozenset({408, 425, 429})
"""Retried in addition to 5xx. Knative also retries 404 and 409, which its own pods answer while they start. From a
receiver these are permanent."""

log = structlog.get_logger()


def secret_http_url(value: str) -> Secret:
    """Parse an absolute http or https URL that may contain a token, and is therefore secret as a whole."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    return Secret(value)


def http_headers(value: str) -> Mapping[str, Secret]:
    """Parse header name → value, as JSON. The values may be credentials."""
    expected = "is not JSON of the form {name: value}"
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise ValueError(expected) from error
    if not isinstance(parsed, dict) or not all(isinstance(header, str) for header in parsed.values()):
        raise ValueError(expected)
    token = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
    invalid = [name for name, header in parsed.items() if not token.fullmatch(name) or not header.isprintable()]
    if invalid:
        raise ValueError(f"has {', '.join(map(repr, invalid))}, which cannot be sent as headers")
    return MappingProxyType({name: Secret(header) for name, header in parsed.items()})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The receiver and the request."""

    url: Secret = setting(
        "WEBHOOK_URL", secret_http_url, "URL of the receiver.", example="https://hooks.example/T012/B345"
    )
    condition: str | None = condition_setting("WEBHOOK_IF")
    method: str = setting(
        "WEBHOOK_METHOD", one_of("POST", "PUT", "PATCH", "DELETE"), "HTTP method.", example="PUT", default="POST"
    )
    headers: Mapping[str, Secret] = setting(
        "WEBHOOK_HEADERS",
        http_headers,
        "JSON object of headers to add.",
        example='{"Authorization": "Bearer …"}',
        default="{}",
    )
    content_type: str = setting(
        "WEBHOOK_CONTENT_TYPE",
        text,
        "Content type of the body.",
        example="text/plain",
        default="application/json",
    )
    body: str | None = setting(
        "WEBHOOK_BODY",
        jinja_template,
        "Jinja2 template of the body. `event` is the whole event in the JSON format of CloudEvents.",
        example='{"text": {{ message | tojson }}}',
        default=None,
        unset="the whole event",
    )
    key: Secret | None = setting(
        "WEBHOOK_KEY",
        Secret,
        "Key that signs the body (HMAC with SHA-256).",
        example="'…'",
        default=None,
        unset="no signature",
    )
    signature_header: str = setting(
        "WEBHOOK_SIGNATURE_HEADER",
        text,
        "Header of the signature. Its value is `sha256=HEX`, as GitHub sends it.",
        example="X-Signature",
        default="X-Hub-Signature-256",
    )
    ca_bundle: str | None = setting(
        "WEBHOOK_CA_BUNDLE",
        existing_file,
        "PEM file of the authorities that signed the receiver's certificate.",
        example="/etc/webhook/ca.pem",
        default=None,
        unset="public authorities",
    )
    timeout_seconds: float = setting(
        "WEBHOOK_TIMEOUT", duration, "Maximum time for the whole response.", example="30s", default="10s"
    )
    dedup_size: int = dedup_size_setting("WEBHOOK_DEDUP_SIZE")


class WebhookReaction:
    """Sends events to one receiver."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._condition = Condition("WEBHOOK_IF", settings.condition)
        self._body = Template("WEBHOOK_BODY", settings.body, "{{ event }}")

    def react(self, event: CloudEvent) -> None:
        """Send *event*. Raises `TemporaryError` or `PermanentError` with the receiver's response."""
        if not self._condition.holds(event):
            raise Skipped("WEBHOOK_IF is false")
        body = self._body.render(event, event=to_json(event).decode()).encode()
        attempted = f"send event {event['id']} to the webhook"  # without its URL, which may contain a token
        settings = self._settings
        try:
            with HTTPClient(ca_bundle=settings.ca_bundle, uses_proxies=True) as client:
                response = client.send(
                    settings.method,
                    settings.url.reveal(),
                    self._headers(event, body),
                    body,
                    seconds=settings.timeout_seconds,
                )
        except NoResponse as error:
            raise TemporaryError(f"{attempted}: {error.reason}") from error
        result = f"{attempted}: {response.status} {response.text}"
        if response.status >= 500 or response.status in RETRIED_STATUSES:
            raise TemporaryError(result)
        if not response.is_success:
            raise PermanentError(f"{result} (correct WEBHOOK_URL, WEBHOOK_HEADERS or WEBHOOK_BODY, then redrive it)")
        log.info("webhook called", id=event["id"], status=response.status)

    def _headers(self, event: CloudEvent, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": self._settings.content_type,
            "Idempotency-Key": hashlib.sha256(f"{event['source']}\0{event['id']}".encode()).hexdigest(),
            **{name: value.reveal() for name, value in self._settings.headers.items()},
        }
        if self._settings.key is not None:
            signature = hmac.new(self._settings.key.reveal().encode(), body, hashlib.sha256).hexdigest()
            headers[self._settings.signature_header] = f"sha256={signature}"
        return headers


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    return ReactionFunction(WebhookReaction(settings), settings.dedup_size)
