"""Handing the letters over: a pod that ends gives them to the one that comes after it.

What goes over the wire is `{"from": sender, "letters": [{…, "event": {…}}]}`: letters as the API lists them, each with
its event as structured JSON. What never belongs here: keeping letters.
"""

import dataclasses
import json
import time
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests
import structlog

from functions.deadletter.letters import Letter, Letters, State
from pipeline.cloudevents import LENIENT, from_json
from pipeline.errors import cut

BATCH_BYTES = 1_000_000
"""About as much a request; the launcher takes twice that, and one event is at most that long."""

SECONDS = 8.0
"""All of it may take so long: the process ends 10 s after it was told to."""

PAUSE_SECONDS = 0.2
"""Between two tries, while the next pod is starting."""

_TYPES = typing.get_type_hints(Letter)
_TIMES = ("first_failed", "last_failed", "changed")

log = structlog.get_logger()


class NotALetter(ValueError):
    """What was handed over cannot be read; the message says why."""


def described(letter: Letter) -> dict[str, Any]:
    """A letter as the API names it: camel case, as the rest of what Kubernetes people read."""
    return {_key(name): value for name, value in dataclasses.asdict(letter).items()}


def read(record: Any) -> tuple[Letter, str]:
    """A letter and its event's document, from what `described` made and an `event`. Raises `NotALetter`."""
    if not isinstance(record, dict):
        raise NotALetter("a letter is not a JSON object")
    values: dict[str, Any] = {name: record.get(_key(name)) for name in _TYPES}
    wrong = [_key(name) for name, value in values.items() if not isinstance(value, _TYPES[name])]
    if wrong:
        raise NotALetter(f"not as a letter has it: {', '.join(wrong)}")
    letter = Letter(**values)
    if letter.state not in list(State):
        raise NotALetter(f"state is {letter.state!r}, not one of {', '.join(State)}")
    document = json.dumps(record.get("event"))
    try:
        for name in _TIMES:
            datetime.fromisoformat(values[name])
        event = from_json(document, LENIENT)
    except Exception as error:  # the SDK's errors have no common base
        raise NotALetter(f"letter {letter.number} cannot be read: {cut(str(error))}") from error
    if (event["source"], event["id"]) != (letter.source, letter.id):
        raise NotALetter(f"letter {letter.number} has another event's source or id")
    return letter, document


def hand_over(letters: Letters, url: str, sender: str, seconds: float = SECONDS) -> None:
    """Give all *letters* to the deadletter at *url*, the waiting ones first, and log how that went; none is deleted."""
    deadline = time.monotonic() + seconds
    left = letters.counts()
    if not any(left.values()):
        return
    reason = ""
    with requests.Session() as session:
        session.trust_env = False  # it is in the cluster: no proxy is for it
        for state, batch in ((each, batch) for each in State for batch in _batches(letters, each)):
            if time.monotonic() > deadline:
                reason = reason or f"not done in {seconds:.0f} s"
                break
            try:
                _post(session, url, {"from": sender, "letters": batch}, deadline)
            except requests.RequestException as error:  # another batch may be taken, or is refused as fast
                reason = cut(str(error))
            else:
                left[state] -= len(batch)
    if reason:
        log.error("dead letters not handed over, they are only in this pod", **left, to=url, reason=reason)
    else:
        log.info("dead letters handed over", to=url)


def _batches(letters: Letters, state: State) -> Iterator[list[dict[str, Any]]]:
    """The letters of a *state* with their events, oldest first, in requests of about `BATCH_BYTES`."""
    batch: list[dict[str, Any]] = []
    size = 0
    for letter in reversed(letters.find(state=state)):
        document = letters.document(letter.number)
        if document is None:
            continue
        document_bytes = len(document.encode())
        if batch and size + document_bytes > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append({**described(letter), "event": json.loads(document)})
        size += document_bytes
    if batch:
        yield batch


def _post(session: requests.Session, url: str, body: dict[str, Any], deadline: float) -> None:
    """Send a request, again while no pod is ready. Raises `requests.RequestException` if it is not taken by *deadline*.

    Where nobody listens at all there is no pod to wait for, as when one process is all there is.
    """
    address = f"{url.rstrip('/')}/api/letters/handover"
    sent = json.dumps(body, ensure_ascii=False).encode()  # half the size, for what is not English
    headers = {"content-type": "application/json"}
    while True:
        left = max(PAUSE_SECONDS, deadline - time.monotonic())
        answer = session.post(address, data=sent, headers=headers, timeout=left, allow_redirects=False)
        if answer.status_code == 200:
            return
        if answer.status_code < 500 or time.monotonic() + PAUSE_SECONDS > deadline:
            raise requests.HTTPError(f"{answer.status_code}: {answer.text}")
        time.sleep(PAUSE_SECONDS)


def _key(name: str) -> str:
    """What the API calls a field of `Letter`."""
    if name == "number":
        return "letter"
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
