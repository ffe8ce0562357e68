"""The settings: the only reader of the environment.

Each function's settings are a frozen dataclass of fields made by `setting`, which state variable, meaning, default and
example; `read` parses them all and raises one `SettingsError` with every fault. README's table of settings is held to
these classes by a test.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipeline.errors import SettingsError

Environ = Mapping[str, str]
T = TypeVar("T")

REQUIRED: Any = object()
"""The default of a setting that has none."""


class Secret:
    """A credential: prints as ***, so that it reaches no log and no error text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclasses.dataclass(frozen=True)
class Variable:
    """One setting's description: what README's table has in its row."""

    name: str
    parse: Callable[[str], Any]
    meaning: str
    example: str
    default: str | None


def setting(name: str, parse: Callable[[str], Any], meaning: str, *, example: str, default: Any = REQUIRED) -> Any:
    """A dataclass field read from the variable *name*.

    *parse* turns the text into the value and raises ValueError with what is wrong ("is not a duration"). *default* is
    given as text, as a user would write it; None means that the setting may stay unset (the field is then None).
    """
    text = None if default is REQUIRED else default
    variable = Variable(name, parse, meaning, example, text)
    if default is REQUIRED:
        return dataclasses.field(metadata={"variable": variable})
    return dataclasses.field(default=None if default is None else parse(default), metadata={"variable": variable})


def variables(settings: type) -> list[Variable]:
    """The variables of a settings class, in order, those of nested settings classes included."""
    found: list[Variable] = []
    for field in dataclasses.fields(settings):
        if "variable" in field.metadata:
            found.append(field.metadata["variable"])
        elif isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            found.extend(variables(field.type))
    return found


def read(settings: type[T], environ: Environ) -> T:
    """*settings* as *environ* says; an empty variable counts as unset.

    Raises `SettingsError` with every fault of every variable at once, each naming the variable and an example.
    """
    faults: list[str] = []
    value = _read(settings, environ, faults)
    if faults:
        raise SettingsError(faults)
    assert value is not None  # noqa: S101 - only a fault makes it None, and none was found
    return value


def _read(settings: type[T], environ: Environ, faults: list[str]) -> T | None:
    values: dict[str, Any] = {}
    before = len(faults)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # every settings class is a dataclass
        variable = field.metadata.get("variable")
        if variable is None:
            if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
                values[field.name] = _read(field.type, environ, faults)
            continue
        text = environ.get(variable.name, "").strip()
        if not text:
            if field.default is dataclasses.MISSING:
                faults.append(f"{variable.name} is not set ({variable.meaning}); for example {variable.name}={variable.example}")
            continue
        try:
            values[field.name] = variable.parse(text)
        except ValueError as error:
            faults.append(f"{variable.name} {error}; for example {variable.name}={variable.example}")
    if len(faults) > before:
        return None
    made = settings(**values)
    check = getattr(made, "faults", None)
    if check is not None:
        faults.extend(check())
    return made


# ── parsers: text → value, ValueError says what is wrong and never repeats a secret ──


def text(value: str) -> str:
    """The text as it is."""
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """One of *choices*, exactly."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is {value!r}, not one of {', '.join(choices)}")
        return value

    return parse


def flag(value: str) -> bool:
    """true or false, in the spellings that Go and Kubernetes users write."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError(f"is {value!r}, not true or false")
    return known[value.lower()]


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A whole number from *least* to *most*."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value) or not least <= int(value) <= most:
            raise ValueError(f"is {value!r}, not a whole number from {least} to {most}")
        return int(value)

    return parse


_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(value: str) -> float:
    """Seconds, from Go's notation (`5m`, `1h30m`, `250ms`) or a bare number of seconds."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+", value):
        raise ValueError(f"is {value!r}, not a duration")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", value))


def http_url(value: str) -> str:
    """An absolute http or https URL with a host and without credentials in it."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError on a bad port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    if parts.username or parts.password:
        raise ValueError("holds a user name or password in the URL; credentials have settings of their own")
    return value


# ── the process ──


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """What every function's process needs, whatever the function."""

    function: str = setting("FUNCTION", text, "which function of functions/ this process runs", example="display", default="poller")
    host: str = setting("HOST", text, "address to listen on; 127.0.0.1 when run locally", example="127.0.0.1", default="0.0.0.0")  # noqa: S104 - a pod's own network
    port: int = setting("PORT", whole_number(0, 65535), "port to listen on; 0 picks a free one", example="8080", default="8080")
    threads: int = setting("THREADS", whole_number(1, 2000), "requests served at once; an open stream holds one", example="64", default="64")
    log_level: str = setting("LOG_LEVEL", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "least severity that is logged", example="DEBUG", default="INFO")


# ── display ──


@dataclasses.dataclass(frozen=True)
class DisplaySettings:
    """The display's page."""

    events: int = setting("DISPLAY_EVENTS", whole_number(1, 1_000_000), "events held at most; the oldest goes first", example="10000", default="10000")


# ── notify ──


@dataclasses.dataclass(frozen=True)
class NotifySettings:
    """The notify reaction."""

    urls: Secret = setting("NOTIFY_URLS", Secret, "apprise URLs to notify, separated by white space", example="ntfy://ntfy.example/vcenter")
