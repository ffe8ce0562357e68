"""The settings: the only reader of the environment.

Each function's settings are a frozen dataclass of fields made by `setting`, which state variable, meaning, default and
example; `read` parses them all and raises one `SettingsError` with every fault. README's table of settings is held to
these classes by a test.
"""

import dataclasses
import datetime
import json
import logging
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
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
    default: Any
    """As a user would write it; None if it may stay unset, `REQUIRED` if not."""


def setting(name: str, parse: Callable[[str], Any], meaning: str, *, example: str, default: Any = REQUIRED) -> Any:
    """A dataclass field read from the variable *name*.

    *parse* turns the text into the value and raises ValueError with what is wrong ("is not a duration"). *default* is
    given as text, as a user would write it; None means that the setting may stay unset (the field is then None).
    """
    variable = Variable(name, parse, meaning, example, default)
    if default is REQUIRED:
        return dataclasses.field(metadata={"variable": variable})
    return dataclasses.field(
        default_factory=lambda: None if default is None else parse(default), metadata={"variable": variable}
    )


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
        given = environ.get(variable.name, "").strip()
        if given:
            values[field.name] = _parse(variable, given, faults)
        elif field.default_factory is dataclasses.MISSING:
            values[field.name] = None
            example = f"{variable.name}={variable.example}"
            faults.append(f"{variable.name} is not set ({variable.meaning}); for example {example}")
    made = settings(**values)
    # What is wrong with values together is said along with the rest, so that one start shows every fault.
    faults.extend(getattr(made, "faults", list)())
    return made if len(faults) == before else None


def _parse(variable: Variable, given: str, faults: list[str]) -> Any:
    try:
        return variable.parse(given)
    except ValueError as error:
        faults.append(f"{variable.name} {error}; for example {variable.name}={variable.example}")
        return None


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


def existing_file(value: str) -> str:
    """The path of a file that can be read."""
    try:
        with Path(value).open("rb"):
            return value
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error


def ce_overrides(value: str) -> Mapping[str, str]:
    """Extension name → value, from SinkBinding's JSON `{"extensions": {"name": "value"}}`."""
    try:
        extensions = json.loads(value).get("extensions") or {}
        names = {name: str(extensions[name]) for name in extensions}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError('is not JSON of the form {"extensions": {"name": "value"}}') from error
    bad = [name for name in names if not re.fullmatch(r"[a-z0-9]+", name)]
    if bad:
        raise ValueError(
            f"names {', '.join(map(repr, bad))}: CloudEvents attribute names are lower-case letters and digits"
        )
    return MappingProxyType(names)


def words(value: str) -> tuple[str, ...]:
    """The words of a text, separated by commas or white space."""
    return tuple(value.replace(",", " ").split())


def entity(value: str) -> str:
    """`Type/id`, as in an event's subject."""
    if not re.fullmatch(r"[A-Za-z]+/[\w.-]+", value):
        raise ValueError(f"is {value!r}, not of the form Type/id")
    return value


def follow_duration(value: str) -> float:
    """A duration, or `always`, which is infinity."""
    return math.inf if value == "always" else duration(value)


def checkpoint_address(value: str) -> str:
    """`configmap:NAME`, `file:PATH` or `memory:`."""
    kind, colon, name = value.partition(":")
    if not colon or kind not in ("configmap", "file", "memory") or bool(name) == (kind == "memory"):
        raise ValueError(f"is {value!r}, not configmap:NAME, file:PATH or memory:")
    return value


# ── the process ──


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """What every function's process needs, whatever the function."""

    function: str = setting(
        "FUNCTION", text, "which function of functions/ this process runs", example="display", default="poller"
    )
    host: str = setting(
        "HOST",
        text,
        "address to listen on; 127.0.0.1 when run locally",
        example="127.0.0.1",
        default="0.0.0.0",  # noqa: S104 - a pod's own network
    )
    port: int = setting(
        "PORT", whole_number(0, 65535), "port to listen on; 0 picks a free one", example="8080", default="8080"
    )
    threads: int = setting(
        "THREADS",
        whole_number(1, 2000),
        "requests served at once; an open stream holds one",
        example="64",
        default="64",
    )
    log_level: str = setting(
        "LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "least severity that is logged",
        example="DEBUG",
        default="INFO",
    )


# ── poller ──


@dataclasses.dataclass(frozen=True)
class VCenterSettings:
    """Which vCenter, and how to log in. The names are those that VSphereBinding injected."""

    url: str = setting("VC_URL", http_url, "the vCenter's address", example="https://vcenter.example")
    insecure: bool = setting(
        "VC_INSECURE", flag, "accept any certificate: only for tests", example="true", default="false"
    )
    ca_bundle: str | None = setting(
        "VC_CA_BUNDLE",
        existing_file,
        "file of the authorities that signed vCenter's certificate, in PEM; unset: the system's",
        example="/etc/vcenter/ca.pem",
        default=None,
    )
    username: str | None = setting(
        "VC_USERNAME", text, "user name, unless a secret is mounted", example="events@vsphere.local", default=None
    )
    password: Secret | None = setting(
        "VC_PASSWORD", Secret, "password, unless a secret is mounted", example="'…'", default=None
    )
    secret_path: Path = setting(
        "VC_SECRET_PATH",
        Path,
        "folder of a mounted secret with the files username and password; read again at every login",
        example="/var/bindings/vsphere",
        default="/var/bindings/vsphere",
    )

    event_types: tuple[str, ...] = setting(
        "EVENT_TYPES",
        words,
        "event classes, or type ids of an EventEx, to read, separated by commas; unset: all",
        example="VmPoweredOnEvent,VmPoweredOffEvent",
        default="",
    )
    entity: str | None = setting(
        "ENTITY",
        entity,
        "managed entity to read the events of, with all below it; unset: all",
        example="Folder/group-d1",
        default=None,
    )

    @property
    def sdk_url(self) -> str:
        """The SDK's address, `https://host[:port]/sdk`, which is every event's `source`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/sdk'}"

    def login(self) -> tuple[str, Secret]:
        """User name and password as they are now: of the variables, else of the mounted files.

        Raises `SettingsError` where there are neither.
        """
        if self.username and self.password:
            return self.username, self.password
        try:
            name, password = (
                (self.secret_path / file).read_text(encoding="utf-8") for file in ("username", "password")
            )
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [
                    (
                        "VC_USERNAME and VC_PASSWORD are not both set, and the secret's files in "
                        f"{self.secret_path} (VC_SECRET_PATH) cannot be read: {error}"
                    )
                ]
            ) from error
        return name.rstrip("\r\n"), Secret(password.rstrip("\r\n"))

    def faults(self) -> list[str]:
        """What is wrong with the values together."""
        try:
            self.login()
        except SettingsError as error:
            return list(error.faults)
        return []


@dataclasses.dataclass(frozen=True)
class SinkSettings:
    """Where events go, and how patiently. `K_SINK` and `K_CE_OVERRIDES` are what SinkBinding injects."""

    url: str = setting(
        "K_SINK",
        http_url,
        "where events are sent",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
    )
    overrides: Mapping[str, str] = setting(
        "K_CE_OVERRIDES",
        ce_overrides,
        "attributes to add to every event",
        example='{"extensions":{"site":"berlin"}}',
        default='{"extensions":{}}',
    )
    dead_letter_url: str | None = setting(
        "DEAD_LETTER_SINK",
        http_url,
        "where an event goes that the sink refuses for good; unset: it is logged whole",
        example="http://deadletter.vcenter-events.svc",
        default=None,
    )
    timeout_seconds: float = setting(
        "SINK_TIMEOUT", duration, "longest wait for one answer", example="10s", default="10s"
    )
    backoff_seconds: float = setting(
        "SINK_BACKOFF",
        duration,
        "wait before the second try; it doubles with each further one",
        example="200ms",
        default="200ms",
    )
    backoff_most_seconds: float = setting(
        "SINK_BACKOFF_MAX", duration, "longest wait between two tries", example="30s", default="30s"
    )
    tries: int = setting(
        "SINK_TRIES",
        whole_number(1, 1000),
        "tries of an event that the sink keeps answering with an error, before the dead-letter sink gets it; "
        "without one it is tried for ever",
        example="10",
        default="10",
    )
    lanes: int = setting(
        "SINK_LANES",
        whole_number(1, 256),
        "events under way to the sink at once; those of one entity never overtake each other",
        example="16",
        default="16",
    )
    window: int = setting(
        "SINK_WINDOW",
        whole_number(1, 100_000),
        "events read and not yet acknowledged, at most",
        example="2000",
        default="2000",
    )


@dataclasses.dataclass(frozen=True)
class PollerSettings:
    """The poller: vCenter's history to the sink."""

    vcenter: VCenterSettings
    sink: SinkSettings
    encoding: str = setting(
        "PAYLOAD_ENCODING",
        one_of("application/json", "application/xml"),
        "how an event's data are written",
        example="application/xml",
        default="application/json",
    )
    checkpoint: str = setting(
        "CHECKPOINT",
        checkpoint_address,
        "where the position is kept: configmap:NAME, file:PATH or memory:",
        example="configmap:vcenter-poller-configmap",
        default="memory:",
    )
    replay_window_seconds: float = setting(
        "CHECKPOINT_MAX_AGE",
        duration,
        "how far back a start may go; 0: never back, so that an event is sent at most once",
        example="5m",
        default="5m",
    )
    checkpoint_period_seconds: float = setting(
        "CHECKPOINT_PERIOD",
        duration,
        "longest time an acknowledged position stays unsaved",
        example="10s",
        default="10s",
    )
    follow_seconds: float = setting(
        "FOLLOW_SECONDS",
        follow_duration,
        "how long start and tick keep following new events; 0: a tick reads what is there and returns; "
        "always: needs no ticks",
        example="15s",
        default="15s",
    )


# ── display ──


@dataclasses.dataclass(frozen=True)
class DisplaySettings:
    """The display's page."""

    events: int = setting(
        "DISPLAY_EVENTS",
        whole_number(1, 1_000_000),
        "events held at most; the oldest goes first",
        example="10000",
        default="10000",
    )
    megabytes: int = setting(
        "DISPLAY_MEGABYTES",
        whole_number(1, 100_000),
        "memory that held events may take, in MB; the oldest goes first",
        example="64",
        default="64",
    )
    file: Path | None = setting(
        "DISPLAY_FILE",
        Path,
        "SQLite file that keeps the held events, on a volume; unset: memory, which a restart empties",
        example="/data/display.db",
        default=None,
    )
    token: Secret | None = setting(
        "DISPLAY_TOKEN",
        Secret,
        "bearer token that readers must bring, browsers as the password; unset: none",
        example="'…'",
        default=None,
    )
    login: Secret | None = setting(
        "DISPLAY_LOGIN", Secret, "user:password that readers must give; unset: none", example="'admin:…'", default=None
    )
    allow_send: bool = setting(
        "DISPLAY_ALLOW_SEND",
        flag,
        "let whoever may read also send and replay events, to K_SINK or to the display itself",
        example="true",
        default="false",
    )
    sink: str | None = setting(
        "K_SINK",
        http_url,
        "where the page sends events, if it may; unset: only to itself",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
    )
    dead_letters: str | None = setting(
        "DISPLAY_DEAD_LETTERS",
        http_url,
        "the deadletter function, whose letters the page then lists; unset: no such tab",
        example="http://deadletter.vcenter-events.svc.cluster.local",
        default=None,
    )
    service: str = setting(
        "K_SERVICE", text, "name of the Knative Service, which Knative injects", example="display", default="display"
    )


# ── notify ──


def apprise_urls(value: str) -> tuple[Secret, ...]:
    """The URLs in *value*, each one that apprise can notify; a fault names the position only: URLs hold passwords."""
    import apprise  # noqa: PLC0415 - 0.2 s, which only notify is to pay

    # apprise logs the URLs that it refuses, and later those that fail: it is not to log in this process at all.
    logging.getLogger("apprise").disabled = True
    urls = value.split()
    unknown = [str(number) for number, url in enumerate(urls, 1) if apprise.Apprise.instantiate(url) is None]
    if unknown:
        raise ValueError(f"holds {len(urls)} URLs, of which apprise does not understand number {', '.join(unknown)}")
    return tuple(Secret(url) for url in urls)


def jinja_template(value: str) -> str:
    """The text of a Jinja2 template without syntax faults."""
    import jinja2  # noqa: PLC0415 - only who has a template is to pay

    try:
        jinja2.Environment(autoescape=False).parse(value)  # noqa: S701 - a notification is text; each service escapes its own
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not a template: line {error.lineno}: {error.message}") from error
    return value


def jinja_expression(value: str) -> str:
    """The text of a Jinja2 expression without syntax faults."""
    import jinja2  # noqa: PLC0415 - as above

    try:
        jinja2.Environment(autoescape=False).compile_expression(value)  # noqa: S701 - it makes no text
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not an expression: {error.message}") from error
    return value


_IF = "Jinja2 expression that an event must meet, for what a Trigger cannot see; unset: every event does"
_IF_EXAMPLE = "data.Alarm.Name == 'Host CPU usage'"


def templates_in(value: str) -> Mapping[str, Mapping[str, str]]:
    """Event type → `title` and `body` → template, of the folder's files `TYPE.title` and `TYPE.body`."""
    found: dict[str, dict[str, str]] = {}
    try:
        # What starts with a dot is how a mounted ConfigMap is changed at once.
        for file in sorted(each for each in Path(value).iterdir() if not each.name.startswith(".")):
            type_, _, part = file.name.rpartition(".")
            if part not in ("title", "body") or not type_:
                raise ValueError(f"holds {file.name}, not TYPE.title or TYPE.body")
            try:
                found.setdefault(type_, {})[part] = jinja_template(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"holds {file.name}, which {error}") from error
    except OSError as error:
        raise ValueError(f"is {value!r}, which cannot be read: {error.strerror}") from error
    return MappingProxyType(found)


@dataclasses.dataclass(frozen=True)
class QuietHours:
    """A part of every day, in the time zone of those who sleep."""

    begin: datetime.time
    end: datetime.time
    """Before *begin*, if it is the next day's."""
    zone: zoneinfo.ZoneInfo

    def contains(self, moment: datetime.datetime) -> bool:
        """Whether *moment* is in them."""
        there = moment.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= there < self.end
        return there >= self.begin or there < self.end

    def ends(self, moment: datetime.datetime) -> datetime.datetime:
        """When those end that *moment* is in."""
        there = moment.astimezone(self.zone)
        day = there.date() + datetime.timedelta(days=there.time() >= self.end)
        return datetime.datetime.combine(day, self.end, self.zone).astimezone(datetime.UTC)


def quiet_hours(value: str) -> QuietHours:
    """`22:00-07:00` (UTC) or `22:00-07:00 Europe/Berlin`."""
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value)
    if not match or match[1] == match[2]:
        raise ValueError(f"is {value!r}, not HH:MM-HH:MM with a time zone")
    try:
        begin, end = (datetime.time.fromisoformat(each) for each in match.group(1, 2))
        return QuietHours(begin, end, zoneinfo.ZoneInfo(match[3] or "UTC"))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"is {value!r}: {error}") from error


@dataclasses.dataclass(frozen=True)
class NotifySettings:
    """The notify reaction."""

    urls: tuple[Secret, ...] = setting(
        "NOTIFY_URLS",
        apprise_urls,
        "apprise URLs to notify, separated by white space",
        example="ntfy://ntfy.example/vcenter",
    )
    condition: str | None = setting("NOTIFY_IF", jinja_expression, _IF, example=_IF_EXAMPLE, default=None)
    title: str | None = setting(
        "NOTIFY_TITLE",
        jinja_template,
        "Jinja2 template of the title; unset: what happened and where, as VM powered off: web-01",
        example="{{ target }}: {{ message }}",
        default=None,
    )
    body: str | None = setting(
        "NOTIFY_BODY",
        jinja_template,
        "Jinja2 template of the body; unset: message, user, time, source and event id",
        example="{{ message }} (by {{ data.UserName }})",
        default=None,
    )
    templates: Mapping[str, Mapping[str, str]] | None = setting(
        "NOTIFY_TEMPLATES",
        templates_in,
        "folder with templates for single event types: files VmPoweredOffEvent.title and VmPoweredOffEvent.body",
        example="/etc/notify",
        default=None,
    )
    link: str | None = setting(
        "NOTIFY_LINK",
        jinja_template,
        "Jinja2 template of a link to the event, which ends the body: the display's address",
        example="https://display.example/?id={{ id | urlencode }}",
        default=None,
    )
    severity: str = setting(
        "NOTIFY_SEVERITY",
        one_of("info", "warning", "error"),
        "least severity that is notified",
        example="warning",
        default="info",
    )
    limit: int = setting(
        "NOTIFY_LIMIT",
        whole_number(0, 1_000_000),
        "events notified one by one in a period; those beyond are told in one message at its end; 0: all are",
        example="5",
        default="20",
    )
    period_seconds: float = setting(
        "NOTIFY_PERIOD", duration, "the period, which starts with an event", example="5m", default="1m"
    )
    quiet: QuietHours | None = setting(
        "NOTIFY_QUIET",
        quiet_hours,
        "hours, in UTC unless a zone is named, in which nobody is notified; one message at their end tells what came",
        example="22:00-07:00 Europe/Berlin",
        default=None,
    )
    quiet_severity: str = setting(
        "NOTIFY_QUIET_SEVERITY",
        one_of("info", "warning", "error", "none"),
        "least severity that is notified in quiet hours all the same; none: nothing is",
        example="none",
        default="error",
    )
    remembered: int = setting(
        "NOTIFY_REMEMBERED",
        whole_number(1, 1_000_000),
        "events remembered, so that one delivered again is not notified again",
        example="10000",
        default="10000",
    )


# ── deadletter ──


def new_file(value: str) -> Path:
    """The path of a file, in a folder that exists."""
    path = Path(value)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"is {value!r}, not a file in a folder that exists")
    return path


@dataclasses.dataclass(frozen=True)
class DeadletterSettings:
    """The dead-letter sink."""

    broker_url: str | None = setting(
        "K_SINK",
        http_url,
        "where redriven events are sent: the Broker that they failed at; unset: nothing can be redriven",
        example="http://broker-ingress.knative-eventing.svc/vcenter-events/default",
        default=None,
    )
    file: Path | None = setting(
        "DEADLETTER_FILE",
        new_file,
        "SQLite file that keeps the dead letters, on a volume; unset: memory, which a restart empties",
        example="/data/letters.sqlite",
        default=None,
    )
    most: int = setting(
        "DEADLETTER_LETTERS",
        whole_number(1, 1_000_000),
        "letters kept at most; redriven and dropped ones go first, then the oldest",
        example="10000",
        default="10000",
    )
    megabytes: int = setting(
        "DEADLETTER_MEGABYTES",
        whole_number(1, 100_000),
        "size of their events at most, in MB; likewise",
        example="256",
        default="256",
    )
    age_seconds: float = setting(
        "DEADLETTER_AGE",
        duration,
        "how long a letter is kept after its last failure",
        example="720h",
        default="720h",
    )


# ── reactions that change vCenter ──

_REMEMBERED = "events remembered, so that one delivered again has no second effect"


def objects(value: str) -> str:
    """One of the objects that an event may name (`pipeline.payload.OBJECTS`)."""
    return one_of("vm", "host", "datastore", "cluster", "datacenter", "network", "switch", "entity")(value)


def attribute_values(value: str) -> Mapping[str, Mapping[str, str]]:
    """Event type → attribute → template, from JSON."""
    try:
        found = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    wrong = "is not JSON of the form {type: {attribute: template}}"
    if not isinstance(found, dict):
        raise ValueError(wrong)
    for type_, attributes in found.items():
        if not isinstance(attributes, dict) or not all(isinstance(each, str) for each in attributes.values()):
            raise ValueError(wrong)
        for name, template in attributes.items():
            try:
                jinja_template(template)
            except ValueError as error:
                raise ValueError(f"has under {type_} for {name!r} what {error}") from error
    return MappingProxyType(found)


_CREATED = {"owner": "{{ user }}", "created": "{{ time }}"}
_ATTRIBUTE_VALUES = {
    **dict.fromkeys(("VmCreatedEvent", "VmClonedEvent", "VmDeployedEvent", "VmRegisteredEvent"), _CREATED),
    "VmPoweredOnEvent": {"last powered on": "{{ time }}"},
}


@dataclasses.dataclass(frozen=True)
class TagSettings:
    """The tag reaction."""

    vcenter: VCenterSettings
    category: str = setting("TAG_CATEGORY", text, "the tag's category", example="lifecycle")
    name: str = setting("TAG_NAME", text, "the tag", example="created-today")
    action: str = setting(
        "TAG_ACTION", one_of("attach", "remove"), "attach the tag or remove it", example="remove", default="attach"
    )
    object: str = setting(
        "TAG_OBJECT",
        objects,
        "which of the event's objects: vm, host, datastore, cluster, datacenter, network, switch, entity (an alarm's)",
        example="host",
        default="vm",
    )
    create: bool = setting(
        "TAG_CREATE", flag, "make category and tag if they do not exist", example="true", default="false"
    )
    remembered: int = setting(
        "TAG_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


@dataclasses.dataclass(frozen=True)
class AttributeSettings:
    """The attribute reaction."""

    vcenter: VCenterSettings
    values: Mapping[str, Mapping[str, str]] = setting(
        "ATTRIBUTE_VALUES",
        attribute_values,
        "event type → custom attribute → Jinja2 template of its value, as JSON",
        example='{"VmPoweredOnEvent": {"last powered on": "{{ time }}"}}',
        default=json.dumps(_ATTRIBUTE_VALUES),
    )
    remembered: int = setting(
        "ATTRIBUTE_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


@dataclasses.dataclass(frozen=True)
class MaintenanceSettings:
    """The maintenance reaction."""

    vcenter: VCenterSettings
    attribute: str = setting(
        "MAINTENANCE_ATTRIBUTE",
        text,
        "custom attribute of the host that notes what its alarm actions were before",
        example="alarm actions before maintenance",
        default="alarm actions before maintenance",
    )
    remembered: int = setting(
        "MAINTENANCE_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


@dataclasses.dataclass(frozen=True)
class FailoverSettings:
    """The failover reaction."""

    vcenter: VCenterSettings
    window_seconds: float = setting(
        "FAILOVER_WINDOW", duration, "how long before its completion a fail-over began", example="15m", default="15m"
    )
    settle_seconds: float = setting(
        "FAILOVER_SETTLE",
        duration,
        "how long restarts may still be reported after it",
        example="30s",
        default="30s",
    )
    remembered: int = setting(
        "FAILOVER_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


@dataclasses.dataclass(frozen=True)
class CapacitySettings:
    """The capacity reaction."""

    vcenter: VCenterSettings
    remembered: int = setting(
        "CAPACITY_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


def regular_expression(value: str) -> str:
    """The text of a regular expression."""
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is {value!r}, not a regular expression: {error}") from error
    return value


@dataclasses.dataclass(frozen=True)
class PreemptSettings:
    """The preempt reaction."""

    vcenter: VCenterSettings
    category: str = setting("PREEMPT_CATEGORY", text, "category of the tag", example="lifecycle")
    tag: str = setting("PREEMPT_TAG", text, "tag of the machines that give way", example="preemptible")
    action: str = setting(
        "PREEMPT_ACTION",
        one_of("suspend", "poweroff"),
        "what happens to them; poweroff is as pulling the plug",
        example="poweroff",
        default="suspend",
    )
    most: int = setting(
        "PREEMPT_MOST", whole_number(1, 1000), "machines that give way at once, at most", example="3", default="3"
    )
    dry_run: bool = setting(
        "PREEMPT_DRY_RUN", flag, "only tell what would be done", example="false", default="true"
    )
    alarms: str = setting(
        "PREEMPT_ALARMS",
        regular_expression,
        "regular expression that the alarm's name matches, in upper or lower case",
        example="cpu|memory",
        default="cpu|memory",
    )
    pause_seconds: float = setting(
        "PREEMPT_PAUSE", duration, "least time between two preemptions in a cluster", example="10m", default="10m"
    )
    age_seconds: float = setting(
        "PREEMPT_AGE",
        duration,
        "age from which an event is no reason any more: one that was redriven, for example",
        example="10m",
        default="10m",
    )
    remembered: int = setting(
        "PREEMPT_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


# ── webhook ──


def secret_http_url(value: str) -> Secret:
    """An absolute http or https URL that may hold a token, and so is secret as a whole."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    return Secret(value)


def headers(value: str) -> Mapping[str, Secret]:
    """Name → value, from JSON; the values may be credentials."""
    wrong = "is not JSON of the form {name: value}"
    try:
        found = json.loads(value)
    except ValueError as error:
        raise ValueError(wrong) from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError(wrong)
    sound = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
    bad = [name for name, each in found.items() if not sound.fullmatch(name) or not each.isprintable()]
    if bad:
        raise ValueError(f"has {', '.join(map(repr, bad))}, which cannot be sent as headers")
    return MappingProxyType({name: Secret(each) for name, each in found.items()})


@dataclasses.dataclass(frozen=True)
class WebhookSettings:
    """The webhook reaction."""

    url: Secret = setting(
        "WEBHOOK_URL", secret_http_url, "where events are sent", example="https://hooks.example/T012/B345"
    )
    condition: str | None = setting("WEBHOOK_IF", jinja_expression, _IF, example=_IF_EXAMPLE, default=None)
    method: str = setting(
        "WEBHOOK_METHOD", one_of("POST", "PUT", "PATCH", "DELETE"), "how", example="PUT", default="POST"
    )
    headers: Mapping[str, Secret] = setting(
        "WEBHOOK_HEADERS",
        headers,
        "headers to add, as JSON",
        example='{"Authorization": "Bearer …"}',
        default="{}",
    )
    content_type: str = setting(
        "WEBHOOK_CONTENT_TYPE", text, "what the body is", example="text/plain", default="application/json"
    )
    body: str | None = setting(
        "WEBHOOK_BODY",
        jinja_template,
        "Jinja2 template of the body; unset: the whole event as CloudEvents' JSON, which is also {{ event }}",
        example='{"text": {{ message | tojson }}}',
        default=None,
    )
    key: Secret | None = setting(
        "WEBHOOK_KEY", Secret, "key that the body is signed with (HMAC, SHA-256); unset: no signature", example="'…'",
        default=None,
    )  # fmt: skip
    signature_header: str = setting(
        "WEBHOOK_SIGNATURE_HEADER",
        text,
        "header of the signature, sha256=HEX as GitHub sends it",
        example="X-Signature",
        default="X-Hub-Signature-256",
    )
    ca_bundle: str | None = setting(
        "WEBHOOK_CA_BUNDLE",
        existing_file,
        "file of the authorities that signed the receiver's certificate, in PEM; unset: the usual public ones",
        example="/etc/webhook/ca.pem",
        default=None,
    )
    timeout_seconds: float = setting(
        "WEBHOOK_TIMEOUT", duration, "longest wait for the answer", example="30s", default="10s"
    )
    remembered: int = setting(
        "WEBHOOK_REMEMBERED", whole_number(1, 1_000_000), _REMEMBERED, example="10000", default="10000"
    )


# ── README's tables ──


def tables() -> str:
    """Every setting, a Markdown table for each class: what README's section of settings holds."""
    classes = [value for value in globals().values() if isinstance(value, type) and dataclasses.is_dataclass(value)]
    parts: list[str] = []
    for settings in classes:
        own = [field.metadata["variable"] for field in dataclasses.fields(settings) if "variable" in field.metadata]
        if own:
            parts.append(_table((settings.__doc__ or "").partition("\n")[0].rstrip("."), own))
    return "\n".join(parts)


def _table(title: str, rows: list[Variable]) -> str:
    lines = [f"**{title}**", "", "| variable | meaning | default | example |", "|---|---|---|---|"]
    for row in rows:
        default = "required" if row.default is REQUIRED else f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {_cell(row.meaning)} | {_cell(default)} | `{_cell(row.example)}` |")
    return "\n".join([*lines, ""])


def _cell(words: str) -> str:
    return " ".join(words.replace("|", "\\|").split())
