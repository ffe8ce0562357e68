"""Sending one event over HTTP until it is acknowledged, dead-lettered or dropped, by the rules of `retry`."""

import asyncio
import base64
import dataclasses
import random
import time
from collections.abc import Callable, Mapping
from typing import Generic, Self, TypeVar

import aiohttp
import structlog

from delivery.retry import Action, DropLimit, Failure, RetryPolicy, is_acknowledged, parse_retry_after
from delivery.settings import SinkSettings
from pipeline import bounds, status_events
from pipeline.cloudevents import CloudEvent, to_binary
from pipeline.errors import cut

log = structlog.get_logger()

P = TypeVar("P")


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery(Generic[P]):
    """An event and its place in the history."""

    event: CloudEvent
    key: str
    """The event's entity. Events with the same key arrive in order."""
    position: P | None
    """The reader's position once this event and all before it are acknowledged. None if the event does not move it."""
    resent: bool = False
    """True if the sink acknowledged it before."""


@dataclasses.dataclass(frozen=True)
class Rejection:
    """An event that did not reach the sink."""

    id: str
    type: str
    reason: str


@dataclasses.dataclass
class Counts:
    """Events by outcome, since the process started."""

    sent: int = 0
    """Acknowledged by the sink."""
    retries: int = 0
    """Attempts after an event's first."""
    resent: int = 0
    """Sent again after an outage, though the sink had acknowledged them."""
    dead_lettered: int = 0
    """Acknowledged by the dead-letter sink."""
    dropped: int = 0
    """Rejected permanently while no dead-letter sink is set, and logged in full."""

    errors: int = 0
    """Unexpected errors, each logged with its traceback."""
    last_rejection: Rejection | None = None
    """The last event that did not reach the sink."""

    @property
    def rejected(self) -> int:
        """Events that did not reach the sink."""
        return self.dead_lettered + self.dropped


@dataclasses.dataclass(frozen=True)
class _GivenUp:
    action: Action
    failure: Failure


class Dispatcher:
    """The HTTP client of a sink and of its dead-letter sink. An asynchronous context manager."""

    def __init__(
        self,
        settings: SinkSettings,
        at_most_once: bool,
        counts: Counts,
        on_failure: Callable[[Failure, int, float], None],
    ) -> None:
        """Call *on_failure* after each failed attempt at the sink: its failure, its number, when it started."""
        self._settings = settings
        self._policy = RetryPolicy(
            settings.backoff_seconds,
            settings.max_backoff_seconds,
            settings.max_attempts,
            has_dead_letter_sink=settings.dead_letter_url is not None,
            at_most_once=at_most_once,
        )
        self._drop_limit = DropLimit()
        self._counts = counts
        self._on_failure = on_failure
        self._session: aiohttp.ClientSession
        self.failing = ""
        """The reason why the sink does not acknowledge events at the moment. Empty while it does."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.concurrency, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_seconds),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def deliver(self, event: CloudEvent) -> float | None:
        """Return once *event* is complete: the start (monotonic) of the acknowledged request, or None if it failed."""
        settings = self._settings
        outcome = await self._send_with_retry(settings.url, event, settings.overrides, self._policy)
        if not isinstance(outcome, _GivenUp):
            self._counts.sent += 1
            if not status_events.is_status_type(event["type"]):
                self._drop_limit.acknowledge()
            return outcome
        self._counts.last_rejection = Rejection(event["id"], event["type"], outcome.failure.reason)
        if outcome.action is Action.DEAD_LETTER and settings.dead_letter_url is not None:
            await self._dead_letter(settings.dead_letter_url, event, outcome.failure)
        else:
            self._drop(event, outcome.failure)
        return None

    async def _dead_letter(self, url: str, event: CloudEvent, failure: Failure) -> None:
        log.warning("Dead-lettering event %s: %s", event["id"], failure.reason, id=event["id"], type=event["type"])
        extensions = {
            **self._settings.overrides,
            "knativeerrordest": self._settings.url,
            "knativeerrorcode": str(failure.status or 500),
            "knativeerrordata": base64.b64encode(failure.body or failure.reason.encode()).decode(),
        }
        await self._send_with_retry(url, event, extensions, self._policy.for_dead_letters())
        self._counts.dead_lettered += 1

    def _drop(self, event: CloudEvent, failure: Failure) -> None:
        self._counts.dropped += 1
        log.error(
            "Dropping event %s: %s, and DEAD_LETTER_SINK is not set",
            event["id"],
            failure.reason,
            id=event["id"],
            type=event["type"],
            attributes=dict(event.attributes),
            data=event.data.decode("utf-8", "replace"),
        )

    async def _send_with_retry(
        self, url: str, event: CloudEvent, extensions: Mapping[str, str], policy: RetryPolicy
    ) -> float | _GivenUp:
        """Post *event* until it is acknowledged, by a request whose start is returned, or until *policy* gives up."""
        try:
            headers, body = to_binary(event.with_attributes(**extensions))
        except Exception as error:
            log.exception("Event %s cannot be sent", event["id"], id=event["id"])
            return _GivenUp(Action.DROP, Failure(f"encode the event: {type(error).__name__}: {cut(str(error))}"))
        attempt = 0
        while True:
            attempt += 1
            started = time.monotonic()
            failure = await self._post(url, headers, body)
            if failure is None:
                if self.failing and url == self._settings.url:
                    log.info("Sink acknowledges events again: %s", url)
                    self.failing = ""
                return started
            if url == self._settings.url:
                self._on_failure(failure, attempt, started)
            action = policy.next_action(failure, attempt)
            if not policy.at_most_once:
                action = self._drop_limit.next_action(action, failure)
            if action is not Action.RETRY:
                return _GivenUp(action, failure)
            if not self.failing:  # once an outage, not for every event
                log.warning("Retrying event %s: %s", event["id"], failure.reason, id=event["id"])
            self.failing = failure.reason
            self._counts.retries += 1
            await asyncio.sleep(policy.delay_seconds(failure, attempt, random.random()))  # noqa: S311 - no secret

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Failure | None:
        """Return None if the event was acknowledged."""
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if is_acknowledged(response.status):
                    await _discard(response)
                    return None
                data = await response.content.read(bounds.ERROR_RESPONSE_BYTES)
                return Failure(
                    f"POST {url} returned {response.status} {cut(data.decode('utf-8', 'replace'), 200)}".rstrip(),
                    response.status,
                    data,
                    parse_retry_after(response.headers.get("Retry-After", ""), time.time()),
                )
        except TimeoutError:
            timeout = self._settings.timeout_seconds
            return Failure(f"POST {url}: no response within {timeout:g} s", timed_out=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is retried and the reason is logged
            return Failure(f"POST {url}: {cut(str(error)) or type(error).__name__}")


async def _discard(response: aiohttp.ClientResponse) -> None:
    """Wait for the end of the body, which may still fail, or for its first `bounds.ACKNOWLEDGEMENT_BYTES`."""
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bounds.ACKNOWLEDGEMENT_BYTES:
            response.close()
            return
