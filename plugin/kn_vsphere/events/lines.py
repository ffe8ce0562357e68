"""An event as a line for a person. Pure."""

import re

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from vsphere import severity

TYPE_WIDTH = 26
_COLORS = {severity.ERROR: "31;1", severity.WARNING: "33", severity.INFO: "2"}
"""Severity → parameters of ECMA-48's SGR: bold red, yellow, faint."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Characters that would move the cursor, or reorder a terminal's line."""


def line(event: CloudEvent, *, colored: bool = False) -> str:
    """Return time, severity, type, target and message of *event* in one line."""
    level = severity.of(event, payload.fields(event)).removesuffix(severity.INFERRED)
    name = payload.short_type(event).removesuffix("Event")
    message, target = payload.message(event, bounds.SUMMARY_CHARACTERS), payload.target(event)
    text = f"{target}: {message}" if target and target not in message else message
    shown = f"{level:<7}"
    if colored:
        shown = f"\x1b[{_COLORS[level]}m{shown}\x1b[0m"
    return (
        f"{printable((event.get('time') or '')[:19]):<19}  {shown}  {printable(name):<{TYPE_WIDTH}}  {printable(text)}"
    )


def printable(text: str) -> str:
    """Return *text* without characters that a terminal would act upon."""
    return _CONTROL.sub(" ", text)
