"""The JSON form of a dead letter, which the API lists and a handover transfers.

It has the fields of `DeadLetter` in camel case: `first_failed` is `firstFailed`.
"""

import dataclasses
import json
import typing
from datetime import datetime
from typing import Any

from functions.deadletter.store import DeadLetter, State
from pipeline.cloudevents import LENIENT, NotACloudEvent, from_json
from pipeline.errors import cut

_TYPES = typing.get_type_hints(DeadLetter)
_TIMES = ("first_failed", "last_failed", "changed")


class InvalidDeadLetter(ValueError):
    """A document that does not describe a dead letter. The message gives the reason."""


def write(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return the document of *dead_letter*, without its event."""
    return {_JSON_NAMES[name]: value for name, value in dataclasses.asdict(dead_letter).items()}


def read(document: Any) -> tuple[DeadLetter, str]:
    """Return the dead letter of *document*, and its `event` as structured JSON. Raises `InvalidDeadLetter`."""
    if not isinstance(document, dict):
        raise InvalidDeadLetter("a dead letter is not a JSON object")
    values: dict[str, Any] = {name: document.get(_JSON_NAMES[name]) for name in _TYPES}
    invalid = [_JSON_NAMES[name] for name, value in values.items() if not isinstance(value, _TYPES[name])]
    if invalid:
        raise InvalidDeadLetter(f"fields of a dead letter are missing or have another type: {', '.join(invalid)}")
    dead_letter = DeadLetter(**values)
    if dead_letter.state not in list(State):
        raise InvalidDeadLetter(f"state is {dead_letter.state!r}, not one of {', '.join(State)}")
    structured = json.dumps(document.get("event"))
    try:
        for name in _TIMES:
            datetime.fromisoformat(values[name])
        event = from_json(structured, LENIENT)
    except (ValueError, NotACloudEvent) as error:
        raise InvalidDeadLetter(f"dead letter {dead_letter.number} cannot be read: {cut(str(error))}") from error
    if (event["source"], event["id"]) != (dead_letter.source, dead_letter.id):
        raise InvalidDeadLetter(f"dead letter {dead_letter.number} has another source or id than its event")
    return dead_letter, structured


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


_JSON_NAMES = {field.name: _camel_case(field.name) for field in dataclasses.fields(DeadLetter)}
