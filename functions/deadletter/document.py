"""The JSON form of a dead letter, which the API lists and a handover transfers.

It has the fields of `DeadLetter` in camel case: `first_failed` is `firstFailed`.
"""

import dataclasses
import typing
from datetime import UTC, datetime
from typing import Any

from functions.deadletter.store import DeadLetter, State
from pipeline.cloudevents import LENIENT, NotACloudEvent, from_json
from pipeline.errors import cut

_TYPES = typing.get_type_hints(DeadLetter)
_MAXIMA = {"number": 2**63 - 1, "code": 999, "failures": 10**9, "redrives": 10**9}
"""The largest values that the store can hold and count up."""


class InvalidDeadLetter(ValueError):
    """A document that does not describe a dead letter. The message gives the reason."""


def write(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return the document of *dead_letter*, without its event."""
    return {_JSON_NAMES[name]: value for name, value in dataclasses.asdict(dead_letter).items()}


def read(document: Any, now: datetime) -> tuple[DeadLetter, str]:
    """Return the dead letter of *document*, and its `event` as structured JSON. Raises `InvalidDeadLetter`.

    Its times are at most *now* (UTC).
    """
    if not isinstance(document, dict):
        raise InvalidDeadLetter("a dead letter is not a JSON object")
    values: dict[str, Any] = {name: document.get(_JSON_NAMES[name]) for name in _TYPES}
    invalid = [_JSON_NAMES[name] for name, value in values.items() if not isinstance(value, _TYPES[name])]
    if invalid:
        raise InvalidDeadLetter(f"fields of a dead letter are missing or have another type: {', '.join(invalid)}")
    dead_letter = DeadLetter(**values)
    if dead_letter.state not in list(State):
        raise InvalidDeadLetter(f"state is {dead_letter.state!r}, not one of {', '.join(State)}")
    for name, maximum in _MAXIMA.items():
        if not 0 <= (values[name] or 0) <= maximum:
            raise InvalidDeadLetter(f"{_JSON_NAMES[name]} is {values[name]!r}, not from 0 to {maximum}")
    structured = document.get("event")
    if not isinstance(structured, str):
        raise InvalidDeadLetter("event is not text: an event in the JSON format of CloudEvents")
    try:
        dead_letter = _in_the_past(dead_letter, now)
        for value in (structured, *values.values()):
            str(value).encode()  # JSON can escape half of a surrogate pair, which SQLite cannot hold
        event = from_json(structured, LENIENT)
    except (ValueError, OverflowError, NotACloudEvent) as error:
        raise InvalidDeadLetter(f"dead letter {dead_letter.number} cannot be read: {cut(str(error))}") from error
    for name in ("source", "id", "type", "subject", "time"):
        if (event.get(name) or "") != values[name]:
            raise InvalidDeadLetter(f"dead letter {dead_letter.number} has another {name} than its event")
    return dead_letter, structured


def _in_the_past(dead_letter: DeadLetter, now: datetime) -> DeadLetter:
    """Return *dead_letter* with its times in UTC and not after *now*: a future one would never be too old."""
    first_failed, last_failed, changed = (
        min(datetime.fromisoformat(time).astimezone(UTC), now).isoformat(timespec="milliseconds")
        for time in (dead_letter.first_failed, dead_letter.last_failed, dead_letter.changed)
    )
    return dataclasses.replace(dead_letter, first_failed=first_failed, last_failed=last_failed, changed=changed)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


_JSON_NAMES = {field.name: _camel_case(field.name) for field in dataclasses.fields(DeadLetter)}
