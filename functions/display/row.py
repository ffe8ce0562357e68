"""Rows: the summaries of events that every viewer gets, some 250 bytes each, as JSON lists in the order of `NAMES`."""

import json

from functions.display.columns import COLUMNS, Reading, Value
from pipeline.cloudevents import CloudEvent

Summary = tuple[Value, ...]
"""The values that are read from the event itself, in the order of `SUMMARY_NAMES`."""

SUMMARY_NAMES = tuple(column.name for column in COLUMNS if column.value is not None)
NAMES = ("seq", "repeats", "received", "version", "important", *SUMMARY_NAMES)
"""First the values of the history: number, repeats, time of arrival in ms since 1970, version, and 1 if it is an error,
a warning or a consequence, else 0. Then the summary."""


_CONTROLS = set(range(0x20)) | set(range(0x7F, 0xA0))
_TURNING = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_MARKED = dict.fromkeys(_CONTROLS - set(map(ord, "\t\n\r")) | _TURNING, "\N{REPLACEMENT CHARACTER}")
"""Characters that change how others are read, or that nobody sees: controls, and those that turn the direction."""


def summary(event: CloudEvent) -> Summary:
    """Return the summary of *event*, with a mark in place of each character that would make it read as another."""
    reading = Reading(event)
    values = (column.value(reading) for column in COLUMNS if column.value is not None)
    return tuple(value.translate(_MARKED) if isinstance(value, str) else value for value in values)


def by_name(values: Summary) -> dict[str, Value]:
    """Return the values of a summary by the names of their columns."""
    return dict(zip(SUMMARY_NAMES, values, strict=True))


def write(seq: int, repeats: int, received_ms: int, version: int, important: bool, values: Summary) -> bytes:
    """Return a row as JSON."""
    row = [seq, repeats, received_ms, version, int(important), *values]
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
