"""Redriving: dead letters go back to the Broker."""

from collections.abc import Sequence
from datetime import datetime

import requests

from functions.deadletter.store import DeadLetter, DeadLetterStore
from pipeline.cloudevents import LENIENT, from_json, to_binary
from pipeline.errors import cut

BROKER_SECONDS = 10.0
"""Timeout of one request. The Broker accepts an event before it delivers it."""


def redrive(store: DeadLetterStore, selected: Sequence[DeadLetter], broker_url: str, now: datetime) -> dict[int, str]:
    """Send the events of the *selected* dead letters to the Broker, and record the results in the *store*.

    Return number → reason of those that the Broker did not accept. An event that failed at several subscribers is sent
    once, because the Broker delivers it to all of them.
    """
    failed: dict[int, str] = {}
    with requests.Session() as session:
        session.trust_env = False  # the Broker is in the cluster, so no proxy applies
        for dead_letters in _by_event(selected):
            reason = _send(session, store.event(dead_letters[0].number), broker_url)
            for dead_letter in dead_letters:
                if reason:
                    store.annotate(dead_letter, reason)
                    failed[dead_letter.number] = reason
                else:
                    store.mark_redriven(dead_letter, now)
    return failed


def _send(session: requests.Session, event: str | None, broker_url: str) -> str:
    """Send an *event* (structured JSON) to the Broker. Return the reason if it was not accepted, else ""."""
    if event is None:
        return "the dead letter no longer exists"
    headers, body = to_binary(from_json(event, LENIENT), percent_encoded=False)
    try:
        response = session.post(broker_url, data=body, headers=headers, timeout=BROKER_SECONDS)
    except requests.RequestException as error:
        return f"the Broker cannot be reached: {cut(str(error))}"
    if response.ok:
        return ""
    return f"the Broker returned {response.status_code}: {cut(response.text)}".removesuffix(": ")


def _by_event(dead_letters: Sequence[DeadLetter]) -> list[list[DeadLetter]]:
    """Group the dead letters by event, and keep their order."""
    groups: dict[tuple[str, str], list[DeadLetter]] = {}
    for dead_letter in dead_letters:
        groups.setdefault((dead_letter.source, dead_letter.id), []).append(dead_letter)
    return list(groups.values())
