"""Redriving: dead letters go back to the Broker."""

import time
from collections.abc import Sequence
from datetime import datetime

import structlog

from functions.deadletter.store import DeadLetter, DeadLetterStore
from pipeline.cloudevents import LENIENT, CloudEvent, HTTPMessage, from_json, to_binary, to_structured
from pipeline.errors import cut
from pipeline.http_client import HTTPClient, NoResponse

BROKER_SECONDS = 10.0
"""Timeout of one request. The Broker accepts an event before it delivers it."""

MAX_BROKER_FAILURES = 3
"""After so many failures in a row that are the Broker's, not an event's, the rest is not tried."""

REDRIVE_SECONDS = 60.0
"""After this time, the rest is not tried. The display waits up to 90 s for the result."""

NOT_TRIED = "not tried: the Broker failed, or the redrive took too long"

_HEADER_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

log = structlog.get_logger()


class BrokerFailed(Exception):
    """The Broker did not accept an event for a reason that every other event would meet as well."""


class EventRejected(Exception):
    """The Broker, or this function, cannot accept this event. Others are not affected."""


def redrive(store: DeadLetterStore, selected: Sequence[DeadLetter], broker_url: str, now: datetime) -> dict[int, str]:
    """Send the events of the *selected* dead letters to the Broker, and record the results in the *store*.

    Return number → reason of those that the Broker did not accept. An event that failed at several subscribers is sent
    once, because the Broker delivers it to all of them. When the Broker has failed `MAX_BROKER_FAILURES` times in a
    row, the others stay as they are.
    """
    failed: dict[int, str] = {}
    failures_in_row = 0
    deadline = time.monotonic() + REDRIVE_SECONDS
    with HTTPClient() as client:
        for dead_letters in _by_event(selected):
            numbers = [dead_letter.number for dead_letter in dead_letters]
            if failures_in_row >= MAX_BROKER_FAILURES or time.monotonic() > deadline:
                failed |= dict.fromkeys(numbers, NOT_TRIED)
                continue
            reason, is_brokers = _attempt(client, store, numbers[0], broker_url)
            failures_in_row = failures_in_row + 1 if is_brokers else 0
            for dead_letter in dead_letters:
                if reason:
                    store.annotate(dead_letter, reason)
                    failed[dead_letter.number] = reason
                else:
                    store.mark_redriven(dead_letter, now)
    return failed


def _attempt(client: HTTPClient, store: DeadLetterStore, number: int, broker_url: str) -> tuple[str, bool]:
    """Send one event. Return the reason if it was not accepted, else "", and whether the failure is the Broker's."""
    try:
        _send(client, store.event(number), broker_url)
    except BrokerFailed as error:
        return str(error), True
    except EventRejected as error:
        return str(error), False
    except Exception as error:
        log.exception("Event not redriven: internal error", number=number)
        return f"internal error: {type(error).__name__}", False
    return "", False


def _send(client: HTTPClient, structured: str | None, broker_url: str) -> None:
    """Send an event (structured JSON) to the Broker. Raises `BrokerFailed` or `EventRejected` with the reason."""
    if structured is None:
        raise EventRejected("the dead letter no longer exists")
    message = to_message(from_json(structured, LENIENT))
    try:
        response = client.send("POST", broker_url, message.headers, message.body, seconds=BROKER_SECONDS)
    except NoResponse as error:
        raise BrokerFailed(f"the Broker cannot be reached: {cut(str(error))}") from error
    if response.is_success:
        return
    reason = f"the Broker returned {response.status}: {response.text}".removesuffix(": ")
    if response.status in (400, 413, 415, 422):
        raise EventRejected(reason)
    raise BrokerFailed(reason)  # also a redirect, which a gateway in the Broker's place sends


def to_message(event: CloudEvent) -> HTTPMessage:
    """Return *event* in binary mode, in which it came, or in structured mode if headers cannot hold its attributes."""
    fits = all(
        _HEADER_NAME.issuperset(name) and value.isprintable() and value == value.strip()
        for name, value in event.attributes.items()
    )
    return to_binary(event, percent_encoded=False) if fits else to_structured(event)


def _by_event(dead_letters: Sequence[DeadLetter]) -> list[list[DeadLetter]]:
    """Group the dead letters by event, and keep their order."""
    groups: dict[tuple[str, str], list[DeadLetter]] = {}
    for dead_letter in dead_letters:
        groups.setdefault((dead_letter.source, dead_letter.id), []).append(dead_letter)
    return list(groups.values())
