"""The severity of an event for an administrator: by its payload, else by the catalogue, else by its type's name.

vCenter events of most classes have no severity of their own. The event catalogue has a category for each type
(`vsphere.catalog`). The poller asks its vCenter's catalogue and adds the result to the event, by CloudEvents' severity
extension (`attributes`). A severity that comes from a name only is marked as inferred.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipeline import status_events
from pipeline.cloudevents import CloudEvent
from vsphere import catalog

ERROR, WARNING, INFO = "error", "warning", "info"
INFERRED = "?"
"""The suffix of a severity that was inferred from the name of a type that is in no catalogue."""

_STATED = {
    "error": ERROR, "critical": ERROR, "alert": ERROR, "emergency": ERROR, "fatal": ERROR,
    "warning": WARNING, "warn": WARNING,
    "info": INFO, "information": INFO, "informational": INFO, "notice": INFO, "debug": INFO, "user": INFO,
    "normal": INFO,
}  # fmt: skip
_ALARM_COLOURS = {"red": ERROR, "yellow": WARNING, "green": INFO, "gray": INFO}
_ATTRIBUTES = {ERROR: ("ERROR", "17"), WARNING: ("WARN", "13"), INFO: ("INFO", "9")}
"""Severity → text and number of OpenTelemetry, to which the extension refers."""

_OURS = {
    status_events.status_type(occurrence, reporter): severity
    for occurrence, severity in (
        ("unreachable", ERROR),
        ("undeliverable", ERROR),
        ("gap", WARNING),
        ("unreadable", WARNING),
        ("recovered", INFO),
        ("heartbeat", INFO),
    )
    for reporter in status_events.REPORTERS
}
_SOUNDS_WRONG = re.compile(
    r"fail|error|lost\b|corrupt|denied|unable|cannot|critical|fatal|panic|isolated|unreachable|timed ?out|expired|"
    r"all\.?paths\.?down|\.down\b",
    re.IGNORECASE,
)
_SOUNDS_RIGHT = re.compile(r"clear|recover|restored|success|resolved|\.up\b|\.ok\b", re.IGNORECASE)
_SOUNDS_ODD = re.compile(
    r"warn|problem|degraded|conflict|violat|exceed|missing|disconnect|latency|full\b|mismatch", re.IGNORECASE
)


def of(event: CloudEvent, properties: Mapping[str, Any]) -> str:
    """Return `error`, `warning` or `info`, followed by "?" if only the name of the event's type suggests it.

    *properties* is the payload in PascalCase, as `pipeline.payload.fields` returns it.
    """
    event_type = event["type"]
    return _stated(properties) or _added(event) or _known(event_type) or _suggested(event_type) + INFERRED


def from_word(word: str) -> str | None:
    """Return the severity that *word*, an event's severity, a category or an alarm's colour, stands for, or None."""
    return _STATED.get(word.lower()) or _ALARM_COLOURS.get(word.lower())


def attributes(severity: str | None) -> dict[str, str]:
    """Return the attributes of CloudEvents' severity extension. None without a severity."""
    if severity is None:
        return {}
    text, number = _ATTRIBUTES[severity]
    return {"severitytext": text, "severitynumber": number}


def _added(event: CloudEvent) -> str | None:
    """Return the severity in the attributes of *event*."""
    number = event.get("severitynumber") or ""
    if not re.fullmatch("[0-9]{1,2}", number):
        return None
    return ERROR if int(number) >= 17 else WARNING if int(number) >= 13 else INFO


def _stated(properties: Mapping[str, Any]) -> str | None:
    for name in ("Severity", "severity", "level"):
        stated = properties.get(name)
        if isinstance(stated, str) and stated.lower() in _STATED:
            return _STATED[stated.lower()]
    colour = properties.get("To")
    if "Alarm" in properties and isinstance(colour, str):
        return _ALARM_COLOURS.get(colour.lower())
    if properties.get("kind") == "Event" and isinstance(properties.get("type"), str):  # Kubernetes: Normal, Warning
        return _STATED.get(properties["type"].lower())
    return None


def _known(event_type: str) -> str | None:
    if event_type in _OURS:
        return _OURS[event_type]
    if event_type == "dev.knative.sources.ping" or event_type.startswith("dev.knative.apiserver."):
        return INFO
    return _STATED.get(catalog.built_in().category(event_type))


def _suggested(event_type: str) -> str:
    name = catalog.type_name(event_type)
    if _SOUNDS_RIGHT.search(name):
        return INFO
    if _SOUNDS_WRONG.search(name):
        return ERROR
    return WARNING if _SOUNDS_ODD.search(name) else INFO
