"""The JSON format of CloudEvents: one event as an object, several as a list of objects.

The data of an event stay as they are written: they are cut out of the document, not parsed and printed again.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from pipeline.cloudevents import json_text
from pipeline.cloudevents.event import CloudEvent, is_json
from pipeline.cloudevents.rules import NotACloudEvent, Rules, kind_of

Members = dict[str, tuple[Any, str]]
"""The members of an object: name → (value, the same as it is written, with the white space before it)."""


def to_json(event: CloudEvent) -> bytes:
    """Return *event* as a JSON object in UTF-8.

    JSON data are embedded as they are, without the white space around them. Other data become a string if they are
    UTF-8. The rest is base64, and so is JSON's `null`, which would be no data.
    """
    document = json.dumps(dict(event.attributes), ensure_ascii=False).encode("utf-8", "replace")
    if not event.data:
        return document
    return document[:-1] + (b", " if event.attributes else b"") + _data_member(event) + b"}"


def _data_member(event: CloudEvent) -> bytes:
    try:
        text = event.data.decode()
        if not is_json(event.get("datacontenttype")):
            return b'"data": ' + json.dumps(text, ensure_ascii=False).encode()
        if json_text.loads(text, _reject) is not None:
            return b'"data": ' + text.strip().encode()
    except (ValueError, RecursionError):
        pass
    return b'"data_base64": "' + base64.b64encode(event.data) + b'"'


def _reject(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def from_json(document: bytes | str, rules: Rules) -> CloudEvent:
    """Return the event that a JSON object holds. Raises `NotACloudEvent` with every problem."""
    return _event(_parsed(document), rules)


def from_json_batch(document: bytes | str, rules: Rules) -> list[CloudEvent]:
    """Return the events that a JSON list holds, in order. Raises `NotACloudEvent` with every problem of each."""
    items = _parsed(document)
    if not isinstance(items, list):
        raise NotACloudEvent([f"the body is {_described(items)}, and a batch is a list"])
    events, problems = [], []
    for number, item in enumerate(items, 1):
        try:
            events.append(_event(item, rules))
        except NotACloudEvent as error:
            problems += [f"event {number} of {len(items)}: {problem}" for problem in error.problems]
    if problems:
        raise NotACloudEvent(problems)
    return events


def join(documents: Iterable[bytes]) -> bytes:
    """Return the JSON list of *documents*, which are JSON themselves."""
    return b"[" + b", ".join(documents) + b"]"


def _event(item: Any, rules: Rules) -> CloudEvent:
    if not isinstance(item, _Object):
        raise NotACloudEvent([f"the body is {_described(item)}, and an event is an object"])
    members = dict(item.members)
    plain, written = members.pop("data", (None, ""))
    encoded, _ = members.pop("data_base64", (None, ""))
    problems: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    data = b""
    try:
        attributes = rules.check({name: value for name, (value, _) in members.items() if value is not None})
    except NotACloudEvent as error:
        problems = error.problems
    if encoded is not None:
        try:
            data = base64.b64decode(str(encoded), validate=True)
        except ValueError as error:
            problems += (f"data_base64 is not base64: {error}",)
    elif isinstance(plain, str) and not is_json(attributes.get("datacontenttype")):
        data = plain.encode("utf-8", "replace")
    elif plain is not None:
        data = (written if rules.keeps_space else written.strip()).encode("utf-8", "replace")
    if problems:
        raise NotACloudEvent(problems)
    return CloudEvent(attributes, data)


def _described(item: Any) -> str:
    return "an object" if isinstance(item, _Object) else kind_of(item)


# ── a scanner for the outermost objects and lists, which keeps what is written ──


class _Object:
    __slots__ = ("members",)

    def __init__(self, members: Members) -> None:
        self.members = members


_SPACE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_SEPARATOR = re.compile(r"[ \t\n\r]*([,}\]])[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def _parsed(document: bytes | str) -> Any:
    """An `_Object`, a list of those and of other values, or another value."""
    try:
        json_text.check_values(document)
        text = document if isinstance(document, str) else document.decode("utf-8-sig")
        start = _after_space(text, 0)
        value, end = _items(text, start + 1) if text.startswith("[", start) else _value(text, start)
        end = _after_space(text, end)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (ValueError, RecursionError) as error:
        raise NotACloudEvent([f"the body is not JSON that can be read: {error}"]) from error
    return value


def _value(text: str, start: int) -> tuple[Any, int]:
    return _object(text, start + 1) if text.startswith("{", start) else _DECODER.raw_decode(text, start)


def _items(text: str, position: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    position = _after_space(text, position)
    more = not text.startswith("]", position)
    if not more:
        position += 1
    while more:
        item, position = _value(text, position)
        items.append(item)
        position, more = _after_separator(text, position, "]")
    return items, position


def _object(text: str, position: int) -> tuple[_Object, int]:
    members: Members = {}
    position = _after_space(text, position)
    more = not text.startswith("}", position)
    if not more:
        position += 1
    while more:
        if not text.startswith('"', position):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
        name, end = _DECODER.raw_decode(text, position)
        colon = _COLON.match(text, end)
        if colon is None:
            raise json.JSONDecodeError("Expecting ':' delimiter", text, end)
        value, end = _DECODER.raw_decode(text, colon.end())
        members[name] = value, text[text.index(":", colon.start()) + 1 : end]
        position, more = _after_separator(text, end, "}")
    return _Object(members), position


def _after_separator(text: str, position: int, last: str) -> tuple[int, bool]:
    """The position after a comma or *last* and the white space there, and True if that was a comma."""
    separator = _SEPARATOR.match(text, position)
    if separator is None or separator[1] not in (",", last):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    return separator.end(), separator[1] == ","


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
