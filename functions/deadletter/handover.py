"""Handover: a pod that shuts down sends its dead letters to its successor.

A request is `{"from": sender, "deadLetters": [{…, "event": {…}}]}`: the documents that the API lists, each with its
event as structured JSON. Storing what was received does not belong here.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import requests
import structlog

from functions.deadletter import document
from functions.deadletter.store import DeadLetterStore, State
from pipeline.errors import cut

BATCH_BYTES = 1_000_000
"""Approximate size of one request. The launcher accepts twice that, and one event is at most that long."""

HANDOVER_SECONDS = 8.0
"""Limit for the whole handover. The process ends 10 s after the signal to stop."""

RETRY_SECONDS = 0.2
"""Pause between two attempts while the next pod starts."""

log = structlog.get_logger()


def hand_over(store: DeadLetterStore, url: str, sender: str, seconds: float = HANDOVER_SECONDS) -> None:
    """Send every dead letter of *store* to the deadletter function at *url*, waiting ones first, and log the result.

    The *store* keeps them.
    """
    deadline = time.monotonic() + seconds
    remaining = store.counts()
    if not any(remaining.values()):
        return
    reason = ""
    with requests.Session() as session:
        session.trust_env = False  # the next pod is in the cluster, so no proxy applies
        for state, batch in _batches(store):
            if time.monotonic() > deadline:
                reason = reason or f"not done in {seconds:.0f} s"
                break
            try:
                _post(session, url, {"from": sender, "deadLetters": batch}, deadline)
            except requests.RequestException as error:  # another batch may be accepted, or is rejected as fast
                reason = cut(str(error))
            else:
                remaining[state] -= len(batch)
    if reason:
        log.error("dead letters not handed over, only this pod has them", **remaining, to=url, reason=reason)
    else:
        log.info("dead letters handed over", to=url)


def _batches(store: DeadLetterStore) -> Iterator[tuple[State, list[dict[str, Any]]]]:
    """Yield all dead letters with their events in lists of about `BATCH_BYTES`: state by state, oldest first."""
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
        if batch and size + event_bytes > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append({**document.write(dead_letter), "event": json.loads(event)})
        size += event_bytes
    if batch:
        yield batch


def _post(session: requests.Session, url: str, body: dict[str, Any], deadline: float) -> None:
    """Send a request, and retry while no pod is ready. Raises `requests.RequestException` if *deadline* passes.

    If nothing listens at the address, it does not retry: no pod will start, as when there is only one process.
    """
    address = f"{url.rstrip('/')}/api/dead-letters/handover"
    data = json.dumps(body, ensure_ascii=False).encode()  # half the size of escaped text in other scripts
    headers = {"content-type": "application/json"}
    while True:
        timeout = max(RETRY_SECONDS, deadline - time.monotonic())
        response = session.post(address, data=data, headers=headers, timeout=timeout, allow_redirects=False)
        if response.status_code == 200:
            return
        if response.status_code < 500 or time.monotonic() + RETRY_SECONDS > deadline:
            raise requests.HTTPError(f"{response.status_code}: {response.text}")
        time.sleep(RETRY_SECONDS)
