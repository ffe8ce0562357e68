"""Two rule sets for what counts as a valid CloudEvent, and the error for everything else.

`STRICT` is Knative's ingress and dispatcher (cloudevents/sdk-go v2.16). `LENIENT` accepts everything that a person can
make sense of, so it accepts every event that `STRICT` accepts.
"""

import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipeline import bounds
from pipeline.errors import PermanentError, cut

REQUIRED = ("specversion", "id", "source", "type")
_STRINGS = frozenset({*REQUIRED, "subject", "time", "dataschema", "datacontenttype"})
"""The attributes of the specification. All of them are strings."""


class NotACloudEvent(PermanentError):
    """The request, response or document holds no valid CloudEvent. *problems* lists every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"not a CloudEvent: {'; '.join(problems)}")


@dataclasses.dataclass(frozen=True)
class Rules:
    """One rule set."""

    required: tuple[str, ...]
    """Attributes that must not be missing or empty."""
    specversions: tuple[str, ...]
    """The versions that are accepted. () for any."""
    announced: bool
    """Take an event only if its content type or the header `ce-specversion` announces one."""
    percent_encoded: bool
    """Decode percent-encoded header values, as the HTTP binding 3.1.3.2 demands and the SDK for Go does not."""
    keeps_space: bool
    """Keep the white space before structured `data`, as the SDK for Go does."""
    number: Callable[[float], str | None]
    """The text of a numeric extension, or `None` if such a number is not allowed."""
    invalid: Callable[[Mapping[str, str]], list[str]]
    """The problems of attributes that are all texts, apart from missing ones and the version."""
    normalized: Callable[[dict[str, str]], dict[str, str]]
    """Valid attributes in their canonical form."""

    def text(self, name: str, value: Any) -> str:
        """Return the JSON *value* of the attribute *name* as text. Raises `ValueError` with the problem."""
        text: str | None = None
        if isinstance(value, str):
            # JSON can escape half of a surrogate pair, which UTF-8 cannot hold.
            text = value if value.isascii() else value.encode("utf-8", "replace").decode()
        elif name not in _STRINGS and isinstance(value, bool):
            text = "true" if value else "false"
        elif name not in _STRINGS and isinstance(value, int | float):
            text = self.number(value)
        if text is None:
            raise ValueError(f"{name} is {kind_of(value)}{' and must be a string' if name in _STRINGS else ''}")
        return text

    def check(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return *attributes* as texts in canonical form. Raises `NotACloudEvent` with every problem."""
        texts: dict[str, str] = {}
        problems = []
        for name, value in attributes.items():
            try:
                texts[name] = self.text(name, value)
            except ValueError as error:
                problems.append(str(error))
        missing = [name for name in self.required if attributes.get(name, "") == ""]
        if missing:
            problems.insert(0, f"missing attributes: {', '.join(missing)}")
        version = texts.get("specversion")
        if version and self.specversions and version not in self.specversions:
            problems.append(f"specversion is {version!r}, not {' or '.join(self.specversions)}")
        problems += _too_large(texts)
        problems += self.invalid(texts)
        if problems:
            raise NotACloudEvent(problems)
        return self.normalized(texts)


def _too_large(texts: Mapping[str, str]) -> list[str]:
    """Return the problems of attributes beyond `bounds.ATTRIBUTES` and `bounds.ATTRIBUTE_BYTES`."""
    problems = [f"more than {bounds.ATTRIBUTES} attributes"] if len(texts) > bounds.ATTRIBUTES else []
    long = [cut(name, 60) for name, value in texts.items() if len(name) + len(value) > bounds.ATTRIBUTE_BYTES]
    if long:
        problems.append(f"attributes longer than {bounds.ATTRIBUTE_BYTES} bytes: {', '.join(long[:5])}")
    return problems


def kind_of(value: Any) -> str:
    """Return what JSON calls *value*: "an object", "a list", "a string", "a Boolean", "null" or "a number"."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a Boolean", type(None): "null"}
    return names.get(type(value), "a number")


_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def _second(time: str) -> datetime.datetime | None:
    """The second of an RFC 3339 time in UTC without its fraction, or `None` if there is no such time."""
    match = _RFC3339.fullmatch(time)
    if match is None:
        return None
    day, clock, _, zone = match.groups()
    try:
        return datetime.datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _as_go_prints(time: str) -> str:
    """Return a valid RFC 3339 time in UTC, with nanoseconds without trailing zeros. Anything else is unchanged."""
    match, second = _RFC3339.fullmatch(time), _second(time)
    if match is None or second is None:
        return time
    fraction = (match.group(3) or "").rstrip("0")
    return second.replace(tzinfo=None).isoformat() + (f".{fraction}" if fraction else "") + "Z"


_CHECKS: dict[str, Callable[[str], bool]] = {
    "subject": lambda value: value == "" or bool(value.strip()),
    "time": lambda value: _second(value) is not None,
    "dataschema": lambda value: bool(urlsplit(value).scheme),
    "datacontenttype": lambda value: re.fullmatch(r"[^\s/;]+(/[^\s/;]+)?\s*(;.*)?", value) is not None,
}


def _invalid_for_go(attributes: Mapping[str, str]) -> list[str]:
    problems = []
    for name, value in attributes.items():
        if not re.fullmatch(r"[a-z0-9]+", name.lower()):
            problems.append(f"{name!r} is not an attribute name: only a to z and digits are allowed")
        elif name in REQUIRED and value.isspace():
            problems.append(f"{name} is blank")
        elif name in _CHECKS and not _CHECKS[name](value):
            problems.append(f"{name} is not valid: {value!r}")
    return problems


def _normalized_by_go(attributes: dict[str, str]) -> dict[str, str]:
    if not attributes.get("subject"):
        attributes.pop("subject", None)
    if "time" in attributes:
        attributes["time"] = _as_go_prints(attributes["time"])
    return attributes


STRICT = Rules(
    required=REQUIRED,
    specversions=("1.0",),
    announced=True,
    percent_encoded=False,
    keeps_space=True,
    number=lambda value: str(int(value)) if abs(value) < 2**31 else None,
    invalid=_invalid_for_go,
    normalized=_normalized_by_go,
)
"""As Knative takes events and passes them on. Times come out in UTC, as Go prints them."""

LENIENT = Rules(
    required=REQUIRED,
    specversions=("1.0", "0.3"),
    announced=False,
    percent_encoded=True,
    keeps_space=False,
    number=json.dumps,
    invalid=lambda _: [],
    normalized=lambda attributes: attributes,
)
"""For showing and keeping: only what makes an event one is required, and nothing about its content is a problem."""
