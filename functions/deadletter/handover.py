"""Handover: a pod that shuts down sends its dead letters to its successor.

A request is `{"from": sender, "deadLetters": [{…, "event": "{…}"}]}`: the documents that the API lists, each with its
event as structured JSON in a string, so that no number in it is written in another way. It has the bearer token that
both pods have from one Secret. Storing what was received does not belong here.
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import structlog

from functions.deadletter import document
from functions.deadletter.store import DeadLetterStore, State
from pipeline import bounds
from pipeline.errors import cut
from pipeline.http_client import HTTPClient, NoResponse, Response
from pipeline.settings import Secret

HANDOVER_SECONDS = 8.0
"""Limit for the whole handover. The process ends 10 s after the signal to stop."""

RETRY_SECONDS = 0.2
"""Pause between two attempts while the next pod starts."""

log = structlog.get_logger()


class HandoverFailed(Exception):
    """The next pod did not accept dead letters. The message gives the reason."""


@dataclasses.dataclass(frozen=True)
class Successor:
    """The address of the next pod, and the token that it expects. Without a token it accepts nothing."""

    url: str
    token: Secret | None


def hand_over(store: DeadLetterStore, to: Successor, sender: str, seconds: float = HANDOVER_SECONDS) -> None:
    """Send every dead letter of *store* to the next pod, waiting ones first, and log the result.

    The *store* keeps them.
    """
    deadline = time.monotonic() + seconds
    remaining = store.counts()
    if not any(remaining.values()):
        return
    reason = "" if to.token is not None else "DEADLETTER_TOKEN is not set"
    if to.token is not None:
        with HTTPClient() as client:
            for state, batch in _batches(store):
                if time.monotonic() > deadline:
                    reason = reason or f"not done in {seconds:.0f} s"
                    break
                try:
                    accepted = _post(client, to, {"from": sender, "deadLetters": batch}, deadline)
                except HandoverFailed as error:  # another batch may be accepted, or is rejected as fast
                    reason = str(error)
                else:
                    remaining[state] -= accepted
                    if accepted < len(batch):
                        reason = "the next pod has no room"
    if reason:
        log.error("dead letters not handed over, only this pod has them", **remaining, to=to.url, reason=reason)
    else:
        log.info("dead letters handed over", to=to.url)


def _batches(store: DeadLetterStore) -> Iterator[tuple[State, list[dict[str, Any]]]]:
    """Yield all dead letters with their events in lists of about `HANDOVER_BYTES`: state by state, oldest first."""
    for state in State:
        for batch in _batches_of(store, state):
            yield state, batch


def _batches_of(store: DeadLetterStore, state: State) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for dead_letter in reversed(store.select(state=state)):
        event = store.event(dead_letter.number)
        if event is None:
            continue
        event_bytes = len(event.encode())
        if batch and size + event_bytes > bounds.HANDOVER_BYTES:
            yield batch
            batch, size = [], 0
        batch.append({**document.write(dead_letter), "event": event})
        size += event_bytes
    if batch:
        yield batch


def _post(client: HTTPClient, to: Successor, body: dict[str, Any], deadline: float) -> int:
    """Send a request, and retry while no pod is ready. Return the number of accepted dead letters.

    Raises `HandoverFailed` if *deadline* passes. If nothing listens at the address, it does not retry: no pod will
    start, as when there is only one process.
    """
    address = f"{to.url.rstrip('/')}/api/dead-letters/handover"
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")  # half the size of escaped text
    headers = {"content-type": "application/json"}
    if to.token is not None:
        headers["authorization"] = f"Bearer {to.token.reveal()}"
    while True:
        timeout = max(RETRY_SECONDS, deadline - time.monotonic())
        try:
            response = client.send("POST", address, headers, data, seconds=timeout)
        except NoResponse as error:
            raise HandoverFailed(cut(str(error))) from error
        if response.status == 200:
            return _accepted(response)
        if response.status < 500 or time.monotonic() + RETRY_SECONDS > deadline:
            raise HandoverFailed(f"{response.status}: {response.text}")
        time.sleep(RETRY_SECONDS)


def _accepted(response: Response) -> int:
    """Return the number in a response of the deadletter function. Raises `HandoverFailed` if it is another server's."""
    try:
        return int(json.loads(response.body)["accepted"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HandoverFailed(f"the response is not a deadletter function's: {response.text}") from error
